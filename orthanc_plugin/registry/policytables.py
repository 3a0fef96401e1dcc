"""The table of the versions of policy.toml: who proposed each, and who put it in force.

Knows columns. Must not know rules. The text is kept, so that a file that was changed since counts for nothing.
"""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from orthanc_plugin.registry.tables import metadata

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    Column("replaces", String(64), nullable=False),
    Column("proposed_at", String(40), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("activated_at", String(40)),
    Column("activated_by", String(64)),
)
