"""What a picture's date rests on, on SQLite and PostgreSQL: feeds, several numbers of one person, consents, holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from dicomwrap.terms import Audience
from orthanc_plugin.config.schedulefile import shipped_text
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import holding, people, scheduling, subjectaccess
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.access import Handover
from orthanc_plugin.policy.expiryholds import Population
from orthanc_plugin.policy.expirymodel import HoldKind, Status
from orthanc_plugin.policy.model import MadeFor
from orthanc_plugin.registry import holds, images, retentionfacts
from tests.fakes.pictures import CARE, TEACHING, UID, consent
from tests.fakes.records import ORDER, SEEN, activate, fed, held, rests_on, standing
from tests.fakes.world import POLICY, World, make_world

OFFICER = """
[[disposition.officers]]
person = "A. Lawyer"
accounts = ["lawyer", "law-2"]
may = ["propose"]
"""
UNTIL = {"text": "for two years", "until": "2027-01-31"}


@pytest.fixture
def office(either_world: World) -> World:
    """Give a registry with a schedule in force and a photograph of P1."""
    activate(either_world)
    either_world.file(CARE, TEACHING)
    return either_world


@pytest.fixture
def clinic(world: World) -> World:
    """Give the same on SQLite alone, with P1 last seen in 2015."""
    activate(world)
    world.file(CARE, TEACHING)
    fed(world)
    return world


def made_for_teaching(world: World) -> None:
    with world.services.database.writing() as connection:
        images.change(connection, UID, {"made_for": MadeFor.SECONDARY})


def merge(world: World, into: str) -> None:
    act = world.services.act("clerk", "test")
    with world.services.database.writing() as connection:
        people.feed(
            connection,
            act,
            Told(who=("P1", "HOSP"), facts={}, reason="same person", as_of=act.at, merged_into=(into, "HOSP")),
        )


def test_a_picture_has_its_date_from_what_the_feed_told_and_never_from_its_own_day(office: World) -> None:
    assert standing(office).status is Status.UNRESOLVED
    assert fed(office).feed is not None
    found = standing(office)
    assert (found.status, found.governing_rule, found.due_date) == (Status.DUE, "ADULT_GENERAL", date(2023, 3, 10))
    assert found.proposable
    fed(office, {**SEEN, "last_contact": "2026-11-01"}, as_of=office.clock())
    assert standing(office).due_date == date(2034, 11, 1)


def test_a_dry_run_looks_at_every_record_and_moves_none(office: World) -> None:
    fed(office)
    text = shipped_text().replace('period = "P8Y"', 'period = "P10Y"', 2)
    found = scheduling.propose(office.services.database, office.services.act("governance", "test"), text)
    assert [str(each.after.due_date) for each in found.moves] == ["2025-03-10"]
    assert standing(office).due_date == date(2023, 3, 10)


def test_a_hold_counts_at_once_and_until_somebody_else_lifts_it(office: World) -> None:
    fed(office)
    placed = held(office)
    found = standing(office)
    assert (found.status, found.due_date, found.proposable) == (Status.HELD, date(2023, 3, 10), False)
    assert [each.authority for each in found.holds] == ["Trust solicitor"]
    with office.services.database.writing() as connection:
        holding.lift(connection, office.services.act("derm", "test"), placed.hold_id, "court", "settled")
    assert standing(office).status is Status.DUE
    assert rests_on(office).holds[0].released_on == office.clock().date()


def test_whoever_placed_a_hold_can_t_lift_it_however_they_write_their_name(clinic: World) -> None:
    placed = held(clinic)
    for name in ("lawyer", "Lawyer", " LAWYER\u200b"):
        with clinic.services.database.writing() as connection, pytest.raises(IllegalTransitionError):
            holding.lift(connection, clinic.services.act(name, "test"), placed.hold_id, "court", "settled")
    assert standing(clinic).status is Status.HELD


def test_another_account_of_who_placed_a_hold_can_t_lift_it_either(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=POLICY + OFFICER)
    placed = held(world)
    for name in ("law-2", "A. Lawyer"):
        with world.services.database.writing() as connection, pytest.raises(IllegalTransitionError):
            holding.lift(connection, world.services.act(name, "test"), placed.hold_id, "court", "settled")
    world.close()


def test_a_hold_on_a_number_reaches_the_person_after_a_merge(clinic: World) -> None:
    held(clinic, replace(ORDER, patients=(("P9", "HOSP"),)))
    assert standing(clinic).status is Status.DUE
    merge(clinic, "P9")
    assert standing(clinic).status is Status.HELD


def test_what_is_told_under_another_number_of_the_same_person_counts(clinic: World) -> None:
    merge(clinic, "P9")
    fed(clinic, {**SEEN, "patient_id": "P9", "last_contact": "2025-01-01", "categories": "SARC"})
    assert (standing(clinic).governing_rule, standing(clinic).due_date) == ("SARC", date(2055, 1, 1))


def test_a_hold_on_a_population_reaches_records_that_come_to_it_later(clinic: World) -> None:
    factor = Population(blood_products=frozenset({"FACTOR_VIII"}))
    clinic.clock.advance(minutes=1)
    fed(clinic, {**SEEN, "blood_products": "none"})
    held(clinic, replace(ORDER, kind=HoldKind.INFECTED_BLOOD_COMPENSATION, patients=(), population=factor))
    assert standing(clinic).status is Status.DUE
    clinic.clock.advance(minutes=1)
    fed(clinic, {**SEEN, "blood_products": "FACTOR_VIII"})
    assert standing(clinic).status is Status.HELD


def test_a_source_that_needn_t_be_fresh_tells_nobody_out_of_care_nor_without_categories(office: World) -> None:
    fed(office, {"patient_id": "P1", "last_contact": "2001-01-01"})
    fed(office, source="old-list")
    found = standing(office)
    assert (found.status, len(found.missing), found.proposable) == (Status.UNRESOLVED, 2, False)
    office.clock.advance(minutes=1)
    fed(office)
    fed(office, {**SEEN, "categories": "SARC"}, source="old-list")
    assert standing(office).governing_rule == "SARC"


def test_a_hold_on_years_reaches_from_the_first_contact_that_any_source_told_to_the_last(clinic: World) -> None:
    clinic.clock.advance(minutes=1)
    fed(clinic, {**SEEN, "first_contact": "2010-01-01"})
    held(clinic, replace(ORDER, patients=(), population=Population(years=(1970, 1991))))
    assert standing(clinic).status is Status.DUE
    fed(clinic, {"patient_id": "P1", "first_contact": "1985-05-05"}, source="index")
    assert standing(clinic).status is Status.HELD


def made(world: World, **facts: object) -> None:
    with world.services.database.writing() as connection:
        images.change(connection, UID, facts)


@pytest.mark.parametrize(
    ("facts", "population"),
    [
        ({"department": "Burns Unit"}, Population(departments=frozenset({"burns  unit"}))),
        ({"made_on": None}, Population(years=(1970, 1991))),
        ({"made_on": date(1985, 5, 5)}, Population(years=(1970, 1991))),
    ],
    ids=["the department that the picture names", "nobody knows when it was made", "the year in which it was made"],
)
def test_a_hold_on_a_population_reaches_what_the_picture_says_and_what_nobody_can_say(
    facts: dict[str, object], population: Population, clinic: World
) -> None:
    clinic.clock.advance(minutes=1)
    fed(clinic, {**SEEN, "first_contact": "2010-01-01"})
    held(clinic, replace(ORDER, patients=(), population=population))
    assert standing(clinic).status is Status.DUE
    made(clinic, **facts)
    assert standing(clinic).status is Status.HELD


def test_a_hold_that_a_clock_ahead_placed_holds_today(clinic: World) -> None:
    clinic.clock.advance(days=1)
    held(clinic)
    clinic.clock.advance(days=-1)
    assert standing(clinic).status is Status.HELD


@pytest.mark.parametrize("number", ["P1", "P9"])
def test_an_open_request_for_subject_access_holds_under_every_number_until_it_is_closed(
    number: str, office: World
) -> None:
    fed(office)
    merge(office, "P9")
    act = office.services.act("records", "test")
    asked = subjectaccess.Asking(
        who=(number, "HOSP"),
        audience=Audience.PATIENT,
        handover=Handover.IN_PERSON,
        received_on=act.day,
        note="by letter",
    )
    with office.services.database.writing() as connection:
        request = subjectaccess.open_(connection, act, asked)
    assert [hold.kind for hold in standing(office).holds] == [HoldKind.SUBJECT_ACCESS_OPEN]
    with office.services.database.writing() as connection:
        subjectaccess.close(connection, act, request.request_id, given=False, outcome="nothing given")
    assert standing(office).status is Status.DUE


def test_a_hold_on_what_nobody_has_told_of_the_patient_reaches_them(clinic: World) -> None:
    held(clinic, replace(ORDER, patients=(), population=Population(procedures=frozenset({"MESH"}))))
    assert standing(clinic).status is Status.HELD


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"authority": " "}, "authority"),
        ({"reason": ""}, "reason"),
        ({"patients": ()}, "patients"),
        ({"patients": (("", "HOSP"),)}, "patients"),
        ({"review_on": date(2026, 11, 21)}, "review_on"),
        ({"population": Population(years=(1991, 1970))}, "years"),
    ],
)
def test_a_hold_that_doesn_t_say_enough_is_refused(changes: dict[str, object], place: str, clinic: World) -> None:
    with pytest.raises(holds.IncompleteHoldError) as caught:
        held(clinic, replace(ORDER, **changes))  # type: ignore[arg-type]
    assert any(problem.startswith(place) for problem in caught.value.problems)
    with clinic.services.database.reading() as connection:
        assert holds.listed(connection) == ()


def test_a_stale_source_allows_no_proposal_but_moves_nothing(clinic: World) -> None:
    clinic.clock.advance(hours=24)
    assert standing(clinic).proposable
    clinic.clock.advance(seconds=1)
    found = standing(clinic)
    assert (found.proposable, found.stale, found.due_date) == (False, ("pas",), date(2023, 3, 10))


def test_a_picture_made_for_teaching_ends_with_its_promise_and_with_the_withdrawal_of_all(clinic: World) -> None:
    made_for_teaching(clinic)
    assert standing(clinic).status is Status.UNRESOLVED
    clinic.record(consent(TEACHING, id="urn:x:told", level="PATIENT", retention_told=UNTIL))
    clinic.withdraw()
    assert (standing(clinic).governing_rule, standing(clinic).due_date) == ("SECONDARY_ONLY", date(2027, 1, 31))
    clinic.withdraw("urn:x:told")
    assert standing(clinic).due_date == clinic.clock().date()


def test_an_older_word_of_the_same_source_is_refused(clinic: World) -> None:
    said = retentionfacts.From(source="pas", told_at=clinic.clock() - timedelta(days=1))
    with clinic.services.database.writing() as connection, pytest.raises(IllegalTransitionError, match="newer"):
        retentionfacts.record(
            connection, ("P1", "HOSP"), said, retentionfacts.Told(), fact_id="x", by="x", at=clinic.clock()
        )
