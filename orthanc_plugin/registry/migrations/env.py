"""Alembic's entry: runs the migrations on the connection it is handed."""

from __future__ import annotations

from alembic import context

from orthanc_plugin.registry import (  # noqa: F401 - so that their tables are in the metadata
    holdings,
    keptcopytables,
    linetables,
    retentiontables,
    storagetables,
    transfertables,
)
from orthanc_plugin.registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
