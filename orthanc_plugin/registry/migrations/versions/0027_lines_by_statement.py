"""Facts that a source took back, and on PostgreSQL lines that are outdated once for each statement, not for each row.

A statement's rows are told apart by what is in the one of its two tables and not in the other: that is sorted or hashed
however many there are, where joining the two could compare each row with each other one. The records are looked for by
a list of names, by their indexes.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"

LINES = "retention_lines"
TOLD = ("first_contact", "last_contact", "open_episode", "categories", "cancer_diagnosis", "trial_regime")
OF_TRIALS = ("trial_concluded", "ma_open_at_expiry", "ma_granted")
OF_HOLDS = ("departments", "procedures", "blood_products")
BACK = ("taken_back", "agreed_at")
FACTS = (*TOLD, *OF_TRIALS, *OF_HOLDS, *BACK)
WORD = "retention_lines_retention_facts_update"
# A transaction may have many statements: in each, a record's line is touched once.
TURN = "(txid_current() % 2147483647)::int"
NOT_YET = f"(retention_lines.basis <> '' OR retention_lines.turn <> {TURN})"
OUTDATED = (
    f"UPDATE retention_lines SET basis = '', turn = {TURN} WHERE study_instance_uid = ANY(studies) AND {NOT_YET};"  # noqa: S608
)
EXPECTED = (
    "INSERT INTO retention_lines (study_instance_uid) SELECT DISTINCT study_instance_uid FROM later "  # noqa: S608
    "WHERE study_instance_uid <> '' AND status <> 'DISPOSED' ORDER BY 1 "
    f"ON CONFLICT (study_instance_uid) DO UPDATE SET basis = '', turn = {TURN} WHERE {NOT_YET};"
)
FORGOTTEN = (
    "DELETE FROM retention_lines WHERE study_instance_uid = ANY(studies) AND NOT EXISTS "
    "(SELECT 1 FROM images WHERE images.study_instance_uid = retention_lines.study_instance_uid);"
)
TABLES = {
    "INSERT": "NEW TABLE AS later",
    "UPDATE": "OLD TABLE AS earlier NEW TABLE AS later",
    "DELETE": "OLD TABLE AS earlier",
}
AFTER = {"INSERT": ("later",), "UPDATE": ("earlier", "later"), "DELETE": ("earlier",)}
BY_PICTURE = "SELECT i.study_instance_uid FROM images i WHERE i.sop_instance_uid = ANY(names)"
# Who was merged points at who is kept.
BY_PERSON = """
SELECT i.study_instance_uid FROM unnest(numbers, issuers) k(patient_id, issuer)
  JOIN images i ON i.patient_id = k.patient_id AND i.issuer = k.issuer
UNION SELECT i.study_instance_uid FROM unnest(numbers, issuers) k(patient_id, issuer)
  JOIN patients o ON o.merged_into_id = k.patient_id AND o.merged_into_issuer = k.issuer
  JOIN images i ON i.patient_id = o.patient_id AND i.issuer = o.issuer
UNION SELECT i.study_instance_uid FROM unnest(numbers, issuers) k(patient_id, issuer)
  JOIN patients p ON p.patient_id = k.patient_id AND p.issuer = k.issuer
  JOIN images i ON i.patient_id = p.merged_into_id AND i.issuer = p.merged_into_issuer
UNION SELECT i.study_instance_uid FROM unnest(numbers, issuers) k(patient_id, issuer)
  JOIN patients p ON p.patient_id = k.patient_id AND p.issuer = k.issuer
  JOIN patients o ON o.merged_into_id = p.merged_into_id AND o.merged_into_issuer = p.merged_into_issuer
  JOIN images i ON i.patient_id = o.patient_id AND i.issuer = o.issuer
