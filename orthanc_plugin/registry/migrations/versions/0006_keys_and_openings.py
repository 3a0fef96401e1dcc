"""Pseudonym keys that rotate, who let more pictures of a patient leave, and who opened what was encrypted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables; a key in use before counts from the first release after this."""
    op.create_table(
        "pseudonym_keys",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("first_used_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "linkage_reviews",
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.String(length=40), nullable=False),
        sa.Column("settled_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("review_id"),
    )
    op.create_index("linkage_reviews_by_patient", "linkage_reviews", ["patient_id", "issuer"], unique=False)
    op.create_table(
        "linkage_requests",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "name"),
    )
    op.create_table(
        "openings",
        sa.Column("opening_id", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.String(length=40), nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("approved_at", sa.String(length=40), nullable=True),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.Column("opened_at", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("opening_id"),
    )
    op.create_index("openings_by_copy", "openings", ["sop_instance_uid"], unique=False)
