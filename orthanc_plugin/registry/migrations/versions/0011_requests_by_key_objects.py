"""What workstations and other archives asked for by key objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def _words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "key_objects",
        _text("key_object_uid", 64),
        _text("study_instance_uid", 64),
        _text("title", 64),
        _words("modifiers"),
        _words("pictures"),
        _text("sender", 64),
        _text("received_at", 40),
        _text("state", 16),
        _text("purpose", 32),
        _words("reason"),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key_object_uid"),
    )
    op.create_index("key_objects_by_time", "key_objects", ["received_at"], unique=False)
    op.create_table(
        "rejections",
        _text("rejection_id", 64),
        _text("key_object_uid", 64),
        _text("sop_instance_uid", 64),
        _text("code", 16),
        _text("sender", 64),
        _text("rejected_at", 40),
        _text("was", 32),
        _text("lifted_at", 40, nullable=True),
        _text("lifted_by", 64, nullable=True),
        _words("reason", nullable=True),
        sa.PrimaryKeyConstraint("rejection_id"),
    )
    op.create_index("rejections_by_picture", "rejections", ["sop_instance_uid"], unique=False)
    op.create_index("rejections_by_key_object", "rejections", ["key_object_uid"], unique=False)
