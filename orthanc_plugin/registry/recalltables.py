"""The tables of recalls: one row for each recipient that is asked, and the copies that it is asked for.

Knows columns. Must not know rules. ``next_try`` is when a notice is to go out, '' at once, none when nothing is to go
out by itself; of a row that is claimed, when the lease runs out. The fence grows whenever the row changes hands. Where
the pictures were filed is kept beside a copy only when the picture itself is destroyed, until the notice is out.

Sources: requirements 2.9 (recall), G-19.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from orthanc_plugin.registry.tables import metadata

recalls = Table(
    "recalls",
    metadata,
    Column("recall_id", String(64), primary_key=True),
    Column("recipient", String(64), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("method", String(8), nullable=False),
    Column("standing", String(16), nullable=False),
    Column("opened_at", String(40), nullable=False),
    Column("opened_by", String(64), nullable=False),
    Column("due_at", String(40), nullable=False),
    Column("notified_at", String(40)),
    Column("reminders", Integer, nullable=False, server_default="0"),
    Column("reminded_at", String(40)),
    Column("settled_at", String(40)),
    Column("settled_by", String(64)),
    Column("how", Text, nullable=False, server_default=""),
    Column("next_try", String(40)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("courier", String(64), nullable=False, server_default=""),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("problem", Text, nullable=False, server_default=""),
    Index("recalls_by_turn", "next_try"),
    Index("recalls_by_recipient", "recipient", "standing"),
    Index("recalls_by_subject", "subject"),
)

recall_copies = Table(
    "recall_copies",
    metadata,
    Column("disclosure_id", String(64), primary_key=True),
    Column("recall_id", String(64), nullable=False),
    Column("patient_id", String(64), nullable=False, server_default=""),
    Column("issuer", String(64), nullable=False, server_default=""),
    Column("study_instance_uid", String(64), nullable=False, server_default=""),
    Column("series_instance_uid", String(64), nullable=False, server_default=""),
    Index("recall_copies_by_recall", "recall_id"),
)
