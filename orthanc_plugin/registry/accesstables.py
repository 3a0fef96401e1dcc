"""The tables of subject access: who asked for their own copy, and what was checked before it is made.

Knows columns. Must not know rules. Source: requirements 2.6 R3; UK GDPR articles 12 and 15.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from orthanc_plugin.registry.tables import metadata

access_requests = Table(
    "access_requests",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("audience", String(32), nullable=False),
    Column("handover", String(16), nullable=False),
    Column("received_on", String(10), nullable=False),
    Column("note", Text, nullable=False),
    Column("opened_at", String(40), nullable=False),
    Column("opened_by", String(64), nullable=False),
    Column("closed_at", String(40)),
    Column("closed_by", String(64)),
    Column("outcome", Text),
    Index("access_requests_by_patient", "patient_id", "issuer"),
)

access_checks = Table(
    "access_checks",
    metadata,
    Column("check_id", String(64), primary_key=True),
    Column("request_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("finding", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("checked_at", String(40), nullable=False),
    Column("checked_by", String(64), nullable=False),
    Index("access_checks_by_request", "request_id", "sop_instance_uid"),
)
