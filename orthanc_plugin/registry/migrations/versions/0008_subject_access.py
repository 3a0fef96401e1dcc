"""Who asked for what left, under which version of a consent; subject access and what is checked before it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    """Add the columns and tables; of what left before nobody can say any more who asked."""
    op.add_column("disclosures", _text("requester", 64, nullable=True))
    op.add_column("disclosures", sa.Column("consent_versions", sa.Text(), nullable=True))
    _requests()
    _checks()


def _requests() -> None:
    op.create_table(
        "access_requests",
        _text("request_id", 64),
        _text("patient_id", 64),
        _text("issuer", 64),
        _text("audience", 32),
        _text("handover", 16),
        _text("received_on", 10),
        sa.Column("note", sa.Text(), nullable=False),
        _text("opened_at", 40),
        _text("opened_by", 64),
        _text("closed_at", 40, nullable=True),
        _text("closed_by", 64, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("access_requests_by_patient", "access_requests", ["patient_id", "issuer"], unique=False)


def _checks() -> None:
    op.create_table(
        "access_checks",
        _text("check_id", 64),
        _text("request_id", 64),
        _text("kind", 16),
        _text("sop_instance_uid", 64),
        _text("sha256", 64),
        _text("finding", 16),
        sa.Column("reason", sa.Text(), nullable=False),
        _text("checked_at", 40),
        _text("checked_by", 64),
        sa.PrimaryKeyConstraint("check_id"),
    )
    op.create_index("access_checks_by_request", "access_checks", ["request_id", "sop_instance_uid"], unique=False)
