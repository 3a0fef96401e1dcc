"""The tables of pseudonyms and of what undoes them: keys in use, linkage reviews, re-identifications.

Knows columns. Must not know rules. No key is in any of them: a mark tells keys apart and gives none away.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from orthanc_plugin.registry.tables import metadata

pseudonym_keys = Table(
    "pseudonym_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("mark", String(64), nullable=False),
    Column("first_used_at", String(40), nullable=False),
)

linkage_reviews = Table(
    "linkage_reviews",
    metadata,
    Column("review_id", String(64), primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("settled_at", String(40), nullable=False),
    Column("settled_by", String(64), nullable=False),
    Index("linkage_reviews_by_patient", "patient_id", "issuer"),
)

linkage_requests = Table(
    "linkage_requests",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
)

openings = Table(
    "openings",
    metadata,
    Column("opening_id", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_at", String(40), nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("approved_at", String(40)),
    Column("approved_by", String(64)),
    Column("opened_at", String(40)),
    Index("openings_by_copy", "sop_instance_uid"),
)
