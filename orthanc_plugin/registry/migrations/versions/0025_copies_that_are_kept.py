"""Anonymised copies that were made and proven, kept sealed beside the registry, and those that are to be made ahead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0020"


def upgrade() -> None:
    """Add the tables; rows come by themselves."""
    op.create_table(
        "kept_copies",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("file", sa.String(length=32), nullable=False, unique=True),
        sa.Column("name", sa.String(length=64), nullable=False, unique=True),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.String(length=40), nullable=False),
    )
    op.create_index("kept_copies_of_picture", "kept_copies", ["sop_instance_uid"])
    op.create_table(
        "wanted_copies",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.String(length=40), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.String(length=40), nullable=False),
        sa.UniqueConstraint("sop_instance_uid", "profile"),
    )
