"""Tables of copies that are kept sealed, and of those that are to be made ahead.

Knows columns. Must not know rules, files nor keys.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, UniqueConstraint

from orthanc_plugin.registry.tables import metadata

kept_copies = Table(
    "kept_copies",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("file", String(32), nullable=False, unique=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("place", String(32), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("made_at", String(40), nullable=False),
    Index("kept_copies_of_picture", "sop_instance_uid"),
)

wanted_copies = Table(
    "wanted_copies",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("asked_at", String(40), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", String(40), nullable=False),
    UniqueConstraint("sop_instance_uid", "profile"),
)
