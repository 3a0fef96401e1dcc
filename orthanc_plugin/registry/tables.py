"""The tables of the registry (SQLAlchemy Core).

Knows columns. Must not know rules. Moments are ISO 8601 text in UTC, dates ISO text, so that SQLite and PostgreSQL hold
the same bytes and the trail's digests can be recomputed anywhere.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

patients = Table(
    "patients",
    metadata,
    Column("patient_id", String(64), primary_key=True),
    Column("issuer", String(64), primary_key=True),
    Column("birth_date", String(10)),
    Column("death_date", String(10)),
    Column("capacity", String(16), nullable=False),
    Column("gillick", String(16), nullable=False),
    Column("national_data_opt_out", Integer, nullable=False),
    Column("merged_into_id", String(64)),
    Column("merged_into_issuer", String(64)),
    Column("fed_at", String(40)),
    Index("patients_by_survivor", "merged_into_id", "merged_into_issuer"),
)

patient_changes = Table(
    "patient_changes",
    metadata,
    Column("change_id", String(64), primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("sop_instance_uid", String(64)),
    Column("field", String(32), nullable=False),
    Column("old", String(128)),
    Column("new", String(128)),
    Column("reason", Text, nullable=False),
    Column("changed_at", String(40), nullable=False),
    Column("changed_by", String(64), nullable=False),
    Index("patient_changes_by_patient", "patient_id", "issuer"),
)

consents = Table(
    "consents",
    metadata,
    Column("consent_id", String(256), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("record", Text, nullable=False),
    Column("recorded_at", String(40), nullable=False),
    Column("recorded_by", String(64), nullable=False),
    Index("consents_by_patient", "patient_id", "issuer"),
)

images = Table(
    "images",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("series_instance_uid", String(64), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("accession_number", String(64), nullable=False),
    Column("orthanc_instance", String(44), nullable=False),
    Column("orthanc_series", String(44), nullable=False),
    Column("orthanc_study", String(44), nullable=False),
    Column("orthanc_patient", String(44), nullable=False),
    Column("image_type", String(32), nullable=False),
    Column("made_on", String(10)),
    Column("made_for", String(16), nullable=False),
    Column("source", String(32), nullable=False),
    Column("intimate", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("consent_id", String(256)),
    Column("received_at", String(40), nullable=False),
    Column("covert", Integer, nullable=False, server_default="0"),
    Column("familial", Integer, nullable=False, server_default="0"),
    Column("legacy", Integer, nullable=False, server_default="0"),
    Column("shows", Text, nullable=False, server_default="[]"),
    Index("images_by_instance", "orthanc_instance"),
    Index("images_by_series", "orthanc_series"),
    Index("images_by_study", "orthanc_study"),
    Index("images_by_patient", "orthanc_patient"),
    Index("images_by_series_uid", "series_instance_uid"),
    Index("images_by_study_uid", "study_instance_uid"),
    Index("images_by_accession", "accession_number"),
    Index("images_by_patient_id", "patient_id", "issuer"),
)

authorities = Table(
    "authorities",
    metadata,
    Column("authority_id", String(64), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("targets", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("requested_by", String(64)),
    Column("approved_by", String(64)),
    Column("notify_prohibited", Integer, nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_to", String(10)),
    Column("recorded_at", String(40), nullable=False),
    Column("recorded_by", String(64), nullable=False),
    Column("verified_at", String(40)),
    Column("verified_by", String(64)),
    Column("ended_at", String(40)),
    Column("ended_by", String(64)),
    Index("authorities_by_patient", "patient_id", "issuer"),
)

break_glass = Table(
    "break_glass",
    metadata,
    Column("grant_id", String(64), primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("granted_at", String(40), nullable=False),
    Column("ends_at", String(40), nullable=False),
    Column("granted_by", String(64), nullable=False),
    Column("reviewed_at", String(40)),
    Column("reviewed_by", String(64)),
    Column("finding", Text),
    Index("break_glass_by_account", "account", "patient_id", "issuer"),
)

capture_stops = Table(
    "capture_stops",
    metadata,
    Column("stop_id", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("stopped_at", String(40), nullable=False),
    Column("stopped_by", String(64), nullable=False),
    Index("capture_stops_by_study", "study_instance_uid"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("checklist", Text, nullable=False),
    Column("reviewer", String(64), nullable=False),
    Column("reviewed_at", String(40), nullable=False),
    Column("note", Text, nullable=False),
    Index("reviews_by_image", "sop_instance_uid"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("spool_name", String(80), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("origin", String(32), nullable=False),
    Column("received_at", String(40), nullable=False),
    Column("status", String(32), nullable=False),
    Column("consent_id", String(256)),
    Column("settled_at", String(40)),
    Column("settled_by", String(64)),
    Column("approve_by", String(40)),
    Column("study_instance_uid", String(64), nullable=False, server_default=""),
    Column("series_instance_uid", String(64), nullable=False, server_default=""),
    Column("patient_id", String(64), nullable=False, server_default=""),
    Column("issuer", String(64), nullable=False, server_default=""),
    Column("refers_to", String(256), nullable=False, server_default=""),
    UniqueConstraint("sha256", "sop_instance_uid", name="quarantine_same_object"),
    Index("quarantine_by_study", "study_instance_uid"),
    Index("quarantine_by_status", "status"),
)

disclosures = Table(
    "disclosures",
    metadata,
    Column("disclosure_id", String(64), primary_key=True),
    Column("decision_id", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("released_uid", String(64), nullable=False),
    Column("recipient", String(64), nullable=False),
    Column("door", String(160), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("form", String(32), nullable=False),
    Column("profile", String(80), nullable=False),
    Column("consents", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("at", String(40), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("kind", String(16), nullable=False, server_default="COPY"),
    Column("key_destroyed", Integer, nullable=False, server_default="0"),
    Column("recall", String(16), nullable=False, server_default="NONE"),
    Index("disclosures_by_image", "sop_instance_uid"),
    Index("disclosures_by_recipient", "recipient"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened_at", String(40), nullable=False),
    Column("closed_at", String(40)),
    Column("closed_by", String(64)),
    Column("owner", String(64), nullable=False, server_default=""),
    Column("due_at", String(40)),
    Column("not_by", String(64)),
    Column("note", Text, nullable=False, server_default=""),
    Index("tasks_by_subject", "kind", "subject"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("body", Text, nullable=False),
)

imported_rows = Table(
    "imported_rows",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("outcome", String(256), nullable=False),
    Column("imported_at", String(40), nullable=False),
    Column("imported_by", String(64), nullable=False),
)

trail = Table(
    "trail",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("trail_by_event", "event_id"),
)
