"""By which account an object came, whose word on what patients supplied counts, and which device an account is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; of what is there nobody can say any more who sent it, and nobody has confirmed it."""
    op.add_column("quarantine", sa.Column("account", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("quarantine", sa.Column("patient_supplied", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("devices", sa.Column("account", sa.String(length=64), nullable=False, server_default=""))
    op.create_index("devices_by_account", "devices", ["account"], unique=False)
