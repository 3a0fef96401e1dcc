"""Which archive has a picture, where several nodes with archives of their own share the registry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the table; each archive writes down what it has when it starts."""
    op.create_table(
        "archive_holdings",
        sa.Column("orthanc_instance", sa.String(length=64), primary_key=True),
        sa.Column("archive", sa.String(length=64), nullable=False),
    )
    op.create_index("archive_holdings_by_archive", "archive_holdings", ["archive"])
