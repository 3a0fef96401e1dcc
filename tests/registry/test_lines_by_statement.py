"""A statement that changes many rows outdates the line of each record it reaches and of no other, on both databases."""

from __future__ import annotations

from random import Random

import pytest

from orthanc_plugin.registry.retentiontables import retention_facts
from orthanc_plugin.registry.tables import images, patients
from tests.fakes.hospitalrows import picture, values
from tests.fakes.world import World

PEOPLE = tuple((f"P{number}", "HOSP") for number in range(6))
STUDIES = tuple(f"2.25.5{number}" for number in range(6))  # of each patient one, with two pictures
SECOND = "2.25.59"
TASK = (
    "INSERT INTO tasks (task_id, kind, subject, reason, opened_at, owner, due_at)"
    " SELECT 't' || sop_instance_uid, '{kind}', {subject}, '', '', '', '' FROM images WHERE {which}"
)
ABOUT_A_CONSENT = (
    "INSERT INTO tasks (task_id, kind, subject, reason, opened_at, owner, due_at)"
    " SELECT consent_id, 'IG_REVIEW', consent_id, '', '', '', '' FROM consents WHERE patient_id = 'P4'"
)
CONSENT = (
    "INSERT INTO consents (consent_id, version, patient_id, issuer, record, recorded_at, recorded_by)"
    " SELECT 'c' || patient_id, 1, patient_id, issuer, '', '', '' FROM patients"
)


@pytest.fixture
def hospital(world: World) -> World:
    """Give six patients with a record of two pictures each, told of by a source, whose lines all count."""
    with world.services.database.writing() as connection:
        for who, study in zip(PEOPLE, STUDIES, strict=True):
            told = values(retention_facts, patient_id=who[0], issuer=who[1], source="pas", fact_id=f"f{who[0]}")
            connection.execute(patients.insert(), values(patients, patient_id=who[0], issuer=who[1]))
            connection.execute(retention_facts.insert(), told | {"last_contact": "2010-01-01"})
            for number in (1, 2):
                connection.execute(images.insert(), picture(f"{study}.{number}", study, who))
    counted(world)
    return world


def counted(world: World) -> None:
    world.sql("UPDATE retention_lines SET basis = 'counts'")


def outdated(world: World) -> set[int]:
    """Return the numbers of the records whose lines don't count any more."""
    found = world.sql("SELECT study_instance_uid FROM retention_lines WHERE basis <> 'counts'")
    return {int(str(study)[-1]) for (study,) in found}


ALL = {0, 1, 2, 3, 4, 5}
FIRST = "patient_id IN ('P0', 'P1')"


@pytest.mark.parametrize(
    ("statement", "reached"),
    [
        ("UPDATE images SET covert = 1 WHERE patient_id IN ('P0', 'P1')", {0, 1}),
        ("UPDATE images SET covert = 1 - covert", ALL),
        ("UPDATE images SET covert = 1 WHERE patient_id = 'nobody'", set[int]()),
        ("UPDATE images SET status = 'DISPOSED' WHERE sop_instance_uid IN ('2.25.50.1', '2.25.51.1')", {0, 1}),
        ("DELETE FROM images WHERE sop_instance_uid IN ('2.25.50.1', '2.25.51.1')", {0, 1}),
        ("UPDATE retention_facts SET last_contact = '2011-01-01' WHERE patient_id <> 'P3'", ALL - {3}),
        ("UPDATE retention_facts SET recorded_by = 'another'", set[int]()),
        ("UPDATE retention_facts SET taken_back = '{}' WHERE patient_id = 'P2'", {2}),
        ("UPDATE retention_facts SET agreed_at = '2026-11-22' WHERE patient_id = 'P2'", {2}),
        ("DELETE FROM retention_facts WHERE patient_id IN ('P0', 'P1')", {0, 1}),
        ("UPDATE patients SET death_date = '2020-01-01' WHERE patient_id IN ('P4', 'P5')", {4, 5}),
        ("UPDATE patients SET fed_at = '2020-01-01'", set[int]()),
        ("UPDATE patients SET merged_into_id = 'P5', merged_into_issuer = 'HOSP' WHERE patient_id = 'P1'", {1, 5}),
        (CONSENT, ALL),
        (TASK.format(kind="IG_REVIEW", subject="study_instance_uid", which=FIRST), {0, 1}),
        (TASK.format(kind="IG_REVIEW", subject="sop_instance_uid", which="patient_id = 'P3'"), {3}),
        (TASK.format(kind="KEPT_BY_A_COPY", subject="study_instance_uid", which="1 = 1"), set[int]()),
    ],
)
def test_a_statement_outdates_what_it_reaches_and_nothing_else(
    statement: str, reached: set[int], hospital: World
) -> None:
    hospital.sql(statement)
    assert outdated(hospital) == reached


