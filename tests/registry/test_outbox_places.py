"""A courier claims what its own archive has, and what no archive has said that it has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import text

from orthanc_plugin.registry import holdings, outbox, schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.outbox import Claimed, Queued, State
from tests.fakes.pictures import CARE
from tests.fakes.queued import AT, backlog, wanted
from tests.fakes.world import World

HERE, THERE = "here", "there"
MINUTE = timedelta(minutes=1)
UIDS = tuple(f"2.25.{number}" for number in range(900, 904))


def filed(world: World, *uids: str) -> None:
    for uid in uids:
        world.file(CARE, uid=uid)


def keep(world: World, archive: str, *uids: str) -> None:
    names = [world.row(uid).orthanc_instance for uid in uids]
    with world.services.database.writing() as connection:
        holdings.keep(connection, archive, names)


def queue(world: World, *rows: Queued) -> None:
    world.services.database.write(lambda connection: outbox.queue(connection, rows, AT))


def claim(world: World, archive: str, most: int = 100, lease: timedelta = MINUTE) -> set[str]:
    return {each.sop_instance_uid for each in claimed(world, archive, most, lease)}


def claimed(world: World, archive: str, most: int = 100, lease: timedelta = MINUTE) -> tuple[Claimed, ...]:
    return world.services.database.write(
        lambda connection: outbox.claim(connection, "courier", AT, AT + lease, most, archive=archive)
    )


def due(world: World, archive: str) -> bool:
    with world.services.database.reading() as connection:
        return outbox.is_due(connection, AT, archive)


@pytest.mark.parametrize("said_first", [True, False])
def test_each_courier_claims_what_its_archive_has_and_what_nobody_said_of(
    said_first: bool, either_world: World
) -> None:
    world = either_world
    mine, theirs, anybodys, _ = UIDS
    filed(world, *UIDS)
    if not said_first:
        queue(world, *map(wanted, UIDS[:3]))
    keep(world, HERE, mine)
    keep(world, THERE, theirs)
    if said_first:
        queue(world, *map(wanted, UIDS[:3]))
    assert (due(world, HERE), due(world, THERE), due(world, "a third")) == (True, True, True)
    assert claim(world, HERE) == {mine, anybodys}
    assert (due(world, HERE), due(world, THERE), due(world, "a third")) == (False, True, False)
    assert (claim(world, "a third"), claim(world, HERE)) == (set(), set())
    assert claim(world, THERE) == {theirs}


def test_what_another_courier_let_lapse_is_taken_up_beside_its_archive_alone(world: World) -> None:
    filed(world, UIDS[0])
    keep(world, HERE, UIDS[0])
    queue(world, wanted(UIDS[0]))
    assert claim(world, HERE, lease=-MINUTE) == {UIDS[0]}
    assert (claim(world, THERE), due(world, THERE)) == (set(), False)
    assert claim(world, HERE) == {UIDS[0]}


def test_rows_follow_a_picture_from_archive_to_archive_and_are_anybody_s_once_that_is_gone(either_world: World) -> None:
    world = either_world
    filed(world, *UIDS[:2])
    keep(world, HERE, *UIDS[:2])
    queue(world, *map(wanted, UIDS[:2]))
    keep(world, THERE, UIDS[0])
    assert claim(world, HERE, lease=-MINUTE) == {UIDS[1]}
    assert claim(world, THERE, lease=-MINUTE) == {UIDS[0]}
    with world.services.database.writing() as connection:
        holdings.forget(connection, THERE)
    assert claim(world, HERE) == set(UIDS[:2])


def test_what_waits_again_waits_where_the_picture_is_by_then(world: World) -> None:
    filed(world, UIDS[0])
    queue(world, wanted(UIDS[0]))
    (row,) = claimed(world, HERE)
    with world.services.database.writing() as connection:
        assert outbox.ended(connection, row, State.REFUSED, AT)
    keep(world, THERE, UIDS[0])
    queue(world, wanted(UIDS[0]))
    assert (claim(world, HERE), claim(world, THERE)) == (set(), {UIDS[0]})


def test_turns_go_by_priority_then_by_who_waits_longest_whosever_rows_they_are(world: World) -> None:
    filed(world, *UIDS)
    keep(world, HERE, UIDS[0], UIDS[2])
    studies = {"study_instance_uid": "1.1"}, {"study_instance_uid": "1.2"}, {"study_instance_uid": "1.3"}
    queue(world, *(wanted(uid, **study) for uid, study in zip(UIDS, studies, strict=False)))
    queue(world, wanted(UIDS[3], priority=1, study_instance_uid="1.4"))
    for row in claimed(world, HERE):
        assert row.sop_instance_uid == UIDS[3]
    for place, minutes in enumerate((3, 1, 2)):
        with world.services.database.writing() as connection:
            later = (AT - minutes * MINUTE).isoformat(timespec="microseconds")
            connection.execute(
                text("UPDATE outbox SET next_try = :later WHERE sop_instance_uid = :uid"),
                {"later": later, "uid": UIDS[place]},
            )
    assert [claim(world, HERE) for _ in range(4)] == [{UIDS[0]}, {UIDS[2]}, {UIDS[1]}, set()]


@pytest.mark.parametrize("archive", ["", HERE])
def test_a_claim_beside_an_archive_looks_at_the_index_alone(archive: str, either_world: World) -> None:
    world = either_world
    queue(world, *backlog(500))
    with world.services.database.writing() as connection:
        connection.execute(text("UPDATE outbox SET archive = 'there' WHERE outbox_id % 10 > 0"))
        if world.on_postgresql:
            connection.execute(text("ANALYZE outbox"))
        asked = outbox.highest(State.WAITING, None, archive), outbox.first_due(State.WAITING, 2, AT, archive)
        explain = "EXPLAIN" if world.on_postgresql else "EXPLAIN QUERY PLAN"
        plans = [
            str(connection.execute(text(f"{explain} {words}")).all())
            for words in (each.compile(connection.engine, compile_kwargs={"literal_binds": True}) for each in asked)
        ]
    for plan in plans:
        assert "outbox_by_turn" in plan
        assert not any(word in plan for word in ("Seq Scan", "SCAN", "TEMP B-TREE", "Sort"))


def test_an_upgrade_has_what_waits_sent_from_where_it_is(bare: str) -> None:
    database = open_database(bare)
    config = schema.configuration()
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0018")
        for uid, instance in (("1.1", "a"), ("1.2", "b")):
            connection.execute(text(IMAGE), {"uid": uid, "instance": instance})
            connection.execute(text(WAITS), {"uid": uid})
        connection.execute(text("INSERT INTO archive_holdings (orthanc_instance, archive) VALUES ('a', 'here')"))
    schema.upgrade(database)
    with database.reading() as connection:
        found = connection.execute(text("SELECT sop_instance_uid, archive FROM outbox ORDER BY 1")).all()
    assert [tuple(row) for row in found] == [("1.1", "here"), ("1.2", "")]
    database.close()


IMAGE = """INSERT INTO images (sop_instance_uid, sop_class_uid, series_instance_uid, study_instance_uid, patient_id,
issuer, accession_number, image_type, made_for, source, intimate, covert, familial, legacy, shows, status, sha256,
received_at, orthanc_instance, orthanc_series, orthanc_study, orthanc_patient)
VALUES (:uid, '1', '1', '1', 'p', 'i', '', 'PHOTOGRAPH', 'CARE', 'CAMERA', 0, 0, 0, 0, '[]', 'ACTIVE', '0', 'now',
:instance, 's', 't', 'u')"""
WAITS = """INSERT INTO outbox (route, recipient, purpose, sop_instance_uid, study_instance_uid, priority, state, cause,
queued_at, changed_at) VALUES ('r', 'n', 'TEACHING', :uid, '1', 0, 'WAITING', 'STABLE', 'now', 'now')"""
