"""The life of a consent: merges, authorities, emergency access, approvals, tasks with owners, replay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    """Add what version 0.2.0 needs; nothing that is there is changed but its width."""
    _patients()
    _images()
    _disclosures_and_tasks()
    _authority()
    _captures()
    _replay_and_import()


def _patients() -> None:
    for name, length in (("merged_into_id", 64), ("merged_into_issuer", 64), ("fed_at", 40)):
        op.add_column("patients", _text(name, length, nullable=True))
    op.create_index("patients_by_survivor", "patients", ["merged_into_id", "merged_into_issuer"], unique=False)
    op.create_table(
        "patient_changes",
        _text("change_id", 64),
        _text("patient_id", 64),
        _text("issuer", 64),
        _text("sop_instance_uid", 64, nullable=True),
        _text("field", 32),
        _text("old", 128, nullable=True),
        _text("new", 128, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        _text("changed_at", 40),
        _text("changed_by", 64),
        sa.PrimaryKeyConstraint("change_id"),
    )
    op.create_index("patient_changes_by_patient", "patient_changes", ["patient_id", "issuer"], unique=False)


def _images() -> None:
    for name in ("covert", "familial", "legacy"):
        op.add_column("images", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("images", sa.Column("shows", sa.Text(), nullable=False, server_default="[]"))
    op.create_index("images_by_patient_id", "images", ["patient_id", "issuer"], unique=False)


def _disclosures_and_tasks() -> None:
    with op.batch_alter_table("disclosures") as disclosures:
        for name, narrow, wide in (("form", 16, 32), ("door", 80, 160)):
            disclosures.alter_column(
                name, existing_type=sa.String(narrow), type_=sa.String(length=wide), existing_nullable=False
            )
    op.add_column("disclosures", sa.Column("kind", sa.String(length=16), nullable=False, server_default="COPY"))
    op.add_column("disclosures", sa.Column("key_destroyed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("disclosures", sa.Column("recall", sa.String(length=16), nullable=False, server_default="NONE"))
    with op.batch_alter_table("tasks") as tasks:
        tasks.alter_column(
            "subject", existing_type=sa.String(length=64), type_=sa.String(length=256), existing_nullable=False
        )
        tasks.add_column(sa.Column("owner", sa.String(length=64), nullable=False, server_default=""))
        tasks.add_column(_text("due_at", 40, nullable=True))
        tasks.add_column(_text("not_by", 64, nullable=True))
        tasks.add_column(sa.Column("note", sa.Text(), nullable=False, server_default=""))


def _authority() -> None:
    op.create_table(
        "authorities",
        _text("authority_id", 64),
        _text("type", 32),
        _text("patient_id", 64),
        _text("issuer", 64),
        sa.Column("targets", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        _text("requested_by", 64, nullable=True),
        _text("approved_by", 64, nullable=True),
        sa.Column("notify_prohibited", sa.Integer(), nullable=False),
        _text("valid_from", 10),
        _text("valid_to", 10, nullable=True),
        _text("recorded_at", 40),
        _text("recorded_by", 64),
        _text("verified_at", 40, nullable=True),
        _text("verified_by", 64, nullable=True),
        _text("ended_at", 40, nullable=True),
        _text("ended_by", 64, nullable=True),
        sa.PrimaryKeyConstraint("authority_id"),
    )
    op.create_index("authorities_by_patient", "authorities", ["patient_id", "issuer"], unique=False)
    op.create_table(
        "break_glass",
        _text("grant_id", 64),
        _text("patient_id", 64),
        _text("issuer", 64),
        _text("account", 64),
        sa.Column("reason", sa.Text(), nullable=False),
        _text("granted_at", 40),
        _text("ends_at", 40),
        _text("granted_by", 64),
        _text("reviewed_at", 40, nullable=True),
        _text("reviewed_by", 64, nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("grant_id"),
    )
    op.create_index("break_glass_by_account", "break_glass", ["account", "patient_id", "issuer"], unique=False)


def _captures() -> None:
    op.create_table(
        "capture_stops",
        _text("stop_id", 64),
        _text("study_instance_uid", 64),
        _text("kind", 32),
        sa.Column("reason", sa.Text(), nullable=False),
        _text("stopped_at", 40),
        _text("stopped_by", 64),
        sa.PrimaryKeyConstraint("stop_id"),
    )
    op.create_index("capture_stops_by_study", "capture_stops", ["study_instance_uid"], unique=False)
    op.add_column("quarantine", _text("approve_by", 40, nullable=True))
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.alter_column(
            "status", existing_type=sa.String(length=16), type_=sa.String(length=32), existing_nullable=False
        )
        lengths = {
            "study_instance_uid": 64,
            "series_instance_uid": 64,
            "patient_id": 64,
            "issuer": 64,
            "refers_to": 256,
        }
        for name, length in lengths.items():
            quarantine.add_column(sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
    op.create_index("quarantine_by_study", "quarantine", ["study_instance_uid"], unique=False)
    op.create_index("quarantine_by_status", "quarantine", ["status"], unique=False)


def _replay_and_import() -> None:
    op.create_table(
        "snapshots",
        _text("digest", 64),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "imported_rows",
        _text("digest", 64),
        _text("kind", 16),
        _text("outcome", 256),
        _text("imported_at", 40),
        _text("imported_by", 64),
        sa.PrimaryKeyConstraint("digest"),
    )
