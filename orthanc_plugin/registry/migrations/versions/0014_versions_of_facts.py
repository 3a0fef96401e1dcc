"""The version of the facts: a word that is another one after every change of what decisions rest on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

WATCHED = ("authorities", "consents", "images", "patients", "reviews")
ANOTHER = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()::text"}
SQLITE = f"UPDATE fact_versions SET token = {ANOTHER['sqlite']}"  # noqa: S608 - our own words
# A new picture changes nothing that is known of others, unless it takes a known one's place or name.
REPLACES = (
    "EXISTS (SELECT 1 FROM images WHERE sop_instance_uid = NEW.sop_instance_uid)"
    " OR EXISTS (SELECT 1 FROM images WHERE orthanc_instance = NEW.orthanc_instance)"
)
POSTGRESQL = """
CREATE FUNCTION facts_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE fact_versions SET token = gen_random_uuid()::text;
  RETURN NULL;
END $$
"""
NEW_PICTURE = """
CREATE FUNCTION picture_came() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM images
             WHERE orthanc_instance = NEW.orthanc_instance AND sop_instance_uid <> NEW.sop_instance_uid) THEN
    UPDATE fact_versions SET token = gen_random_uuid()::text;
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Add the version, and have the database itself change it."""
    op.create_table(
        "fact_versions",
        sa.Column("one", sa.Integer(), primary_key=True),
        sa.Column("token", sa.String(length=36), nullable=False),
    )
    connection = op.get_bind()
    kind = connection.dialect.name
    first = f"INSERT INTO fact_versions (one, token) VALUES (1, {ANOTHER[kind]})"  # noqa: S608 - our own words
    for statement in (first, *(_sqlite() if kind == "sqlite" else _postgresql())):
        connection.exec_driver_sql(statement)


def _sqlite() -> list[str]:
    """SQLite's triggers are for each row; what REPLACE deletes on its way it doesn't tell, so that is looked for."""
    found = [f"CREATE TRIGGER images_insert_facts BEFORE INSERT ON images WHEN {REPLACES} BEGIN {SQLITE}; END"]
    every = [(table, verb) for table in WATCHED for verb in ("insert", "update", "delete")]
    found += [
        f"CREATE TRIGGER {table}_{verb}_facts AFTER {verb} ON {table} BEGIN {SQLITE}; END"
        for table, verb in every
        if (table, verb) != ("images", "insert")
    ]
    return found


def _postgresql() -> list[str]:
    """PostgreSQL's triggers are fired whatever a session is set to, as one is that puts data back."""
    found = [POSTGRESQL, NEW_PICTURE]
    for table in WATCHED:
        verbs = "UPDATE OR DELETE OR TRUNCATE" if table == "images" else "INSERT OR UPDATE OR DELETE OR TRUNCATE"
        found.append(
            f"CREATE TRIGGER {table}_facts AFTER {verbs} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION facts_changed()"
        )
    each = "FOR EACH ROW EXECUTE FUNCTION picture_came()"
    found.append(f"CREATE TRIGGER images_insert_facts AFTER INSERT ON images {each}")
    named = (("images", "images_insert_facts"), *((table, f"{table}_facts") for table in WATCHED))
    return [*found, *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for table, name in named)]
