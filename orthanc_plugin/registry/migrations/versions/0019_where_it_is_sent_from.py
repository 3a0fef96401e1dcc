"""Which archive has a picture that is to be sent, so that only a courier beside it claims the row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

PLACES = """
UPDATE outbox SET archive = archive_holdings.archive FROM images, archive_holdings
WHERE images.sop_instance_uid = outbox.sop_instance_uid
AND archive_holdings.orthanc_instance = images.orthanc_instance
"""


def upgrade() -> None:
    """Add the column, from what each archive has said, and have turns go by it."""
    op.add_column("outbox", sa.Column("archive", sa.String(length=64), nullable=False, server_default=""))
    op.execute(sa.text(PLACES))
    op.drop_index("outbox_by_turn", "outbox")
    op.create_index("outbox_by_turn", "outbox", ["state", "archive", "priority", "next_try"], unique=False)
