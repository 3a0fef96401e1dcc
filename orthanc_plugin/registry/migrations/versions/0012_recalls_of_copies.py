"""How copies are had back: who is asked for which, and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def _text(name: str, length: int, default: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable, server_default=default)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    """Add the recalls and the copies that they ask for."""
    op.create_table(
        "recalls",
        _text("recall_id", 64),
        _text("recipient", 64),
        _text("cause", 16),
        _text("subject", 256),
        _text("method", 8),
        _text("standing", 16),
        _text("opened_at", 40),
        _text("opened_by", 64),
        _text("due_at", 40),
        _text("notified_at", 40, nullable=True),
        _number("reminders"),
        _text("reminded_at", 40, nullable=True),
        _text("settled_at", 40, nullable=True),
        _text("settled_by", 64, nullable=True),
        _words("how"),
        _text("next_try", 40, nullable=True),
        _number("attempts"),
        _text("courier", 64, ""),
        _number("fence"),
        _words("problem"),
        sa.PrimaryKeyConstraint("recall_id"),
    )
    op.create_index("recalls_by_turn", "recalls", ["next_try"], unique=False)
    op.create_index("recalls_by_recipient", "recalls", ["recipient", "standing"], unique=False)
    op.create_index("recalls_by_subject", "recalls", ["subject"], unique=False)
    op.create_table(
        "recall_copies",
        _text("disclosure_id", 64),
        _text("recall_id", 64),
        _text("patient_id", 64, ""),
        _text("issuer", 64, ""),
        _text("study_instance_uid", 64, ""),
        _text("series_instance_uid", 64, ""),
        sa.PrimaryKeyConstraint("disclosure_id"),
    )
    op.create_index("recall_copies_by_recall", "recall_copies", ["recall_id"], unique=False)
