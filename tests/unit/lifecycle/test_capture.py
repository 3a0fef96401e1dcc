"""A capture that is stopped: what was not filed goes, what comes later is refused, the refusal counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import capture
from orthanc_plugin.lifecycle.capture import Stopped, UnknownPatientError
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry.captures import StopKind
from tests.fakes.clinic import STUDY, clinic, status, way_in
from tests.fakes.pictures import CARE, UID, consent, encoded, photograph
from tests.fakes.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clinic(tmp_path, "intimate")
    yield made
    made.close()


def stopped(
    world: World,
    kind: StopKind = StopKind.OBJECTION,
    reason: str = "Turned away.",
    patient: tuple[str, str] | None = None,
) -> Stopped:
    with world.services.database.writing() as connection:
        act = world.services.act("photographer", "test")
        return capture.stop(connection, act, STUDY, kind, reason, patient=patient)


@pytest.mark.parametrize("kind", StopKind)
def test_unfiled_pictures_go_and_their_events_stay(kind: StopKind, world: World) -> None:
    world.receive()  # held: its consent is not on record
    (held,) = world.held()
    done = stopped(world, kind)
    assert (done.deleted, done.filed, done.spool_names) == ((UID,), (), (held.spool_name,))
    assert status(world, held.quarantine_id) == "DELETED"
    told = [entry for entry in world.trail() if entry["effect"] == "DELETED_UNFILED"]
    assert [(entry["subject"], entry["reasons"]) for entry in told] == [(UID, ["CAPTURE_STOPPED"])]
    assert "Turned away" not in str(world.trail())


def test_the_refusal_is_the_patient_s_own_and_of_this_study(world: World) -> None:
    world.receive()
    done = stopped(world, StopKind.DISTRESS)
    record = world.consents()[-1].record
    assert (record.id, record.state, record.level, record.targets) == (done.consent_id, "REFUSED", "STUDY", (STUDY,))
    assert (record.giver.type, record.patient_id, record.issuer) == ("PATIENT", "P1", "HOSP")


def test_what_was_filed_stays_and_information_governance_is_asked(world: World) -> None:
    world.file(CARE)
    done = stopped(world)
    assert (done.filed, done.deleted) == ((UID,), ())
    assert [(task["kind"], task["subject"]) for task in world.tasks()] == [("IG_REVIEW", STUDY)]
    assert world.row().status == "ACTIVE"
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


def test_nothing_of_it_can_be_released_from_quarantine_afterwards(world: World) -> None:
    world.receive()
    (held,) = world.held()
    stopped(world)
    world.record(consent())
    with pytest.raises(IntakeRefusedError):  # even one that reads the row before the stop, and files after it
        way_in(world).file(held, world.services.act("officer", "test"))
    assert world.rows() == []


def test_a_study_of_which_nothing_arrived_needs_to_be_told_whose_it_is(world: World) -> None:
    with pytest.raises(UnknownPatientError, match="--patient-id"):
        stopped(world)
    assert (world.consents(), world.trail(), world.sql("SELECT * FROM capture_stops")) == ([], [], [])
    assert stopped(world, patient=("P1", "HOSP")).deleted == ()


def test_a_study_whose_objects_name_two_patients_needs_to_be_told_whose_it_is(world: World) -> None:
    world.receive()
    world.receive(encoded(photograph(uid="2.25.9", PatientID="P2")))
    with pytest.raises(UnknownPatientError):
        stopped(world)
    assert len(stopped(world, patient=("P1", "HOSP")).deleted) == 2


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_stop_needs_a_reason(reason: str, world: World) -> None:
    world.receive()
    with pytest.raises(IllegalTransitionError, match="with a reason"):
        stopped(world, reason=reason)


def test_a_capture_is_stopped_once(world: World) -> None:
    world.receive()
    stopped(world)
    with pytest.raises(IllegalTransitionError, match="before"):
        stopped(world, patient=("P1", "HOSP"))


def test_without_the_trail_nothing_is_deleted(world: World) -> None:
    world.receive()
    (held,) = world.held()
    world.stop_the_trail()
    with pytest.raises(Exception, match="registry can't be written"):
        stopped(world)
    assert status(world, held.quarantine_id) == "HELD"
    assert world.sql("SELECT * FROM capture_stops") == []
