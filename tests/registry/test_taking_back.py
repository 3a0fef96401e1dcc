"""A source takes back what it told: no record is due sooner by it until somebody else has looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.cli.audit import RECORDS, _newest
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import people, takingback
from orthanc_plugin.lifecycle.act import UnnamedPersonError
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.lifecycle.retentionrows import TAKEN_BACK
from orthanc_plugin.policy.expiryholds import Population
from orthanc_plugin.policy.expirymodel import HoldKind, Status
from orthanc_plugin.registry import patients, retentionfacts
from orthanc_plugin.registry.retentionfacts import Recorded
from orthanc_plugin.registry.trail import details
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.records import ORDER, SEEN, activate, fed, held, standing
from tests.fakes.world import World

P1, P7 = ("P1", "HOSP"), ("P7", "HOSP")
STUDY = str(photograph().StudyInstanceUID)
LATER = {"patient_id": "P1", "last_contact": "2024-05-06"}
EVERYTHING = {
    **SEEN,
    "first_contact": "2010-01-01",
    "cancer_diagnosis": "2012-01-01",
    "procedures": "BIOPSY",
    "blood_products": "FACTOR_VIII",
    "death_date": "2016-01-01",
    "trial_id": "T1",
    "trial_regime": "PRE_2026",
    "trial_concluded": "2015-06-01",
    "ma_open_at_expiry": "yes",
    "ma_granted": "2016-02-01",
}
TASK = "pas took back last_contact: no retention date until somebody agrees"


@pytest.fixture
def office(world: World) -> World:
    """Give a photograph of P1, of whom the clinic told first, and the administration of a later contact."""
    activate(world)
    world.file(CARE, TEACHING)
    fed(world, source="clinic")
    fed(world, {**SEEN, **LATER})
    assert standing(world).due_date == date(2032, 5, 6)
    world.clock.advance(minutes=5)
    return world


def back(world: World, words: str = "last_contact", source: str = "pas", by: str = "feeder", **also: str) -> None:
    found = fed(world, {"patient_id": "P1", "taken_back": words, **also}, source=source, by=by)
    assert (found.report.applied, found.report.failed) == (1, 0)
    world.clock.advance(minutes=5)


def seen(world: World, source: str = "pas") -> str:
    with world.services.database.reading() as connection:
        return takingback.in_doubt(retentionfacts.of(connection, patients.numbers(connection, P1)), source)


def agreed(
    world: World, by: str = "governance", source: str = "pas", reason: str = "asked", saw: str | None = None
) -> tuple[Recorded, ...]:
    what = seen(world, source) if saw is None else saw
    with world.services.database.writing() as connection:
        return takingback.agree(connection, world.services.act(by, "test"), P1, source, reason, what)


def doubtful(world: World, source: str = "pas") -> list[tuple[str, ...]]:
    with world.services.database.reading() as connection:
        return [each.doubtful for each in retentionfacts.of(connection, (P1,)) if each.by.source == source]


def asked(world: World) -> list[tuple[object, object]]:
    kind = "COMPLETE_RETENTION_FACTS"
    return [(task["subject"], task["reason"]) for task in world.tasks() if task["kind"] == kind]


def is_sealed(world: World) -> bool:
    begins, seals = RECORDS["retention fact"]
    with world.services.database.reading() as connection:
        return _newest((detail for detail, _ in details(connection)), begins) == _newest(seals(connection), begins)


def died(world: World) -> date | None:
    with world.services.database.reading() as connection:
        known = patients.find(connection, *P1)
    assert known is not None
    return known.death_date


def test_what_is_taken_back_leaves_no_date_and_a_task_until_somebody_agrees(office: World) -> None:
    back(office)
    found = standing(office)
    assert (found.status, found.due_date, found.proposable) == (Status.UNRESOLVED, None, False)
    assert found.missing == ("whether pas was right to take back last_contact",)
    assert asked(office) == [(STUDY, TASK)]
    agreed(office)
    assert (standing(office).status, standing(office).due_date) == (Status.DUE, date(2023, 3, 10))  # by the clinic's
    assert asked(office) == []
    assert is_sealed(office)
    assert [entry["effect"] for entry in office.trail()][-2:] == ["TAKING_BACK_AGREED", "TASK_CLOSED"]


def test_what_no_other_source_tells_is_unknown_after_all(office: World) -> None:
    back(office)
    back(office, source="clinic")
    agreed(office)
    assert standing(office).missing == ("whether clinic was right to take back last_contact", "last contact")
    agreed(office, source="clinic")
    assert (standing(office).status, standing(office).missing) == (Status.UNRESOLVED, ("last contact",))


def test_it_stays_on_record_what_was_taken_back_as_of_when(office: World) -> None:
    moment = office.clock().isoformat()
    back(office)
    with office.services.database.reading() as connection:
        (row,) = (each for each in retentionfacts.of(connection, (P1,)) if each.by.source == "pas")
    assert (row.taken_back, row.told.last_contact, row.agreed_by) == ({"last_contact": (moment, "feeder")}, None, None)
    (found,) = agreed(office)
    assert found.doubtful == ("last_contact",)
    entries = [entry for entry in office.trail() if entry["effect"] == "RETENTION_FACTS"]
    assert entries[-1]["reasons"] == ["source pas", f"as of {moment}", "takes back last_contact"]


@pytest.mark.parametrize("name", TAKEN_BACK)
def test_whatever_is_taken_back_nothing_is_due_sooner_by_it_before_somebody_agrees(name: str, office: World) -> None:
    trial = {"trial_id": "T1"} if name.startswith(("trial", "ma_")) else {}
    regime = {"trial_regime": "PRE_2026"} if trial and name != "trial_regime" else {}
    told = {"trial_id": "T1", "trial_regime": "PRE_2026"} if trial else {}
    fed(office, {column: value for column, value in {**EVERYTHING, **told}.items() if trial or column not in OF_TRIALS})
    office.clock.advance(minutes=5)
    back(office, name, **trial, **regime)
    assert not standing(office).proposable
    assert standing(office).due_date is None
    assert doubtful(office).count((name,)) == 1
    agreed(office)
    assert doubtful(office).count((name,)) == 0


OF_TRIALS = ("trial_id", "trial_regime", "trial_concluded", "ma_open_at_expiry", "ma_granted")


def test_what_is_told_again_needs_nobody_to_agree(office: World) -> None:
    back(office)
    fed(office, {"patient_id": "P1", "last_contact": "2024-06-07"})
    assert doubtful(office) == [()]
    assert standing(office).due_date == date(2032, 6, 7)


def test_who_agreed_to_less_has_not_agreed_to_more(office: World) -> None:
    back(office)
    agreed(office)
    back(office)  # the same once more is no news
    assert doubtful(office) == [()]
    back(office, "last_contact|categories")
    assert doubtful(office) == [("categories", "last_contact")]
    assert not standing(office).proposable


def test_of_what_a_source_never_told_nothing_is_taken_back(office: World) -> None:
    back(office, "cancer_diagnosis|first_contact")
    back(office, "last_contact", source="another")
    assert doubtful(office) == [()]
    assert standing(office).due_date == date(2032, 5, 6)
    with pytest.raises(IllegalTransitionError, match="taken nothing back"):
        agreed(office)


@pytest.mark.parametrize("name", ["feeder", "Feeder", " FEEDER\u200b"])
def test_whoever_took_it_in_can_t_agree_however_they_write_their_name(name: str, office: World) -> None:
    back(office)
    with pytest.raises((IllegalTransitionError, UnnamedPersonError)):
        agreed(office, by=name)
    assert doubtful(office) == [("last_contact",)]


def test_whoever_took_it_in_can_t_agree_though_somebody_else_has_taken_in_something_since(office: World) -> None:
    back(office, by="governance")
    fed(office, {"patient_id": "P1", "first_contact": "2001-01-01"})  # every night, by whoever
    assert doubtful(office) == [("last_contact",)]
    with pytest.raises(IllegalTransitionError, match="took it in"):
        agreed(office)
    assert agreed(office, by="derm")


def test_whoever_took_in_one_of_several_can_t_agree_to_all(office: World) -> None:
    back(office, by="governance")
    back(office, "categories")
    with pytest.raises(IllegalTransitionError, match="took it in"):
        agreed(office)
    assert doubtful(office) == [("categories", "last_contact")]


def test_a_picture_that_was_never_made_for_care_has_no_date_either_while_its_trial_is_in_doubt(world: World) -> None:
    activate(world)
    world.record(consent(CARE, retention_told={"text": "kept", "until": "2025-06-01"}))
    world.receive(encoded(photograph()))
    world.sql("UPDATE images SET made_for = 'SECONDARY'")
    world.record(
        consent(
            TEACHING,
            id="urn:x:told",
            level="PATIENT",
            retention_told={"text": "kept until then", "until": "2025-06-01"},
        )
    )
    trial = {"trial_id": "T1", "trial_regime": "UK_2026"}
    fed(world, {"patient_id": "P1", **trial, "trial_concluded": "2020-06-01"})
    assert standing(world).due_date == date(2045, 6, 1)
    world.clock.advance(minutes=5)
    back(world, "trial_regime|trial_concluded", trial_id="T1")
    assert (standing(world).status, standing(world).due_date) == (Status.UNRESOLVED, None)
    agreed(world)
    assert (standing(world).status, standing(world).due_date) == (Status.DUE, date(2025, 6, 1))


def test_nobody_agrees_whom_the_policy_doesn_t_know_nor_without_a_reason_nor_about_somebody_else(office: World) -> None:
    back(office)
    with pytest.raises(UnnamedPersonError):
        agreed(office, by="somebody")
    with pytest.raises(IllegalTransitionError, match="reason"):
        agreed(office, reason=" ")
    saw, act = seen(office), office.services.act("governance", "test")
    with office.services.database.writing() as connection, pytest.raises(UnknownRecordError):
        takingback.agree(connection, act, P7, "pas", "asked", saw)
    assert doubtful(office) == [("last_contact",)]


def test_a_death_is_taken_back_by_the_source_that_told_it_alone(office: World) -> None:
    fed(office, {"patient_id": "P1", "death_date": "2025-01-01"})
    office.clock.advance(minutes=5)
    back(office, "death_date", source="clinic")
    assert died(office) == date(2025, 1, 1)
    assert doubtful(office, "clinic") == [()]
    back(office, "death_date")
    assert died(office) is None
    assert doubtful(office) == [("death_date",)]
    assert not standing(office).proposable
    fed(office, {"patient_id": "P1", "death_date": "2025-01-02"})
    assert (died(office), doubtful(office)) == (date(2025, 1, 2), [()])


def test_a_death_that_a_person_recorded_since_is_no_source_s_to_take_back(office: World) -> None:
    fed(office, {"patient_id": "P1", "death_date": "2025-01-01"})
    act = office.services.act("clerk", "test")
    with office.services.database.writing() as connection:
        people.tell(connection, act, Told(who=P1, facts={"death_date": date(2025, 2, 2)}, reason="the certificate"))
    office.clock.advance(minutes=5)
    back(office, "death_date")
    assert (died(office), doubtful(office)) == (date(2025, 2, 2), [()])


def test_a_hold_on_a_population_stays_while_what_it_asks_about_is_in_doubt(office: World) -> None:
    fed(office, {**SEEN, "departments": "Haematology"}, source="clinic")
    fed(office, {**SEEN, **LATER, "departments": "Dermatology"})
    held(office, replace(ORDER, kind=HoldKind.LITIGATION, patients=(), population=Population(departments=DERMATOLOGY)))
    office.clock.advance(minutes=5)
    back(office, "departments")
    assert len(standing(office).holds) == 1
    agreed(office)
    assert standing(office).holds == ()


DERMATOLOGY = frozenset({"Dermatology"})


@pytest.mark.parametrize(
    "change",
    [
        "taken_back = NULL",
        "agreed_by = 'governance', agreed_at = '2026-11-22'",
        'taken_back = \'{"categories": ["2026-11-22", "feeder"]}\'',
        """taken_back = replace(taken_back, 'feeder', 'somebody')""",
    ],
)
def test_the_audit_notices_a_taking_back_that_was_changed_behind_its_back(change: str, office: World) -> None:
    back(office)
    assert is_sealed(office)
    office.sql(f"UPDATE retention_facts SET {change} WHERE source = 'pas'")  # noqa: S608 - our own words
    assert not is_sealed(office)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"taken_back": "last_contact", "last_contact": "2020-01-01"}, "taken_back"),
        ({"taken_back": "birth_date"}, "taken_back"),
        ({"taken_back": "last_contacts"}, "taken_back"),
        ({"taken_back": "patient_id"}, "taken_back"),
        ({"taken_back": "trial_concluded"}, "trial_id"),
        ({"taken_back": "trial_concluded", "trial_id": "T1"}, "trial_regime"),
    ],
)
def test_what_can_t_be_taken_back_is_named_and_the_source_is_not_fresh(
    row: dict[str, str], field: str, office: World
) -> None:
    found = fed(office, {"patient_id": "P1", **row})
    assert (found.report.failed, found.feed) == (1, None)
    assert found.report.errors is not None
    assert field in found.report.errors.read_text()
    assert standing(office).due_date == date(2032, 5, 6)
