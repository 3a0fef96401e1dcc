"""How pictures' streams came out when they were written anew: a memory that spares writing them a second time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the table; rows come by themselves."""
    op.create_table(
        "stream_recipes",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=64), nullable=False, unique=True),
        sa.Column("sealed", sa.Text(), nullable=False),
    )
