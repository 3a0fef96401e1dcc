"""What was decided before counts only while nothing it rests on has changed, whatever process changed it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from orthanc_plugin.gate import Gate
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import factversions, images, snapshots
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.factversions import LOOK, WATCHED, Remembered, Shelf
from tests.fakes.pictures import CARE
from tests.fakes.world import World

OTHER = "2.25.77"
AUTHORITY = (
    "INSERT INTO authorities (authority_id, type, patient_id, issuer, targets, document, notify_prohibited, valid_from,"
    " recorded_at, recorded_by) VALUES ('a', 'STATUTE', 'P1', 'HOSP', '[]', 'd', 0, '2026-01-01', '2026-01-01', 'x')"
)
PATIENT = (
    "INSERT INTO patients (patient_id, issuer, capacity, gillick, national_data_opt_out)"
    " VALUES ('P9', 'HOSP', 'HAS', 'NA', 0)"
)
NO_SNAPSHOT = "CREATE TRIGGER shut BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'shut'); END"
NO_SNAPSHOT_ON_POSTGRESQL = "ALTER TABLE snapshots ADD CONSTRAINT shut CHECK (false) NOT VALID"
# What any process may write, whichever way.
CHANGES = [
    "UPDATE consents SET record = record",
    "DELETE FROM consents",
    "UPDATE patients SET capacity = 'LACKS'",
    "UPDATE patients SET national_data_opt_out = 1",
    "UPDATE patients SET merged_into_id = 'P9', merged_into_issuer = 'HOSP'",
    PATIENT,
    "DELETE FROM patients",
    "UPDATE images SET status = 'REJECTED'",
    "UPDATE images SET covert = 1",
    "DELETE FROM images",
    AUTHORITY,
    "UPDATE reviews SET outcome = 'NO'",
    "DELETE FROM reviews",
]


def version(world: World) -> object:
    with world.services.database.reading() as connection:
        return LOOK.rows(connection)


def afresh(world: World) -> Effect:
    """Return what a gate decides that has never decided before."""
    services = world.services
    gate = Gate(services.database, services.policy, world.clock, services.ids, world.ticks, services.release.under)
    return gate.authorize(world.request()).decision.effect


def effect(world: World) -> Effect:
    return world.services.gate.authorize(world.request()).decision.effect


@pytest.fixture
def decided(world: World) -> World:
    """Give a world in which a picture was asked for before."""
    world.file(CARE)
    world.review()
    assert effect(world) is Effect.PERMIT_IDENTIFIABLE
    return world


@pytest.mark.parametrize("change", CHANGES)
def test_what_another_process_writes_counts_from_its_commit(change: str, decided: World) -> None:
    before = version(decided)
    decided.sql(change)
    assert version(decided) != before
    assert effect(decided) is afresh(decided)


@pytest.mark.parametrize("setting", ["session_replication_role = replica", "search_path = pg_catalog"])
@pytest.mark.parametrize("change", ["consents SET record = record", "images SET covert = 1"])
def test_no_setting_of_a_session_of_postgresql_keeps_a_change_from_counting(
    change: str, setting: str, decided: World
) -> None:
    before = version(decided)
    if decided.on_postgresql:
        decided.sql(f"DO $$ BEGIN SET LOCAL {setting}; UPDATE public.{change}; END $$")
    else:
        decided.sql(f"UPDATE main.{change}")  # SQLite has no such settings
    assert version(decided) != before


def test_a_withdrawal_counts_for_what_was_permitted_a_moment_before(decided: World) -> None:
    decided.withdraw()
    assert effect(decided) is Effect.DENY


def test_a_permit_of_yesterday_is_worked_out_again_today(decided: World) -> None:
    decided.clock.advance(days=1)
    answer = decided.services.gate.authorize(decided.request())
    assert answer.case is not None
    assert answer.case.request.as_of == decided.clock().date()
    assert decided.clock().date().isoformat() in str(decided.trail()[-1]["request"])


@pytest.mark.parametrize("columns", [{"sop_instance_uid": OTHER}, {"sop_instance_uid": OTHER, "orthanc_instance": "o"}])
def test_a_new_picture_changes_nothing_for_others_unless_it_takes_a_known_name(
    columns: dict[str, str], decided: World
) -> None:
    before = version(decided)
    said = {name: name for name in images.COLUMNS} | {name: f"'{value}'" for name, value in columns.items()}
    decided.sql(f"INSERT INTO images ({', '.join(said)}) SELECT {', '.join(said.values())} FROM images")  # noqa: S608
    assert (version(decided) == before) is ("orthanc_instance" in columns)


def test_decisions_and_what_they_leave_change_nothing_they_rest_on(decided: World) -> None:
    before = version(decided)
    assert effect(decided) is Effect.PERMIT_IDENTIFIABLE
    assert version(decided) == before


def test_without_all_triggers_nothing_is_remembered(decided: World) -> None:
    decided.sql(
        "DROP TRIGGER consents_facts ON consents" if decided.on_postgresql else "DROP TRIGGER consents_insert_facts"
    )
    decided.sql("UPDATE alembic_version SET version_num = 'another'")
    assert effect(decided) is Effect.PERMIT_IDENTIFIABLE
    decided.withdraw()
    assert effect(decided) is Effect.DENY


def test_what_counts_beside_what_was_looked_for_counts_for_as_long_and_no_longer(decided: World) -> None:
    undone = decided.services.database.undone
    looking: Remembered[int, str] = Remembered(undone)
    beside: Remembered[int, str] = Remembered(undone)

    def found() -> str | None:
        with decided.services.database.reading() as connection:
            return beside.beside(looking.shelf(connection)).get(1)

    def keep() -> None:
        with decided.services.database.reading() as connection:
            beside.beside(looking.shelf(connection)).keep(1, "known")

    keep()
    assert found() == "known"
    decided.withdraw()
    assert found() is None
    keep()
    decided.sql(
        "DROP TRIGGER consents_facts ON consents" if decided.on_postgresql else "DROP TRIGGER consents_insert_facts"
    )
    decided.sql("UPDATE alembic_version SET version_num = 'another'")
    for _ in range(2):  # without all triggers nothing is remembered there either
        assert found() is None
        keep()


def test_the_facts_of_a_remembered_permit_are_written_once_for_as_long_as_they_stay(decided: World) -> None:
    """Where the transaction that wrote them was undone they are written again; another test says so."""
    gate = decided.services.gate
    first = decided.services.trail.find(gate.authorize(decided.request()).decision_id)
    decided.sql(NO_SNAPSHOT_ON_POSTGRESQL if decided.on_postgresql else NO_SNAPSHOT)
    again = decided.services.trail.find(gate.authorize(decided.request()).decision_id)
    assert (again["effect"], again["facts"]) == ("PERMIT_IDENTIFIABLE", first["facts"])
    gate.permits = Remembered(decided.services.database.undone)
    assert gate.authorize(decided.request()).decision.effect is Effect.DENY


def test_what_an_undone_transaction_found_out_is_forgotten(decided: World) -> None:
    gate = decided.services.gate

    def undone(_: object = None) -> None:
        with decided.services.database.writing() as connection:
            connection.exec_driver_sql("UPDATE images SET intimate = 1")
            (found,) = gate.decide(connection, [decided.request()])
            assert found.case is not None
            assert found.case.image.intimate
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    answer = gate.authorize(decided.request())
    assert answer.case is not None
    assert not answer.case.image.intimate


def test_what_was_found_out_of_a_picture_that_was_not_filed_after_all_is_forgotten(decided: World) -> None:
    """A new picture changes no version, and the next one of that name may be another."""
    gate = decided.services.gate

    def undone() -> None:
        with decided.services.database.writing() as connection:
            connection.exec_driver_sql(another_picture(status="status"))
            (found,) = gate.decide(connection, [decided.request(uid=OTHER)])
            assert found.decision.permits
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert not gate.authorize(decided.request(uid=OTHER)).decision.permits
    decided.sql(another_picture(status="'REJECTED'"))
    assert not gate.authorize(decided.request(uid=OTHER)).decision.permits


def another_picture(**columns: str) -> str:
    """Return the statement that adds a picture like the known one but for these columns."""
    names = {"sop_instance_uid": f"'{OTHER}'", "orthanc_instance": "'o'", **columns}
    said = {name: names.get(name, name) for name in images.COLUMNS}
    return f"INSERT INTO images ({', '.join(said)}) SELECT {', '.join(said.values())} FROM images"  # noqa: S608


def test_the_facts_of_a_remembered_permit_are_kept_though_the_first_record_of_it_was_undone(world: World) -> None:
    world.file(CARE)
    gate = world.services.gate

    def undone() -> None:
        with world.services.database.writing() as connection:
            gate.decide(connection, [world.request()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    entry = world.services.trail.find(gate.authorize(world.request()).decision_id)
    with world.services.database.reading() as connection:
        assert snapshots.read(connection, str(entry["facts"]))["image"]


def test_a_remembered_permit_leaves_the_entry_that_a_new_one_would(decided: World) -> None:
    again = decided.services.trail.find(decided.services.gate.authorize(decided.request()).decision_id)
    decided.services.gate.permits = Remembered(decided.services.database.undone)
    anew = decided.services.trail.find(decided.services.gate.authorize(decided.request()).decision_id)
    assert {**again, "seq": 0, "id": ""} == {**anew, "seq": 0, "id": ""}


def test_a_full_shelf_is_emptied() -> None:
    shelf: Shelf[int, str] = Shelf(None, 2)
    for number in range(3):
        shelf.keep(number, str(number))
    assert [shelf.get(number) for number in range(3)] == [None, None, "2"]


def test_everything_that_a_permit_rests_on_is_watched(decided: World) -> None:
    """By SQLite's own word on which tables it reads; PostgreSQL is asked the same statements."""
    if decided.on_postgresql:
        assert set(WATCHED) == {name.partition("_")[0] for name in factversions.POSTGRESQL_TRIGGERS}
        return
    decided.sql(AUTHORITY)
    decided.sql(PATIENT)
    decided.sql("UPDATE patients SET merged_into_id = 'P9', merged_into_issuer = 'HOSP' WHERE patient_id <> 'P9'")
    read = tables_read(decided.services.database, lambda: decided.services.gate.authorize(decided.request()))
    aside = {"fact_versions", "alembic_version", "trail", "snapshots", "sqlite_master", "tasks"}
    assert read - aside == set(WATCHED)


def tables_read(database: Database, work: Callable[[], object]) -> set[str]:
    """Return the tables that SQLite reads while ``work`` is done on a connection that has prepared nothing yet."""
    found: set[str] = set()

    def note(action: int, table: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ and table:
            found.add(table)
        return sqlite3.SQLITE_OK

    database.close()
    with database.writing() as connection:
        own = connection.connection.driver_connection
        assert isinstance(own, sqlite3.Connection)
        own.set_authorizer(note)
    work()
    own.set_authorizer(None)
    return found
