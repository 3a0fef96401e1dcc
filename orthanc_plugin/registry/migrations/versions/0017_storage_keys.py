"""The keys that Orthanc's files are encrypted with, wrapped, and the site keys that wrap them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "storage_site_keys",
        _text("name", 64),
        _text("mark", 32),
        _text("proposed_by", 64),
        _text("proposed_at", 40),
        _text("approved_by", 64, nullable=True),
        _text("approved_at", 40, nullable=True),
        _text("retired_at", 40, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "storage_keys",
        _text("key_id", 32),
        _text("kind", 8),
        _text("subject", 64, nullable=True),
        _text("wrapped", 160, nullable=True),
        _text("site_key", 32),
        _text("created_at", 40),
        _text("destroyed_at", 40, nullable=True),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index("storage_keys_by_subject", "storage_keys", ["kind", "subject"], unique=True)
    op.create_index("storage_keys_by_site_key", "storage_keys", ["site_key", "destroyed_at"], unique=False)
