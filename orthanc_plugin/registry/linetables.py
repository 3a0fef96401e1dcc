"""The table of retention's lines: what was last reckoned of each record, so that a plan needn't reckon a million.

Knows columns. Must not know rules. Triggers of the database empty ``basis`` and count up ``turn`` in the transaction
that changes anything a line rests on; they are in migration 0015.

Source: requirements T-9; ADR 42.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from orthanc_plugin.registry.tables import metadata

retention_lines = Table(
    "retention_lines",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("basis", String(64), nullable=False, server_default=""),
    Column("turn", Integer, nullable=False, server_default="0"),
    Column("proposable_from", String(10)),
    Column("alone", Integer, nullable=False, server_default="0"),
    Column("held", Integer, nullable=False, server_default="0"),
    Column("holds", String(64), nullable=False, server_default=""),
    Column("objects", Integer, nullable=False, server_default="0"),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("unsized", Integer, nullable=False, server_default="0"),
    Column("rule", String(64), nullable=False, server_default=""),
    Column("due_date", String(10), nullable=False, server_default=""),
    Column("words", Text, nullable=False, server_default=""),
    Column("flags", Text, nullable=False, server_default="[]"),
    Column("facts_sha256", String(64), nullable=False, server_default=""),
    Index("retention_lines_by_date", "basis", "proposable_from", "holds", "study_instance_uid"),
)
