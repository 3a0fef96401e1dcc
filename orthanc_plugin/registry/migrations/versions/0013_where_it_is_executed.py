"""In which archive a plan is executed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the archive and its folder to each execution; of those that have ended nobody asks any more."""
    op.add_column("disposition_batches", sa.Column("archive", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("disposition_batches", sa.Column("storage", sa.Text(), nullable=False, server_default=""))
