"""By which account a filed picture came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; of what is there nobody can say any more who sent it."""
    op.add_column("images", sa.Column("account", sa.String(length=64), nullable=False, server_default=""))
    op.create_index("images_by_account", "images", ["account"], unique=False)
