"""The way in for what the patient said no to: by its UID, by its session, by its consent's end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.consentstamp import stamp_of
from dicomwrap.terms import Purpose, WithdrawalPhase
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.lifecycle import approval, capture, people, withdrawal
from orthanc_plugin.registry import patients, quarantine
from orthanc_plugin.registry.captures import StopKind
from tests.fakes.clinic import STUDY, clinic, kept, waiting, way_in
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which every photograph waits for the patient."""
    made = clinic(tmp_path, "every")
    yield made
    made.close()


def taken_back(world: World) -> None:
    held = waiting(world)
    with world.services.database.writing() as connection:
        approval.withdraw(connection, world.services.act("nurse", "test"), held.quarantine_id, "no", refuse=False)
    world.services.spool.drop(held.spool_name)


def withdrawn(world: World, phase: WithdrawalPhase, *purposes: Purpose) -> None:
    with world.services.database.writing() as connection:
        act = world.services.act("nurse", "test")
        withdrawal.withdraw(connection, act, CONSENT_ID, purposes, on=act.day, note=Withdrawal(phase=phase))


def test_a_picture_that_was_taken_back_is_refused_in_whatever_bytes_it_comes_again(world: World) -> None:
    world.record(consent())
    world.receive()
    taken_back(world)
    with pytest.raises(IntakeRefusedError, match="took this picture back"):
        world.receive(encoded(photograph(InstanceNumber="7")))
    assert (kept(world), world.rows(), world.held()) == ((), [], [])


def test_taking_a_picture_back_takes_back_its_other_encodings_too(world: World) -> None:
    world.record(consent())
    world.receive()
    world.clock.advance(minutes=1)
    world.receive(encoded(photograph(InstanceNumber="7")))
    with world.services.database.writing() as connection:
        (first, _) = quarantine.unfiled(connection, STUDY)
        act = world.services.act("nurse", "test")
        approval.withdraw(connection, act, first.quarantine_id, "no", refuse=False)
    world.clock.advance(minutes=40)
    assert approval.sweep(way_in(world), world.services.act("consentgate", "test")).filed == ()
    assert (world.rows(), [entry["effect"] for entry in world.trail()].count("DELETED_UNFILED")) == ([], 2)


@pytest.mark.parametrize("purposes", [(), (Purpose.DIRECT_CARE,)], ids=["whole", "care alone"])
def test_after_a_withdrawal_during_capture_nothing_more_of_the_session_is_taken(
    purposes: tuple[Purpose, ...], world: World
) -> None:
    world.record(consent(CARE, TEACHING))
    withdrawn(world, WithdrawalPhase.DURING_CAPTURE, *purposes)
    with pytest.raises(IntakeRefusedError, match="while the pictures were taken"):
        world.receive()
    assert (kept(world), world.rows()) == ((), [])
    world.clock.advance(days=1)  # of another day: kept, and looked at
    assert world.receive().reasons[0].startswith("CONSENT_NOT_IN_FORCE")


@pytest.mark.parametrize(
    ("phase", "purposes"),
    [(WithdrawalPhase.LATER, ()), (WithdrawalPhase.DURING_CAPTURE, (Purpose.TEACHING,))],
)
def test_another_withdrawal_does_not_have_pictures_thrown_away(
    phase: WithdrawalPhase, purposes: tuple[Purpose, ...], world: World
) -> None:
    world.record(consent(CARE, TEACHING))
    withdrawn(world, phase, *purposes)
    assert world.receive().content is None
    assert len(kept(world)) == 1


def test_a_start_drops_from_the_spool_what_the_patient_objected_to_meanwhile(world: World) -> None:
    name = f"{hashlib.sha256(photograph_bytes()).hexdigest()}.dcm"
    world.services.spool.put(name, photograph_bytes())  # a crash between the file and its row
    with world.services.database.writing() as connection:
        act = world.services.act("photographer", "test")
        capture.stop(connection, act, STUDY, StopKind.DISTRESS, "Cried.", patient=("P1", "HOSP"))
    Intake(world.services).recover()
    assert (world.held(), kept(world)) == ([], ())
    assert world.trail()[-1]["rules"] == ["OBJECTED"]


@pytest.mark.parametrize(
    ("scopes", "purposes", "rule"),
    [
        (({**CARE, "valid_to": "2026-11-21"},), (), "CONSENT_NOT_IN_FORCE"),
        (({**CARE, "valid_to": "2026-11-22"},), (), "AWAITING_PATIENT_APPROVAL"),
        ((CARE, TEACHING), (Purpose.DIRECT_CARE,), "CONSENT_NOT_IN_FORCE"),
        ((CARE, TEACHING), (Purpose.TEACHING,), "AWAITING_PATIENT_APPROVAL"),
    ],
)
def test_a_consent_that_ended_for_care_files_nothing_though_it_is_stored_as_given(
    scopes: tuple[dict[str, object], ...], purposes: tuple[Purpose, ...], rule: str, world: World
) -> None:
    world.record(consent(*scopes))
    if purposes:
        world.withdraw(CONSENT_ID, *purposes)
    assert [reason.partition(":")[0] for reason in world.receive().reasons] == [rule]


@pytest.mark.parametrize(("scope", "files"), [(CARE, False), (TEACHING, True)])
def test_a_picture_made_for_teaching_needs_a_consent_to_such_a_use(
    scope: dict[str, object], files: bool, tmp_path: Path
) -> None:
    world = clinic(tmp_path)
    record = world.record(consent(scope))
    made = encoded(photograph(stamp=stamp_of(record, Purpose.TEACHING)))
    assert (world.receive(made).content is not None) is files
    world.close()


@pytest.mark.parametrize(
    "day", [{"ContentDate": None, "AcquisitionDateTime": None, "StudyDate": ""}, {"ContentDate": "20990101"}]
)
def test_a_picture_without_a_day_it_can_be_of_is_looked_at_first(day: dict[str, object], world: World) -> None:
    world.record(consent())
    reasons = world.receive(encoded(photograph(**day))).reasons
    assert [reason.partition(":")[0] for reason in reasons] == ["CAPTURE_DATE_MISSING"]


def test_a_consent_under_a_number_that_was_merged_is_the_patient_s_own(tmp_path: Path) -> None:
    world = clinic(tmp_path)
    record = world.record(consent(id="urn:x:old", patient_id="OLD1", giver={"type": "PATIENT", "id": "OLD1"}))
    content = encoded(photograph(refers_to=record))
    assert [reason.partition(":")[0] for reason in world.receive(content).reasons] == ["CONSENT_OF_ANOTHER_PATIENT"]
    with world.services.database.writing() as connection:
        patients.ensure(connection, "P1", "HOSP", None)
        people.merge(connection, world.services.act("clerk", "test"), ("OLD1", "HOSP"), ("P1", "HOSP"), "same")
    assert world.receive(content).content == content
    world.close()


def test_a_birth_date_that_a_picture_tells_is_a_change_on_record(tmp_path: Path) -> None:
    world = clinic(tmp_path)
    world.record(consent(), birth_date=None)
    world.receive()
    with world.services.database.reading() as connection:
        (change,) = patients.changes(connection, ("P1", "HOSP"))
    assert (change["field"], change["old"], change["new"]) == ("birth_date", None, "1980-06-15")
    told = world.trail()[0]
    assert (told["effect"], told["subject"]) == ("PATIENT_FACTS", str(change["change_id"]).partition(".")[0])
    world.close()
