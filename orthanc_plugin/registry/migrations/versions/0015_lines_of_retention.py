"""A line for each record with its date, and triggers that tell when it isn't to be relied on any more."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

LINES = "retention_lines"
OUTDATED = "UPDATE retention_lines SET basis = '', turn = turn + 1 WHERE study_instance_uid IN ({studies});"
EXPECTED = (
    "INSERT INTO retention_lines (study_instance_uid) VALUES (NEW.study_instance_uid) "
    "ON CONFLICT (study_instance_uid) DO UPDATE SET basis = '', turn = retention_lines.turn + 1;"
)
FORGOTTEN = (
    "DELETE FROM retention_lines WHERE study_instance_uid = OLD.study_instance_uid AND NOT EXISTS "
    "(SELECT 1 FROM images WHERE images.study_instance_uid = OLD.study_instance_uid);"
)
# A statement may change thousands of a record's rows: on PostgreSQL its line is touched once in a transaction.
TURN = "(txid_current() % 2147483647)::int"
ONCE = (
    ("turn = turn + 1 WHERE ", f"turn = {TURN} WHERE (basis <> '' OR turn <> {TURN}) AND "),
    (
        "turn = retention_lines.turn + 1;",
        f"turn = {TURN} WHERE retention_lines.basis <> '' OR retention_lines.turn <> {TURN};",
    ),
)
BY_NUMBER = "JOIN images i ON i.patient_id = {whose}patient_id AND i.issuer = {whose}issuer"
BY_SURVIVOR = "JOIN images i ON i.patient_id = {whose}merged_into_id AND i.issuer = {whose}merged_into_issuer"
KEY = "SELECT {row}.{prefix}{number} AS patient_id, {row}.{prefix}issuer AS issuer"
FACTS = (
    "first_contact last_contact open_episode categories cancer_diagnosis trial_regime trial_concluded "
    "ma_open_at_expiry ma_granted departments procedures blood_products"
)


def upgrade() -> None:
    """Make the table with a line for each record that isn't destroyed, to be reckoned when first asked for."""
    op.create_table(
        LINES,
        sa.Column("study_instance_uid", sa.String(64), primary_key=True),
        sa.Column("basis", sa.String(64), nullable=False, server_default=""),
        sa.Column("turn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("proposable_from", sa.String(10)),
        sa.Column("alone", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("held", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("holds", sa.String(64), nullable=False, server_default=""),
        sa.Column("objects", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("unsized", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("rule", sa.String(64), nullable=False, server_default=""),
        sa.Column("due_date", sa.String(10), nullable=False, server_default=""),
        sa.Column("words", sa.Text(), nullable=False, server_default=""),
        sa.Column("flags", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("facts_sha256", sa.String(64), nullable=False, server_default=""),
    )
    op.execute(
        "INSERT INTO retention_lines (study_instance_uid) SELECT DISTINCT study_instance_uid FROM images "
        "WHERE status <> 'DISPOSED' AND study_instance_uid <> ''"
    )
    op.create_index(f"{LINES}_by_date", LINES, ["basis", "proposable_from", "holds", "study_instance_uid"])
    for table, event, when, statements in _triggers():
        _create(table, event, when, " ".join(statements))


def _triggers() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Give, by table and event, when what is done: for each way in which anything that a line rests on changes."""
    yield from _of_pictures()
    for table in ("disclosures", "quarantine"):
        yield table, "INSERT", "", (_outdated(_picture("NEW")),)
        yield table, "DELETE", "", (_outdated(_picture("OLD")),)
    failed = "(NEW.outcome = 'FAILED') <> (OLD.outcome = 'FAILED')"
    changed = f"{failed} OR NEW.recall <> OLD.recall OR NEW.kind <> OLD.kind OR NEW.released_uid <> OLD.released_uid"
    yield "disclosures", "UPDATE", changed, (_outdated(_picture("NEW")),)
    yield "quarantine", "UPDATE", "", (_outdated(_picture("OLD")), _outdated(_picture("NEW")))
    for row, event in (("NEW", "INSERT"), ("NEW", "UPDATE"), ("OLD", "DELETE")):
        yield "tasks", event, f"{row}.kind <> 'KEPT_BY_A_COPY'", (_outdated(_subject(row)),)
    yield from _of_patients()


def _of_pictures() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    named = "NEW.study_instance_uid <> '' AND NEW.status <> 'DISPOSED'"
    moved = "NEW.study_instance_uid <> OLD.study_instance_uid"
    before = _outdated("SELECT OLD.study_instance_uid")
    yield "images", "INSERT", named, (EXPECTED,)
    yield "images", "UPDATE", f"{moved} OR NEW.status = 'DISPOSED'", (before, FORGOTTEN)
    yield "images", "UPDATE", named, (EXPECTED,)
    yield "images", "DELETE", "", (before, FORGOTTEN)


def _of_patients() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    keys = {row: KEY.format(row=row, prefix="", number="patient_id") for row in ("NEW", "OLD")}
    survivor = KEY.format(row="OLD", prefix="merged_into_", number="id")
    for table in ("patients", "consents", "retention_facts"):
        yield table, "INSERT", "", (_outdated(_person(keys["NEW"])),)
        yield table, "DELETE", "", (_outdated(_person(keys["OLD"])),)
    yield "consents", "UPDATE", "", (_outdated(_person(keys["OLD"])), _outdated(_person(keys["NEW"])))
    yield "retention_facts", "UPDATE", _differs(FACTS), (_outdated(_person(keys["NEW"])),)
    both = _outdated(_person(keys["NEW"])), _outdated(_person(survivor))
    yield "patients", "UPDATE", _differs("birth_date death_date merged_into_id merged_into_issuer"), both


def _differs(names: str) -> str:
    return " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in names.split())


def _outdated(studies: str) -> str:
    return OUTDATED.format(studies=studies)


def _picture(row: str) -> str:
    return f"SELECT i.study_instance_uid FROM images i WHERE i.sop_instance_uid = {row}.sop_instance_uid"  # noqa: S608


def _subject(row: str) -> str:
    """Ask for the records that a task is about: its subject is a record, a picture or a consent."""
    picture = f"SELECT i.study_instance_uid FROM images i WHERE i.sop_instance_uid = {row}.subject"  # noqa: S608
    consent = f"SELECT c.patient_id, c.issuer FROM consents c WHERE c.consent_id = {row}.subject"  # noqa: S608
    return f"SELECT {row}.subject UNION {picture} UNION {_person(consent)}"


def _person(keys: str) -> str:
    """Ask for the records under every number of the persons behind ``keys``; who was merged points at who is kept."""
    study, whose = "SELECT i.study_instance_uid FROM", f"({keys}) k"
    kept = "JOIN patients p ON p.patient_id = k.patient_id AND p.issuer = k.issuer"
    others = "JOIN patients o ON o.merged_into_id = {who}_id AND o.merged_into_issuer = {who}_issuer"
    beside = others.format(who="p.merged_into")
    under = "JOIN patients o ON o.merged_into_id = k.patient_id AND o.merged_into_issuer = k.issuer"
    return " UNION ".join(
        (
            f"{study} {whose} {BY_NUMBER.format(whose='k.')}",
            f"{study} {whose} {under} {BY_NUMBER.format(whose='o.')}",
            f"{study} {whose} {kept} {BY_SURVIVOR.format(whose='p.')}",
            f"{study} {whose} {kept} {beside} {BY_NUMBER.format(whose='o.')}",
        )
    )


def _create(table: str, event: str, when: str, body: str) -> None:
    name = f"{LINES}_{table}_{event.lower()}"
    if event == "UPDATE" and table == "images":
        name += "_away" if FORGOTTEN in body else "_here"
    said = f" WHEN ({when})" if when else ""
    if op.get_bind().dialect.name == "postgresql":
        for often, once in ONCE:
            body = body.replace(often, once)
        made = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
        op.execute(f"{made} AS $$ BEGIN {body} RETURN NULL; END $$")
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW{said} EXECUTE FUNCTION {name}()")
    else:
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW{said} BEGIN {body} END")
