"""Alembic's entry: runs the migrations on the connection it is handed."""

from __future__ import annotations

from alembic import context

from orthanc_plugin.registry import retentiontables  # noqa: F401 - so that its tables are in the metadata
from orthanc_plugin.registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
