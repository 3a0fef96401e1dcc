"""The tables of retention: facts as feeds told them, feeds, holds, and versions of the schedule.

Knows columns. Must not know rules. Disposals have tables of their own. Source: requirements T-7, T-11, T-12.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from orthanc_plugin.registry.tables import metadata

retention_facts = Table(
    "retention_facts",
    metadata,
    Column("patient_id", String(64), primary_key=True),
    Column("issuer", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("trial_id", String(64), primary_key=True),
    Column("fact_id", String(64), nullable=False),
    Column("first_contact", String(10)),
    Column("last_contact", String(10)),
    Column("open_episode", Integer),
    Column("categories", Text),
    Column("cancer_diagnosis", String(10)),
    Column("trial_regime", String(64)),
    Column("trial_concluded", String(10)),
    Column("ma_open_at_expiry", Integer),
    Column("ma_granted", String(10)),
    Column("departments", Text),
    Column("procedures", Text),
    Column("blood_products", Text),
    Column("told_at", String(40), nullable=False),
    Column("recorded_at", String(40), nullable=False),
    Column("recorded_by", String(64), nullable=False),
    Column("taken_back", Text),
    Column("agreed_at", String(40)),
    Column("agreed_by", String(64)),
)

retention_feeds = Table(
    "retention_feeds",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("told_at", String(40), nullable=False),
    Column("recorded_at", String(40), nullable=False),
    Column("recorded_by", String(64), nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("hold_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("authority", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("review_on", String(10), nullable=False),
    Column("patients", Text, nullable=False),
    Column("population", Text, nullable=False),
    Column("placed_at", String(40), nullable=False),
    Column("placed_by", String(64), nullable=False),
    Column("lifted_at", String(40)),
    Column("lifted_by", String(64)),
    Column("lift_authority", Text),
    Column("lift_reason", Text),
    Index("holds_by_end", "lifted_at"),
)

retention_schedules = Table(
    "retention_schedules",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("moved", Text, nullable=False),
    Column("proposed_at", String(40), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("activated_at", String(40)),
    Column("activated_by", String(64)),
    Index("retention_schedules_by_activation", "activated_at"),
)
