"""Facts of patients: who may change what, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.model import Capacity, Gillick, Patient
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.patients import Key, Value
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.world import World

ANNA: Key = ("P9", "HOSP")
BORN = date(1980, 6, 15)


def known(world: World, born: date | None = BORN, who: Key = ANNA) -> None:
    with world.services.database.writing() as connection:
        patients.ensure(connection, *who, born)


def found(world: World, who: Key = ANNA) -> Patient:
    with world.services.database.reading() as connection:
        patient = patients.find(connection, *who)
    assert patient is not None
    return patient


def change(world: World, fact: str, value: Value, *, reason: str = "told by the ward", who: Key = ANNA) -> bool:
    with world.services.database.writing() as connection:
        return patients.change(
            connection,
            who,
            fact,
            value,
            reason=reason,
            by="clerk",
            at=world.clock(),
            change_id=world.services.ids(),
        )


def correct(world: World, born: date, reason: str = "typing error") -> bool:
    with world.services.database.writing() as connection:
        return patients.correct(
            connection, ANNA, born, reason=reason, by="clerk", at=world.clock(), change_id=world.services.ids()
        )


def history(world: World, who: Key = ANNA) -> list[tuple[object, ...]]:
    with world.services.database.reading() as connection:
        rows = [*patients.changes(connection, who)]
    return [(row["field"], row["old"], row["new"], row["reason"], row["changed_by"]) for row in rows]


@pytest.mark.parametrize(
    ("issuer", "expected"), [(None, "HOSP"), ("", "HOSP"), ("  ", "HOSP"), ("ELSEWHERE ", "ELSEWHERE")]
)
def test_a_number_without_issuer_is_the_hospital_s_own(issuer: str | None, expected: str) -> None:
    assert patients.key(" P9 ", issuer, "HOSP") == ("P9", expected)


@pytest.mark.parametrize(
    ("fact", "value", "attribute", "old", "new"),
    [
        ("death_date", date(2026, 2, 2), "death_date", None, "2026-02-02"),
        ("capacity", Capacity.LACKS, "capacity", "HAS", "LACKS"),
        ("gillick", Gillick.COMPETENT, "gillick", "NA", "COMPETENT"),
        ("national_data_opt_out", True, "national_data_opt_out", "0", "1"),
    ],
)
def test_a_fact_is_changed_and_the_change_is_kept_with_reason_and_person(
    fact: str, value: Value, attribute: str, old: str | None, new: str, world: World
) -> None:
    known(world)
    assert change(world, fact, value)
    assert getattr(found(world), attribute) == value
    assert history(world) == [(fact, old, new, "told by the ward", "clerk")]


def test_the_same_fact_again_changes_nothing_and_leaves_no_row(world: World) -> None:
    known(world)
    assert not change(world, "capacity", Capacity.HAS)
    assert history(world) == []


def test_a_death_told_in_error_is_taken_back(world: World) -> None:
    known(world)
    change(world, "death_date", date(2026, 2, 2))
    assert change(world, "death_date", None, reason="another patient of that name")
    assert found(world).death_date is None
    assert [row[1:3] for row in history(world)] == [(None, "2026-02-02"), ("2026-02-02", None)]


def test_a_birth_date_not_known_before_is_filled_in(world: World) -> None:
    known(world, None)
    assert change(world, "birth_date", BORN)
    assert found(world).dob == BORN


def test_a_birth_date_on_record_is_replaced_by_a_correction_alone(world: World) -> None:
    known(world)
    with pytest.raises(IllegalTransitionError, match="Correct it, with a reason"):
        change(world, "birth_date", date(1981, 6, 15))
    assert found(world).dob == BORN
    assert correct(world, date(1981, 6, 15))
    assert found(world).dob == date(1981, 6, 15)
    assert history(world) == [("birth_date", "1980-06-15", "1981-06-15", "typing error", "clerk")]


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_nothing_is_changed_without_a_reason(reason: str, world: World) -> None:
    known(world)
    with pytest.raises(IllegalTransitionError, match="Say why"):
        change(world, "capacity", Capacity.LACKS, reason=reason)
    with pytest.raises(IllegalTransitionError, match="Say why"):
        correct(world, date(1981, 1, 1), reason)
    assert (found(world).capacity, found(world).dob, history(world)) == (Capacity.HAS, BORN, [])


@pytest.mark.parametrize(
    ("fact", "value", "problem"),
    [
        ("death_date", date(2026, 11, 23), "lies in the future"),
        ("death_date", date(1980, 6, 14), "died before being born"),
        ("birth_date", None, "wrong kind"),
        ("capacity", Gillick.NA, "wrong kind"),
        ("capacity", None, "wrong kind"),
        ("gillick", Capacity.NA, "wrong kind"),
        ("national_data_opt_out", None, "wrong kind"),
        ("merged_into_id", "P1", "is not one of"),
        ("shoe_size", True, "is not one of"),
    ],
)
def test_a_value_that_can_t_be_is_refused_with_its_field(fact: str, value: Value, problem: str, world: World) -> None:
    known(world, None if fact == "birth_date" else BORN)
    with pytest.raises(IllegalTransitionError, match=f"{fact}: .*{problem}"):
        change(world, fact, value)
    assert history(world) == []


def test_a_correction_that_can_t_be_is_refused(world: World) -> None:
    known(world)
    change(world, "death_date", date(1990, 1, 1))
    for born, problem in ((date(1990, 1, 2), "before being born"), (date(2027, 1, 1), "future")):
        with pytest.raises(IllegalTransitionError, match=problem):
            correct(world, born)


def test_a_patient_who_isn_t_on_record_is_not_changed(world: World) -> None:
    with pytest.raises(UnknownRecordError, match="issuer"):
        change(world, "capacity", Capacity.LACKS)
    known(world)
    with pytest.raises(UnknownRecordError):
        change(world, "capacity", Capacity.LACKS, who=("P9", "ELSEWHERE"))


def test_an_older_feed_doesn_t_undo_a_newer_one(world: World) -> None:
    known(world)
    morning, noon = datetime(2026, 11, 22, 8, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)
    with world.services.database.writing() as connection:
        patients.fed(connection, ANNA, noon)
        patients.fed(connection, ANNA, noon)
        with pytest.raises(IllegalTransitionError, match="newer feed"):
            patients.fed(connection, ANNA, morning)
    assert world.sql("SELECT fed_at FROM patients") == [(noon.isoformat(),)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("capacity", "'PERHAPS'"),
        ("gillick", "''"),
        ("birth_date", "'15/06/1980'"),
        ("death_date", "'soon'"),
        ("national_data_opt_out", "2"),
    ],
)
def test_a_stored_word_that_isn_t_known_is_named_by_its_field_not_its_value(
    column: str, value: str, world: World
) -> None:
    known(world)
    world.sql(f"UPDATE patients SET {column} = {value}")  # noqa: S608
    with pytest.raises(UnreadableRowError, match=rf"patients\.{column}") as caught:
        found(world)
    assert "PERHAPS" not in str(caught.value)
