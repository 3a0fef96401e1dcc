"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of version 0.1.0."""
    op.create_table(
        "consents",
        sa.Column("consent_id", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.String(length=40), nullable=False),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", "version"),
    )
    op.create_index("consents_by_patient", "consents", ["patient_id", "issuer"], unique=False)
    op.create_table(
        "disclosures",
        sa.Column("disclosure_id", sa.String(length=64), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("released_uid", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("door", sa.String(length=80), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("profile", sa.String(length=80), nullable=False),
        sa.Column("consents", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("disclosure_id"),
    )
    op.create_index("disclosures_by_image", "disclosures", ["sop_instance_uid"], unique=False)
    op.create_index("disclosures_by_recipient", "disclosures", ["recipient"], unique=False)
    op.create_table(
        "images",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("accession_number", sa.String(length=64), nullable=False),
        sa.Column("orthanc_instance", sa.String(length=44), nullable=False),
        sa.Column("orthanc_series", sa.String(length=44), nullable=False),
        sa.Column("orthanc_study", sa.String(length=44), nullable=False),
        sa.Column("orthanc_patient", sa.String(length=44), nullable=False),
        sa.Column("image_type", sa.String(length=32), nullable=False),
        sa.Column("made_on", sa.String(length=10), nullable=True),
        sa.Column("made_for", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("intimate", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("consent_id", sa.String(length=256), nullable=True),
        sa.Column("received_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("sop_instance_uid"),
    )
    op.create_index("images_by_accession", "images", ["accession_number"], unique=False)
    op.create_index("images_by_instance", "images", ["orthanc_instance"], unique=False)
    op.create_index("images_by_patient", "images", ["orthanc_patient"], unique=False)
    op.create_index("images_by_series", "images", ["orthanc_series"], unique=False)
    op.create_index("images_by_series_uid", "images", ["series_instance_uid"], unique=False)
    op.create_index("images_by_study", "images", ["orthanc_study"], unique=False)
    op.create_index("images_by_study_uid", "images", ["study_instance_uid"], unique=False)
    op.create_table(
        "patients",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("birth_date", sa.String(length=10), nullable=True),
        sa.Column("death_date", sa.String(length=10), nullable=True),
        sa.Column("capacity", sa.String(length=16), nullable=False),
        sa.Column("gillick", sa.String(length=16), nullable=False),
        sa.Column("national_data_opt_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "issuer"),
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("spool_name", sa.String(length=80), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("consent_id", sa.String(length=256), nullable=True),
        sa.Column("settled_at", sa.String(length=40), nullable=True),
        sa.Column("settled_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("quarantine_id"),
        sa.UniqueConstraint("sha256", "sop_instance_uid", name="quarantine_same_object"),
    )
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("checklist", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.String(length=64), nullable=False),
        sa.Column("reviewed_at", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("review_id"),
    )
    op.create_index("reviews_by_image", "reviews", ["sop_instance_uid"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.String(length=40), nullable=False),
        sa.Column("closed_at", sa.String(length=40), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_index("tasks_by_subject", "tasks", ["kind", "subject"], unique=False)
    op.create_table(
        "trail",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("trail_by_event", "trail", ["event_id"], unique=False)