"""


def upgrade() -> None:
    """Add what was taken back; have lines outdated by whole statements where the database can."""
    op.add_column("retention_facts", sa.Column("taken_back", sa.Text()))
    op.add_column("retention_facts", sa.Column("agreed_at", sa.String(length=40)))
    op.add_column("retention_facts", sa.Column("agreed_by", sa.String(length=64)))
    if op.get_bind().dialect.name == "postgresql":
        for name, table, event, body in _functions():
            _replace(name, table, event, body)
    else:
        _facts_on_sqlite()


def _facts_on_sqlite() -> None:
    """Have what is taken back, or agreed to, outdate the lines as every other fact does."""
    connection = op.get_bind()
    (made,) = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (WORD,)).one()
    head, told, rest = str(made).partition(" WHEN (")
    also = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in BACK)
    connection.exec_driver_sql(f"DROP TRIGGER {WORD}")
    connection.exec_driver_sql(f"{head}{told}{also} OR {rest}")


def _functions() -> Iterator[tuple[str, str, str, str]]:
    """Give name, table, event and body of each trigger's function."""
    changed = _changed("sop_instance_uid, study_instance_uid", "earlier", "later WHERE status <> 'DISPOSED'")
    away = f"studies := ARRAY(SELECT DISTINCT study_instance_uid FROM ({changed}) c); {OUTDATED} {FORGOTTEN}"  # noqa: S608
    gone = f"studies := ARRAY(SELECT DISTINCT study_instance_uid FROM earlier); {OUTDATED} {FORGOTTEN}"  # noqa: S608
    yield f"{LINES}_images_insert", "images", "INSERT", EXPECTED
    yield f"{LINES}_images_update_away", "images", "UPDATE", away
    yield f"{LINES}_images_update_here", "images", "UPDATE", EXPECTED
    yield f"{LINES}_images_delete", "images", "DELETE", gone
    for table, event, rows in _of_pictures():
        body = f"names := ARRAY(SELECT DISTINCT sop_instance_uid FROM ({rows}) c); {_found(BY_PICTURE)}"  # noqa: S608
        yield f"{LINES}_{table}_{event.lower()}", table, event, body
    for event, row in (("INSERT", "later"), ("UPDATE", "later"), ("DELETE", "earlier")):
        yield f"{LINES}_tasks_{event.lower()}", "tasks", event, _of_tasks(row)
    for table, event, rows in _of_patients():
        body = f"{_people(rows)} {_found(BY_PERSON)}"
        yield f"{LINES}_{table}_{event.lower()}", table, event, body


def _of_pictures() -> Iterator[tuple[str, str, str]]:
    """Give, by table and event, which rows name pictures whose records are outdated."""
    said = "disclosure_id, sop_instance_uid, outcome = 'FAILED', recall, kind, released_uid"
    for table in ("disclosures", "quarantine"):
        for event in ("INSERT", "DELETE"):
            yield table, event, f"SELECT sop_instance_uid FROM {AFTER[event][0]}"  # noqa: S608
    yield "disclosures", "UPDATE", _changed(said, "later", "earlier")
    yield "quarantine", "UPDATE", "SELECT sop_instance_uid FROM earlier UNION SELECT sop_instance_uid FROM later"


def _of_patients() -> Iterator[tuple[str, str, str]]:
    """Give, by table and event, which rows name people whose records are outdated."""
    key = "patient_id, issuer"
    for table in ("patients", "consents", "retention_facts"):
        for event in ("INSERT", "DELETE"):
            yield table, event, f"SELECT {key} FROM {AFTER[event][0]}"  # noqa: S608
    yield "consents", "UPDATE", f"SELECT {key} FROM earlier UNION SELECT {key} FROM later"  # noqa: S608
    told = ", ".join((key, "source", "trial_id", *FACTS))
    yield "retention_facts", "UPDATE", _either(told, key)
    merged = "merged_into_id, merged_into_issuer"
    person = f"{key}, birth_date, death_date, {merged}"
    yield "patients", "UPDATE", f"{_either(person, key)} UNION {_of(merged, _changed(person, 'earlier', 'later'))}"


def _changed(columns: str, of: str, but: str) -> str:
    return f"SELECT {columns} FROM {of} EXCEPT SELECT {columns} FROM {but}"  # noqa: S608 - our own words


def _of(columns: str, rows: str) -> str:
    return f"SELECT {columns} FROM ({rows}) c"  # noqa: S608 - our own words


def _either(columns: str, key: str) -> str:
    """Ask for the keys of rows that aren't as they were, under the old key and the new."""
    later, earlier = _changed(columns, "later", "earlier"), _changed(columns, "earlier", "later")
    return f"{_of(key, later)} UNION {_of(key, earlier)}"


def _people(rows: str) -> str:
    aggregated = "SELECT array_agg(c.patient_id), array_agg(c.issuer) INTO numbers, issuers"
    return f"{aggregated} FROM ({rows}) c(patient_id, issuer) WHERE c.patient_id IS NOT NULL;"


def _found(query: str) -> str:
    return f"studies := ARRAY({query}); {OUTDATED}"


def _of_tasks(row: str) -> str:
    """Look for the records that tasks are about: a task's subject is a record, a picture or a consent."""
    names = f"names := ARRAY(SELECT DISTINCT subject FROM {row} WHERE kind <> 'KEPT_BY_A_COPY');"  # noqa: S608
    consents = _people("SELECT DISTINCT patient_id, issuer FROM consents WHERE consent_id = ANY(names)")
    return f"{names} {consents} {_found(f'SELECT unnest(names) UNION {BY_PICTURE} UNION {BY_PERSON}')}"


def _replace(name: str, table: str, event: str, body: str) -> None:
    declared = "DECLARE studies text[]; names text[]; numbers text[]; issuers text[];"
    made = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
    each = f"REFERENCING {TABLES[event]} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    for statement in (
        f"DROP TRIGGER {name} ON {table}",
        f"DROP FUNCTION {name}()",
        f"{made} AS $$ {declared} BEGIN {body} RETURN NULL; END $$",
        f"CREATE TRIGGER {name} AFTER {event} ON {table} {each}",
    ):
        op.execute(statement)
