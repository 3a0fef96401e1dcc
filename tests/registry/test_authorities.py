"""Authorities beside consent: recorded by one person, verified by another, ended, and read for one picture."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.gate import asked
from orthanc_plugin.policy.model import Authority, AuthorityType, Switches
from orthanc_plugin.registry import authorities, facts, merging, patients
from orthanc_plugin.registry.authorities import Claim, IncompleteAuthorityError, Recorded
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

ORDER = Claim(
    type=AuthorityType.COURT_ORDER,
    patient_id="P1",
    issuer="HOSP",
    document="file 2026/17",
    requested_by="the-police",
    approved_by="his-honour",
    valid_from=date(2026, 11, 1),
    valid_to=date(2026, 11, 30),
)


def record(world: World, claim: Claim = ORDER, name: str = "order", by: str = "clerk") -> None:
    with world.services.database.writing() as connection:
        authorities.record(connection, claim, authority_id=name, by=by, at=world.clock())


def verify(world: World, by: str = "solicitor", name: str = "order") -> Recorded:
    with world.services.database.writing() as connection:
        return authorities.verify(connection, name, by=by, at=world.clock())


def end(world: World, by: str = "clerk") -> Recorded:
    with world.services.database.writing() as connection:
        return authorities.end(connection, "order", by=by, at=world.clock())


def told(world: World, on: date | None = None) -> list[Authority]:
    request = asked(world.request(), world.clock())
    with world.services.database.reading() as connection:
        request = replace(request, as_of=on or request.as_of)
        return [*facts.case(connection, UID, request, Switches(), "case").authorities]


def test_an_authority_counts_as_verified_once_somebody_else_looked(world: World) -> None:
    world.file(CARE)
    record(world)
    assert told(world) == [
        Authority(
            type=AuthorityType.COURT_ORDER,
            verified=False,
            covers_image=True,
            approved_by="his-honour",
            requested_by="the-police",
        )
    ]
    assert verify(world).verified_by == "solicitor"
    assert [each.verified for each in told(world)] == [True]


@pytest.mark.parametrize("by", ["clerk", "Clerk", " clerk ", "\uff43lerk", "The-Police"])
def test_whoever_recorded_an_authority_or_asked_for_it_can_t_verify_it(by: str, world: World) -> None:
    record(world)
    with pytest.raises(IllegalTransitionError, match="somebody else"):
        verify(world, by)


def test_an_authority_is_verified_once_and_not_after_its_end(world: World) -> None:
    record(world)
    verify(world)
    with pytest.raises(IllegalTransitionError, match="verified already"):
        verify(world)
    end(world)
    with pytest.raises(IllegalTransitionError, match="ended"):
        verify(world)
    with pytest.raises(IllegalTransitionError, match="ended"):
        end(world)


def test_an_ended_authority_covers_nothing_and_stays_on_record(world: World) -> None:
    world.file(CARE)
    record(world)
    verify(world)
    assert end(world).ended_by == "clerk"
    assert [(each.verified, each.covers_image) for each in told(world)] == [(True, False)]


@pytest.mark.parametrize(
    ("on", "covered"),
    [
        (date(2026, 10, 31), False),
        (date(2026, 11, 1), True),
        (date(2026, 11, 30), True),
        (date(2026, 12, 1), False),
    ],
)
def test_an_authority_covers_from_its_first_day_to_its_last(on: date, covered: bool, world: World) -> None:
    world.file(CARE)
    record(world)
    assert [each.covers_image for each in told(world, on)] == [covered]


def test_an_authority_without_an_end_covers_for_good(world: World) -> None:
    world.file(CARE)
    record(world, replace(ORDER, valid_to=None))
    assert [each.covers_image for each in told(world, ORDER.valid_from + timedelta(days=36500))] == [True]


@pytest.mark.parametrize(
    ("targets", "covered"),
    [
        ((), True),
        ((UID,), True),
        (("2.25.1",), True),
        (("2.25.2",), True),
        (("2.25.77", "2.25.2"), True),
        (("2.25.77",), False),
    ],
)
def test_an_authority_covers_the_pictures_that_it_names(targets: tuple[str, ...], covered: bool, world: World) -> None:
    world.file(CARE)
    record(world, replace(ORDER, targets=targets))
    assert [each.covers_image for each in told(world)] == [covered]


def test_another_patient_s_authority_doesn_t_count_until_the_two_are_one(world: World) -> None:
    world.file(CARE)
    record(world, replace(ORDER, patient_id="P2"))
    assert told(world) == []
    with world.services.database.writing() as connection:
        patients.ensure(connection, "P2", "HOSP", None)
        why = merging.Why(reason="same person", by="clerk", at=world.clock(), ids=world.services.ids)
        merging.merge(connection, ("P2", "HOSP"), ("P1", "HOSP"), why)
    assert [each.covers_image for each in told(world)] == [True]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"patient_id": " "}, "patient_id: is missing"),
        ({"document": ""}, "document: is missing"),
        ({"valid_to": date(2026, 10, 31)}, "valid_to: is before valid_from"),
        ({"targets": ("2.25.1", "the hand")}, r"targets\[1\]"),
        ({"approved_by": "x" * 65}, "approved_by: is longer"),
    ],
)
def test_an_authority_that_lacks_something_is_refused_with_the_field(
    changes: dict[str, object], problem: str, world: World
) -> None:
    with pytest.raises(IncompleteAuthorityError, match=problem):
        record(world, replace(ORDER, **changes))
    with world.services.database.reading() as connection:
        assert authorities.listed(connection) == []


def test_authorities_are_listed_as_recorded(world: World) -> None:
    record(world)
    world.clock.advance(minutes=1)
    record(world, replace(ORDER, patient_id="P2", targets=("2.25.9",), notify_prohibited=True), "second")
    with world.services.database.reading() as connection:
        both = authorities.listed(connection)
        assert [each.authority_id for each in both] == ["order", "second"]
        assert authorities.listed(connection, "P2", "HOSP") == both[1:]
        assert authorities.listed(connection, "P2") == both[1:]
        assert authorities.listed(connection, "P2", "ELSEWHERE") == []
    assert both[0].claim == ORDER
    assert (both[1].claim.targets, both[1].claim.notify_prohibited) == (("2.25.9",), True)


def test_an_authority_that_isn_t_on_record_can_t_be_verified(world: World) -> None:
    with pytest.raises(UnknownRecordError, match="authority list"):
        verify(world)


@pytest.mark.parametrize(
    ("column", "value"),
    [("type", "'DECREE'"), ("targets", "'all'"), ("valid_from", "'soon'"), ("notify_prohibited", "3")],
)
def test_a_stored_word_that_isn_t_known_leaves_no_case(column: str, value: str, world: World) -> None:
    world.file(CARE)
    record(world)
    world.sql(f"UPDATE authorities SET {column} = {value}")  # noqa: S608
    with pytest.raises(UnreadableRowError, match=rf"authorities\.{column}"):
        told(world)
    with (
        pytest.raises(UnreadableRowError, match=rf"authorities\.{column}"),
        world.services.database.reading() as connection,
    ):
        authorities.listed(connection)
