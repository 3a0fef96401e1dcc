"""The table of transfers: each record that was made into a bag for a place of deposit, and the receipt for it.

Knows columns. Must not know bags. No row names a patient: the record is known by its line in a plan.

Source: requirements 4, step 11.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from orthanc_plugin.registry.tables import metadata

transfers = Table(
    "disposition_transfers",
    metadata,
    Column("transfer_id", String(64), primary_key=True),
    Column("plan_id", String(64), nullable=False),
    Column("line", Integer, nullable=False),
    Column("decision_id", String(64), nullable=False),
    Column("study_sha256", String(64), nullable=False),
    Column("place", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("begun_by", String(64), nullable=False),
    Column("begun_at", String(40), nullable=False),
    Column("objects", Integer, nullable=False),
    Column("exported_at", String(40), nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("bag_sha256", String(64), nullable=False, server_default=""),
    Column("receipt_sha256", String(64), nullable=False, server_default=""),
    Column("received_by", String(64), nullable=False, server_default=""),
    Column("received_on", String(10), nullable=False, server_default=""),
    Column("entered_by", String(64), nullable=False, server_default=""),
    Column("entered_at", String(40), nullable=False, server_default=""),
    Column("confirmed_by", String(64), nullable=False, server_default=""),
    Column("confirmed_at", String(40), nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Index("disposition_transfers_by_line", "plan_id", "line"),
    Index("disposition_transfers_by_state", "state"),
)