@pytest.mark.parametrize(
    ("before", "statement", "reached"),
    [
        (CONSENT, "UPDATE consents SET record = 'withdrawn' WHERE patient_id IN ('P1', 'P3')", {1, 3}),
        (CONSENT, "UPDATE consents SET patient_id = 'P5' WHERE patient_id = 'P1'", {1, 5}),
        (CONSENT, "DELETE FROM consents WHERE patient_id IN ('P1', 'P3')", {1, 3}),
        (
            CONSENT,
            ABOUT_A_CONSENT,
            {4},
        ),
        (
            "UPDATE patients SET merged_into_id = 'P5', merged_into_issuer = 'HOSP' WHERE patient_id IN ('P0', 'P1')",
            "UPDATE retention_facts SET last_contact = '2011-01-01' WHERE patient_id = 'P0'",
            {0, 1, 5},
        ),
        (
            "UPDATE patients SET merged_into_id = 'P5', merged_into_issuer = 'HOSP' WHERE patient_id = 'P0'",
            "UPDATE patients SET merged_into_id = NULL, merged_into_issuer = NULL",
            {0, 5},
        ),
    ],
)
def test_what_was_there_before_counts_too(before: str, statement: str, reached: set[int], hospital: World) -> None:
    hospital.sql(before)
    counted(hospital)
    hospital.sql(statement)
    assert outdated(hospital) == reached


def test_pictures_that_move_to_another_record_in_one_statement_outdate_both_and_empty_records_have_no_line(
    hospital: World,
) -> None:
    hospital.sql(f"UPDATE images SET study_instance_uid = '{SECOND}' WHERE {FIRST}")  # noqa: S608 - our own words
    assert outdated(hospital) == {9}
    lines = {str(study) for (study,) in hospital.sql("SELECT study_instance_uid FROM retention_lines")}
    assert lines == {SECOND, *STUDIES[2:]}


def test_a_line_outdated_by_any_statement_of_a_transaction_is_not_the_one_of_before(hospital: World) -> None:
    before = dict(turns(hospital))
    with hospital.services.database.writing() as connection:
        for _ in range(3):
            connection.exec_driver_sql("UPDATE images SET covert = 1 - covert")
    assert {study for study, turn in turns(hospital) if turn != before[study]} == set(STUDIES)


def turns(world: World) -> list[tuple[object, object]]:
    return [(study, turn) for study, turn in world.sql("SELECT study_instance_uid, turn FROM retention_lines")]


@pytest.mark.parametrize("count", [1, 40])
def test_however_many_pictures_a_statement_files_each_of_their_records_has_a_line(count: int, hospital: World) -> None:
    chance = Random(count)  # noqa: S311 - to be repeated
    rows = [picture(f"2.25.6{each}", f"2.25.7{chance.randrange(7)}", PEOPLE[0]) for each in range(count)]
    with hospital.services.database.writing() as connection:
        connection.execute(images.insert(), rows)
    lines = {str(study) for (study,) in hospital.sql("SELECT study_instance_uid FROM retention_lines")}
    assert lines == {*STUDIES, *(str(row["study_instance_uid"]) for row in rows)}
