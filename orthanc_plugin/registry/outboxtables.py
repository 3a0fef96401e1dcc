"""The tables of what is to be sent: one row for each picture and route; and until when things have been looked at.

Knows columns. Must not know rules. ``next_try`` is the database's own time (see ``outbox``): '' is at once; of a row
that is claimed, it is when the lease runs out. The fence grows whenever the row changes hands. ``archive`` is the one
that has the picture, as ``holdings`` says; '' while nobody has said.

Sources: architecture 4 (outbox), enforcement 3.6.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from orthanc_plugin.registry.tables import metadata

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("route", String(64), nullable=False),
    Column("recipient", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("queued_at", String(40), nullable=False),
    Column("changed_at", String(40), nullable=False),
    Column("next_try", String(40), nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("courier", String(64), nullable=False, server_default=""),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decision_id", String(64)),
    Column("disclosure_id", String(64)),
    Column("archive", String(64), nullable=False, server_default=""),
    UniqueConstraint("sop_instance_uid", "route", name="outbox_once"),
    Index("outbox_by_turn", "state", "archive", "priority", "next_try"),
    Index("outbox_by_study", "route", "study_instance_uid", "state", "next_try"),
)

marks = Table(
    "marks",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at", String(40), nullable=False),
)
