"""The tables of the keys that Orthanc's files are encrypted with: data keys, and the site keys that wrap them.

Knows columns. Must not know rules. No key is in any of them in clear: a data key is wrapped, a site key has a mark.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from orthanc_plugin.registry.tables import metadata

storage_site_keys = Table(
    "storage_site_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("mark", String(32), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", String(40), nullable=False),
    Column("approved_by", String(64)),
    Column("approved_at", String(40)),
    Column("retired_at", String(40)),
)

# Of a destroyed key, the row says that it was and when: neither the key nor whose it was is left in it.
storage_keys = Table(
    "storage_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("subject", String(64)),
    Column("wrapped", String(160)),
    Column("site_key", String(32), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("destroyed_at", String(40)),
    Index("storage_keys_by_subject", "kind", "subject", unique=True),
    Index("storage_keys_by_site_key", "site_key", "destroyed_at"),
)
