"""The tables of disposition: plans, their lines, decisions and approvals; what was destroyed, and the stubs left of it.

Knows columns. Must not know rules. A stub names its patient by a link id, and its pictures by digests of their UIDs.

Sources: requirements 4, steps 2 to 9.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from orthanc_plugin.registry.tables import metadata

plans = Table(
    "disposition_plans",
    metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("as_of", String(10), nullable=False),
    Column("proposed_at", String(40), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("schedule", String(128), nullable=False),
    Column("schedule_sha256", String(64), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("lines_sha256", String(64), nullable=False),
    Column("entry", BigInteger, nullable=False),
)

lines = Table(
    "disposition_lines",
    metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("study_sha256", String(64), nullable=False),
    Column("objects", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("unsized", Integer, nullable=False),
    Column("rule", String(64), nullable=False),
    Column("due_date", String(10), nullable=False),
    Column("words", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("facts_sha256", String(64), nullable=False),
    Index("disposition_lines_by_study", "study_instance_uid"),
    Index("disposition_lines_by_record", "study_sha256"),
    Index("disposition_lines_by_rule", "plan_id", "rule"),
)

decisions = Table(
    "disposition_decisions",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("plan_id", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("until", String(10)),
    Column("reason", Text, nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("decided_at", String(40), nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("place", String(64), nullable=False, server_default=""),
    Index("disposition_decisions_by_entry", "entry"),
    Index("disposition_decisions_by_line", "plan_id", "line"),
)

approvals = Table(
    "disposition_approvals",
    metadata,
    Column("approval_id", String(64), primary_key=True),
    Column("plan_id", String(64), nullable=False),
    Column("decided_sha256", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("approved_at", String(40), nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("withdrawn_by", String(64)),
    Column("withdrawn_at", String(40)),
    Column("reason", Text, nullable=False, server_default=""),
    Index("disposition_approvals_by_plan", "plan_id"),
)

batches = Table(
    "disposition_batches",
    metadata,
    Column("batch_id", String(64), primary_key=True),
    Column("plan_id", String(64), nullable=False),
    Column("begun_by", String(64), nullable=False),
    Column("begun_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("certificate", Text, nullable=False, server_default=""),
    Column("archive", String(64), nullable=False, server_default=""),
    Column("storage", Text, nullable=False, server_default=""),
    Index("disposition_batches_by_plan", "plan_id"),
)

outcomes = Table(
    "disposition_outcomes",
    metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("batch_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("marked", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Index("disposition_outcomes_by_batch", "batch_id", "state"),
)

objects = Table(
    "disposed_objects",
    metadata,
    Column("uid_sha256", String(64), primary_key=True),
    Column("orthanc_instance", String(44), nullable=False),
    Column("plan_id", String(64), nullable=False),
    Column("line", Integer, nullable=False),
    Column("stub_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("files", Text, nullable=False),
    Index("disposed_objects_by_instance", "orthanc_instance"),
    Index("disposed_objects_by_line", "plan_id", "line"),
    Index("disposed_objects_by_stub", "stub_id"),
)

stubs = Table(
    "disposition_stubs",
    metadata,
    Column("stub_id", String(64), primary_key=True),
    Column("link_id", String(64), nullable=False),
    Column("certificate", String(64), nullable=False),
    Column("plan_id", String(64), nullable=False),
    Column("objects", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("uids_sha256", String(64), nullable=False),
    Column("acquired", String(4), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("schedule", String(128), nullable=False),
    Column("due_date", String(10), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", String(40), nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("decided_at", String(40), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("approved_at", String(40), nullable=False),
    Column("executed_by", String(64), nullable=False),
    Column("executed_at", String(40), nullable=False),
    Column("method", String(256), nullable=False),
    Column("holds", Text, nullable=False),
    Index("disposition_stubs_by_link", "link_id"),
    Index("disposition_stubs_by_certificate", "certificate"),
)

links = Table(
    "disposition_links",
    metadata,
    Column("patient_id", String(64), primary_key=True),
    Column("issuer", String(64), primary_key=True),
    Column("link_id", String(64), nullable=False),
    Index("disposition_links_by_link", "link_id"),
)
