"""Two numbers of one person: merged, facts taken together, and unmerged again."""

from __future__ import annotations

from datetime import date

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.model import Capacity, Gillick
from orthanc_plugin.registry import merging, patients
from orthanc_plugin.registry.merging import Why
from orthanc_plugin.registry.patients import Key, Value
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.world import World
from tests.registry.test_patients import change, found, history, known

A, B, C, D = (("A", "HOSP"), ("B", "HOSP"), ("C", "GP"), ("D", "HOSP"))
BORN = date(1980, 6, 15)


def why(world: World, reason: str = "same person") -> Why:
    return Why(reason=reason, by="clerk", at=world.clock(), ids=world.services.ids)


def merge(world: World, who: Key, into: Key, reason: str = "same person") -> None:
    world.clock.advance(seconds=1)
    with world.services.database.writing() as connection:
        merging.merge(connection, who, into, why(world, reason))


def unmerge(world: World, who: Key, reason: str = "two people after all") -> None:
    world.clock.advance(seconds=1)
    with world.services.database.writing() as connection:
        merging.unmerge(connection, who, why(world, reason))


def pointers(world: World) -> dict[str, str]:
    rows = world.sql("SELECT patient_id, merged_into_id FROM patients WHERE merged_into_id IS NOT NULL")
    return {str(who): str(into) for who, into in rows}


@pytest.fixture
def four(world: World) -> World:
    for who in (A, B, C, D):
        known(world, BORN, who)
    return world


def test_a_merge_keeps_reason_and_person_and_is_undone(four: World) -> None:
    merge(four, A, C)
    assert pointers(four) == {"A": "C"}
    unmerge(four, A)
    assert pointers(four) == {}
    assert history(four, A) == [
        ("merged_into_id", None, "C", "same person", "clerk"),
        ("merged_into_issuer", None, "GP", "same person", "clerk"),
        ("merged_into_id", "C", None, "two people after all", "clerk"),
        ("merged_into_issuer", "GP", None, "two people after all", "clerk"),
    ]


def test_a_merged_number_has_the_survivor_s_facts(four: World) -> None:
    for who in (A, C):
        change(four, "capacity", Capacity.LACKS, who=who)
    change(four, "gillick", Gillick.NOT_COMPETENT, who=C)
    merge(four, A, C)
    assert (found(four, A).id, found(four, A).capacity) == ("C", Capacity.LACKS)
    assert found(four, A).gillick is Gillick.NOT_COMPETENT
    unmerge(four, A)
    assert (found(four, A).id, found(four, A).gillick) == ("A", Gillick.NA)


@pytest.mark.parametrize(
    ("fact", "able", "unable"),
    [
        ("capacity", Capacity.HAS, Capacity.LACKS),
        ("capacity", Capacity.HAS, Capacity.UNKNOWN),
        ("gillick", Gillick.COMPETENT, Gillick.NOT_COMPETENT),
    ],
)
@pytest.mark.parametrize(("who", "into"), [(A, B), (B, A)])
def test_whoever_is_able_to_decide_under_one_number_is_so_under_all(
    fact: str, able: Value, unable: Value, who: Key, into: Key, four: World
) -> None:
    change(four, fact, able, who=A)
    change(four, fact, unable, who=B)
    merge(four, who, into)
    assert {getattr(found(four, each), fact) for each in (A, B)} == {able}
    unmerge(four, who)
    assert (getattr(found(four, A), fact), getattr(found(four, B), fact)) == (able, unable)


def test_what_the_survivor_s_row_lacks_comes_from_the_other_one_until_unmerged(world: World) -> None:
    known(world, BORN, A)
    known(world, None, B)
    change(world, "death_date", date(2026, 2, 2), who=A)
    change(world, "national_data_opt_out", True, who=A)
    merge(world, A, B)
    kept = found(world, B)
    assert (kept.dob, kept.death_date, kept.national_data_opt_out) == (BORN, date(2026, 2, 2), True)
    unmerge(world, A)
    alone = found(world, B)
    assert (alone.dob, alone.death_date, alone.national_data_opt_out) == (None, None, False)


