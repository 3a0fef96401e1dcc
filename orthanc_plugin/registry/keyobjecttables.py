"""The tables of key objects: what each asked for and what came of it, and the pictures that other archives rejected.

Knows columns. Must not know rules. ``pictures`` is a list of SOP Instance UIDs; ``was`` is where the picture stood when
it was rejected, '' of one that wasn't here.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from orthanc_plugin.registry.tables import metadata

key_objects = Table(
    "key_objects",
    metadata,
    Column("key_object_uid", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("title", String(64), nullable=False),
    Column("modifiers", Text, nullable=False),
    Column("pictures", Text, nullable=False),
    Column("sender", String(64), nullable=False),
    Column("received_at", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("queued", Integer, nullable=False),
    Index("key_objects_by_time", "received_at"),
)

rejections = Table(
    "rejections",
    metadata,
    Column("rejection_id", String(64), primary_key=True),
    Column("key_object_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("code", String(16), nullable=False),
    Column("sender", String(64), nullable=False),
    Column("rejected_at", String(40), nullable=False),
    Column("was", String(32), nullable=False),
    Column("lifted_at", String(40)),
    Column("lifted_by", String(64)),
    Column("reason", Text),
    Index("rejections_by_picture", "sop_instance_uid"),
    Index("rejections_by_key_object", "key_object_uid"),
)
