"""A plan by lines is the plan that looking at each record gives, whatever happened, and whenever they were reckoned."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry import retentionlines
from orthanc_plugin.registry.factversions import LOOK
from orthanc_plugin.registry.retentionlines import Reckoned
from orthanc_plugin.retention import lining, proposing
from orthanc_plugin.retention.records import Record
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.hospitalrows import STUDIES, Chance
from tests.fakes.world import World

Said = tuple[str, tuple[object, ...], tuple[str, ...]]


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with nothing in it yet."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    return office(world)


def refreshed(bureau: Office) -> int:
    return lining.refresh(bureau.world.services.database, bureau.act(), bureau.records)


def by_lines(bureau: Office) -> list[Said]:
    with bureau.world.services.database.reading() as connection:
        found = list(lining.past_due(connection, bureau.act(), bureau.records))
    return [(each.study_instance_uid, _of_line(each), others) for each, others in found]


def from_scratch(bureau: Office) -> list[Said]:
    with bureau.world.services.database.reading() as connection:
        found = bureau.records.many(connection, STUDIES, bureau.act())
    past = (each for each in found.values() if each.due.proposable or each.kept_by)
    return [(each.study_instance_uid, _of_record(each), _kept(each)) for each in past]


def _kept(record: Record) -> tuple[str, ...]:
    return () if record.due.proposable else record.kept_by


def _of_line(line: Reckoned) -> tuple[object, ...]:
    return line.objects, line.size, line.unsized, line.rule, line.due_date, line.flags, line.facts_sha256


def _of_record(record: Record) -> tuple[object, ...]:
    due, size = record.due, sum(row.size or 0 for row in record.pictures)
    found = len(record.pictures), size, 0, due.governing_rule or "", str(due.due_date or ""), record.flags
    return (*found, record.facts_sha256)


def keep_fresh(bureau: Office) -> None:
    """Have the feed be as fresh as the clock, whatever day it is."""
    bureau.world.sql(f"UPDATE retention_feeds SET told_at = '{bureau.world.clock().isoformat()}'")  # noqa: S608


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_lines_say_what_looking_at_each_record_says(seed: int, bureau: Office) -> None:
    chance, happened = Chance(office=bureau, random=Random(seed)), list[str]()  # noqa: S311 - to be repeated
    chance.begin()
    proposed = 0
    for _ in range(70):
        happened.append(chance.happen())
        if chance.random.random() < 0.5:
            refreshed(bureau)
        keep_fresh(bureau)
        found = by_lines(bureau)
        assert found == from_scratch(bureau), happened
        proposed += len(found)
    assert proposed > 30


def test_what_is_taken_out_behind_our_back_is_found_again(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    refreshed(bureau)
    bureau.world.sql("DELETE FROM retention_lines")
    assert by_lines(bureau) == []
    lining.outdate(bureau.world.services.database, bureau.records)
    assert refreshed(bureau) == len(STUDIES)
    assert by_lines(bureau) == from_scratch(bureau) != []


def test_a_line_that_was_outdated_while_it_was_reckoned_is_not_written(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    basis, database = bureau.known.digest, bureau.world.services.database
    refreshed(bureau)
    with database.reading() as connection:
        lines = retentionlines.page(connection, STUDIES)
    bureau.world.sql("UPDATE retention_facts SET last_contact = '2026-01-01'")
    with database.writing() as connection:
        retentionlines.write(connection, basis, [(study, 0) for study in STUDIES], lines)
    assert by_lines(bureau) == from_scratch(bureau) == []


def test_nothing_is_left_of_a_record_that_is_gone(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    bureau.world.sql("UPDATE images SET status = 'DISPOSED', study_instance_uid = '', patient_id = 'link'")
    assert bureau.world.sql("SELECT * FROM retention_lines") == []


def test_a_second_look_reckons_nothing(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    assert [refreshed(bureau), refreshed(bureau)] == [len(STUDIES), 0]
    bureau.pass_days(400)
    assert refreshed(bureau) == 0


def test_what_a_plan_that_was_cut_off_has_left_is_taken_out_by_the_next(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    made = bureau.plan()
    bureau.world.sql("DELETE FROM disposition_plans")
    again = bureau.plan()
    assert (again.lines, again.lines_sha256) == (made.lines, made.lines_sha256)
    assert bureau.world.sql("SELECT DISTINCT plan_id FROM disposition_lines") == [(again.plan_id,)]


def test_a_plan_without_all_of_its_lines_is_not_made(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    shared = bureau.world.services
    with shared.database.writing() as connection, pytest.raises(IllegalTransitionError, match="at the same time"):
        proposing._written(connection, bureau.act(), bureau.known, "a plan", 7, "digest")
    assert bureau.world.sql("SELECT * FROM disposition_plans") == []


def test_every_table_that_a_line_rests_on_outdates_it(bureau: Office) -> None:
    where = "pg_trigger WHERE tgname" if bureau.world.on_postgresql else "sqlite_master WHERE name"
    name = "tgname" if bureau.world.on_postgresql else "name"
    found = bureau.world.sql(f"SELECT {name} FROM {where} LIKE 'retention_lines_%%'")  # noqa: S608 - our own words
    told = {str(each).removeprefix("retention_lines_") for (each,) in found} - {"by_date"}
    tables = ("consents", "disclosures", "patients", "quarantine", "retention_facts", "tasks")
    others = {f"{table}_{event}" for table in tables for event in ("insert", "update", "delete")}
    assert told == others | {"images_insert", "images_update_away", "images_update_here", "images_delete"}


def test_a_plan_changes_nothing_that_decisions_rest_on(bureau: Office) -> None:
    Chance(office=bureau, random=Random(0)).begin()  # noqa: S311 - to be repeated
    before = version(bureau.world)
    assert refreshed(bureau) == len(STUDIES)
    assert bureau.plan().lines > 0
    assert version(bureau.world) == before


def version(world: World) -> object:
    with world.services.database.reading() as connection:
        return LOOK.rows(connection)
