"""The register of devices and operators, and which device each picture came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    """Add the register; of pictures that are there, nobody can say any more which device took them."""
    _devices()
    _operators()
    for table in ("images", "quarantine"):
        for name in ("device_id", "device_serial", "device_station"):
            op.add_column(table, _text(name, 64, nullable=True))
            op.create_index(f"{table}_by_{name}", table, [name], unique=False)
    op.add_column("images", _text("device_class", 16, nullable=True))


def _devices() -> None:
    op.create_table(
        "devices",
        _text("device_id", 64),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("serial_number", 64),
        _text("station_name", 64),
        _text("aet", 16),
        _text("description", 128),
        _text("device_class", 16),
        _text("owner", 64),
        _text("department", 64),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("password", "encrypted", "auto_lock")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("remote_wipe", "cloud_sync")),
        sa.Column("waived", sa.Text(), nullable=False),
        _text("status", 16),
        _text("since", 40),
        sa.Column("reason", sa.Text(), nullable=False),
        _text("recorded_at", 40),
        _text("recorded_by", 64),
        sa.PrimaryKeyConstraint("device_id", "version"),
    )
    for name in ("serial_number", "station_name", "aet"):
        op.create_index(f"devices_by_{name}", "devices", [name], unique=False)


def _operators() -> None:
    op.create_table(
        "operators",
        _text("operator_id", 64),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("name", 128),
        _text("known_as", 128),
        _text("role", 64),
        _text("active_from", 10),
        _text("active_until", 10, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        _text("recorded_at", 40),
        _text("recorded_by", 64),
        sa.PrimaryKeyConstraint("operator_id", "version"),
    )
    op.create_index("operators_by_known_as", "operators", ["known_as"], unique=False)
