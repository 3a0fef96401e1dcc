"""The table of those who asked for anonymised copies that wait for somebody to look at the picture.

Knows columns. Must not know rules.
"""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from orthanc_plugin.registry.tables import metadata

review_requests = Table(
    "review_requests",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("requester", String(64), primary_key=True),
    Column("recipient", String(64), primary_key=True),
    Column("purpose", String(32), primary_key=True),
    Column("profile", String(64), nullable=False),
    Column("asked_at", String(40), nullable=False),
)
