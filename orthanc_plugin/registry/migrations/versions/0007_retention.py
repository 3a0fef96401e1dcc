"""Facts, holds, plans, stubs and certificates of retention and disposition."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _word(name: str, length: int = 64, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    """Add what retention and disposition keep; of old pictures nobody knows the size."""
    _retention()
    _disposition()
    op.add_column("images", sa.Column("size", sa.BigInteger(), nullable=True))


def _disposition() -> None:
    """Add plans with their lines, decisions and approvals; what was destroyed, and the stubs that are left of it."""
    op.create_table(
        "disposition_plans",
        _word("plan_id"),
        _word("as_of", 10),
        _word("proposed_at", 40),
        _word("proposed_by"),
        _word("schedule", 128),
        _word("schedule_sha256"),
        sa.Column("lines", sa.Integer(), nullable=False),
        _word("lines_sha256"),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_table(
        "disposition_lines",
        _word("plan_id"),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        _word("study_instance_uid"),
        _word("study_sha256"),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("unsized", sa.Integer(), nullable=False),
        _word("rule"),
        _word("due_date", 10),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        _word("facts_sha256"),
        sa.PrimaryKeyConstraint("plan_id", "line"),
    )
    op.create_index("disposition_lines_by_study", "disposition_lines", ["study_instance_uid"], unique=False)
    op.create_index("disposition_lines_by_record", "disposition_lines", ["study_sha256"], unique=False)
    op.create_index("disposition_lines_by_rule", "disposition_lines", ["plan_id", "rule"], unique=False)
    _decided()
    _executed()
    _left()


def _decided() -> None:
    op.create_table(
        "disposition_decisions",
        _word("decision_id"),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        _word("plan_id"),
        _word("action", 16),
        _word("until", 10, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        _word("decided_by"),
        _word("decided_at", 40),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "line"),
    )
    op.create_index("disposition_decisions_by_entry", "disposition_decisions", ["entry"], unique=False)
    op.create_index("disposition_decisions_by_line", "disposition_decisions", ["plan_id", "line"], unique=False)
    op.create_table(
        "disposition_approvals",
        _word("approval_id"),
        _word("plan_id"),
        _word("decided_sha256"),
        _word("approved_by"),
        _word("approved_at", 40),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        _word("withdrawn_by", nullable=True),
        _word("withdrawn_at", 40, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    op.create_index("disposition_approvals_by_plan", "disposition_approvals", ["plan_id"], unique=False)


def _executed() -> None:
    op.create_table(
        "disposition_batches",
        _word("batch_id"),
        _word("plan_id"),
        _word("begun_by"),
        _word("begun_at", 40),
        _word("ended_at", 40, nullable=True),
        sa.Column("certificate", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("disposition_batches_by_plan", "disposition_batches", ["plan_id"], unique=False)
    op.create_table(
        "disposition_outcomes",
        _word("plan_id"),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        _word("batch_id"),
        _word("state", 16),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("marked", sa.Text(), nullable=False),
        _word("at", 40),
        sa.PrimaryKeyConstraint("plan_id", "line"),
    )
    op.create_index("disposition_outcomes_by_batch", "disposition_outcomes", ["batch_id", "state"], unique=False)
    op.create_table(
        "disposed_objects",
        _word("uid_sha256"),
        _word("orthanc_instance", 44),
        _word("plan_id"),
        sa.Column("line", sa.Integer(), nullable=False),
        _word("stub_id"),
        _word("state", 16),
        sa.Column("files", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid_sha256"),
    )
    op.create_index("disposed_objects_by_instance", "disposed_objects", ["orthanc_instance"], unique=False)
    op.create_index("disposed_objects_by_line", "disposed_objects", ["plan_id", "line"], unique=False)
    op.create_index("disposed_objects_by_stub", "disposed_objects", ["stub_id"], unique=False)


def _left() -> None:
    op.create_table(
        "disposition_stubs",
        *(_word(name) for name in ("stub_id", "link_id", "certificate", "plan_id")),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        _word("uids_sha256"),
        _word("acquired", 4),
        _word("rule"),
        _word("schedule", 128),
        _word("due_date", 10),
        *(
            column
            for act in ("proposed", "decided", "approved", "executed")
            for column in (_word(f"{act}_by"), _word(f"{act}_at", 40))
        ),
        _word("method", 256),
        sa.Column("holds", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stub_id"),
    )
    op.create_index("disposition_stubs_by_link", "disposition_stubs", ["link_id"], unique=False)
    op.create_index("disposition_stubs_by_certificate", "disposition_stubs", ["certificate"], unique=False)
    op.create_table(
        "disposition_links",
        *(_word(name) for name in ("patient_id", "issuer", "link_id")),
        sa.PrimaryKeyConstraint("patient_id", "issuer"),
    )
    op.create_index("disposition_links_by_link", "disposition_links", ["link_id"], unique=False)


def _retention() -> None:
    """Add facts as feeds told them, feeds, holds, and versions of the schedule."""
    op.create_table(
        "retention_facts",
        _word("patient_id"),
        _word("issuer"),
        _word("source"),
        _word("trial_id"),
        _word("fact_id"),
        _word("first_contact", 10, nullable=True),
        _word("last_contact", 10, nullable=True),
        sa.Column("open_episode", sa.Integer(), nullable=True),
        sa.Column("categories", sa.Text(), nullable=True),
        _word("cancer_diagnosis", 10, nullable=True),
        _word("trial_regime", nullable=True),
        _word("trial_concluded", 10, nullable=True),
        sa.Column("ma_open_at_expiry", sa.Integer(), nullable=True),
        _word("ma_granted", 10, nullable=True),
        sa.Column("departments", sa.Text(), nullable=True),
        sa.Column("procedures", sa.Text(), nullable=True),
        sa.Column("blood_products", sa.Text(), nullable=True),
        _word("told_at", 40),
        _word("recorded_at", 40),
        _word("recorded_by"),
        sa.PrimaryKeyConstraint("patient_id", "issuer", "source", "trial_id"),
    )
    op.create_table(
        "retention_feeds",
        _word("source"),
        _word("told_at", 40),
        _word("recorded_at", 40),
        _word("recorded_by"),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "holds",
        _word("hold_id"),
        _word("kind", 32),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _word("review_on", 10),
        sa.Column("patients", sa.Text(), nullable=False),
        sa.Column("population", sa.Text(), nullable=False),
        _word("placed_at", 40),
        _word("placed_by"),
        _word("lifted_at", 40, nullable=True),
        _word("lifted_by", nullable=True),
        sa.Column("lift_authority", sa.Text(), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("hold_id"),
    )
    op.create_index("holds_by_end", "holds", ["lifted_at"])
    op.create_table(
        "retention_schedules",
        _word("digest"),
        _word("version"),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("moved", sa.Text(), nullable=False),
        _word("proposed_at", 40),
        _word("proposed_by"),
        _word("activated_at", 40, nullable=True),
        _word("activated_by", nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("retention_schedules_by_activation", "retention_schedules", ["activated_at"])