def test_a_chain_points_straight_at_the_survivor(four: World) -> None:
    merge(four, A, B)
    merge(four, B, C)
    merge(four, C, D)
    assert pointers(four) == {"A": "D", "B": "D", "C": "D"}


@pytest.mark.parametrize(
    ("taken_out", "left"),
    [
        (A, {"B": "D", "C": "D"}),
        (B, {"A": "B", "C": "D"}),
        (C, {"A": "C", "B": "C"}),
    ],
)
def test_whoever_leaves_a_chain_takes_along_who_came_through_them(
    taken_out: Key, left: dict[str, str], four: World
) -> None:
    merge(four, A, B)
    merge(four, B, C)
    merge(four, C, D)
    unmerge(four, taken_out)
    assert pointers(four) == left


def test_what_was_undone_once_is_done_and_undone_again(four: World) -> None:
    merge(four, A, B)
    merge(four, B, C)
    unmerge(four, B)
    assert pointers(four) == {"A": "B"}
    unmerge(four, A)
    merge(four, A, C)
    merge(four, B, C)
    unmerge(four, B)
    assert pointers(four) == {"A": "C"}


def test_a_patient_isn_t_merged_into_itself(four: World) -> None:
    with pytest.raises(IllegalTransitionError, match="two different numbers"):
        merge(four, A, A)


@pytest.mark.parametrize(("who", "into"), [(A, C), (C, A), (B, A)], ids=["again", "into a merged one", "a circle"])
def test_a_merged_number_takes_no_part_in_another_merge(who: Key, into: Key, four: World) -> None:
    merge(four, A, B)
    with pytest.raises(IllegalTransitionError, match="merged into another patient before"):
        merge(four, who, into)
    assert pointers(four) == {"A": "B"}


@pytest.mark.parametrize("fact", ["birth_date", "death_date"])
def test_contradictory_dates_refuse_a_merge_and_name_the_remedy(fact: str, world: World) -> None:
    known(world, date(1980, 1, 1), A)
    known(world, date(1980, 1, 2) if fact == "birth_date" else date(1980, 1, 1), B)
    if fact == "death_date":
        change(world, "death_date", date(2026, 1, 1), who=A)
        change(world, "death_date", date(2026, 1, 2), who=B)
    with pytest.raises(IllegalTransitionError, match="Correct the one that is wrong"):
        merge(world, A, B)
    assert pointers(world) == {}


def test_a_contradiction_with_anybody_merged_before_counts_too(world: World) -> None:
    known(world, date(1980, 1, 1), A)
    known(world, None, B)
    known(world, date(1990, 1, 1), C)
    merge(world, A, B)
    with pytest.raises(IllegalTransitionError, match="birth dates"):
        merge(world, C, B)
    with pytest.raises(IllegalTransitionError, match="birth dates"):
        merge(world, B, C)


def test_a_merge_wants_a_reason_and_two_known_patients(four: World) -> None:
    with pytest.raises(IllegalTransitionError, match="Say why"):
        merge(four, A, B, " ")
    for who, into in ((A, ("Z", "HOSP")), (("Z", "HOSP"), A)):
        with pytest.raises(UnknownRecordError):
            merge(four, who, into)
    assert pointers(four) == {}


def test_who_was_never_merged_can_t_be_unmerged(four: World) -> None:
    with pytest.raises(IllegalTransitionError, match="isn't merged"):
        unmerge(four, A)


def test_facts_of_a_merged_number_are_changed_at_the_survivor_s_only(four: World) -> None:
    merge(four, A, B)
    with pytest.raises(IllegalTransitionError, match="number that was kept"):
        change(four, "capacity", Capacity.LACKS, who=A)


def test_an_object_with_the_old_number_and_another_birth_date_fills_nothing_in(four: World) -> None:
    merge(four, A, B)
    with four.services.database.writing() as connection:
        assert patients.ensure(connection, *A, date(1999, 9, 9)).dob == BORN


def test_a_survivor_who_is_missing_is_an_error(four: World) -> None:
    merge(four, A, B)
    four.sql("DELETE FROM patients WHERE patient_id = 'B'")
    with pytest.raises(UnreadableRowError, match="merged_into_id"):
        found(four, A)
