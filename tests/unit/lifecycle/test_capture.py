"""A capture that is stopped: what was not filed goes, what comes later is refused, the refusal counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import capture, people
from orthanc_plugin.lifecycle.capture import Stopped, UnknownPatientError
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.captures import StopKind
from tests.fakes.clinic import STUDY, clinic, status, way_in
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
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


LEVELS: tuple[dict[str, object], ...] = (
    {},  # of pictures that are filed under it
    {"level": "IMAGE", "targets": [UID]},
    {"level": "SERIES", "targets": ["2.25.2"]},
    {"level": "STUDY", "targets": [STUDY]},
    {"level": "PATIENT"},
)


@pytest.mark.parametrize("name", ["derm", "teacher"])
@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_after_a_stop_no_consent_of_any_level_opens_what_was_filed(
    level: dict[str, object], name: str, world: World
) -> None:
    world.record(consent(CARE, TEACHING, **level))
    world.receive()
    world.review()
    assert world.services.gate.authorize(world.request(name)).decision.permits
    stopped(world, StopKind.DISTRESS)
    assert world.services.gate.authorize(world.request(name)).decision.effect is Effect.DENY


def test_a_stop_refuses_what_is_filed_under_another_number_too(world: World) -> None:
    world.file(CARE)
    world.record(consent(CARE, id="urn:x:two", patient_id="P2", giver={"type": "PATIENT", "id": "P2"}))
    other = consent(CARE, id="urn:x:two")
    world.receive(encoded(photograph(uid="2.25.9", PatientID="P2", refers_to=other)))
    assert world.services.gate.authorize(world.request(uid="2.25.9")).decision.permits
    stopped(world, patient=("P1", "HOSP"))
    assert not world.services.gate.authorize(world.request(uid="2.25.9")).decision.permits


def test_a_number_that_no_object_of_the_study_bears_is_not_whose_it_is(world: World) -> None:
    world.file(CARE)
    with pytest.raises(UnknownPatientError, match="another patient's"):
        stopped(world, patient=("P2", "HOSP"))
    assert world.services.gate.authorize(world.request()).decision.permits


def test_an_object_that_names_nobody_does_not_keep_a_capture_from_being_stopped(world: World) -> None:
    world.file(CARE)
    nameless = {each.keyword: each.value for each in photograph(uid="2.25.66") if each.VR not in ("SQ", "OB")}
    Intake(world.services).stored({**nameless, "PatientID": ""}, "slipped-in")
    assert stopped(world).filed == (UID, "2.25.66")
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


def test_the_number_that_a_merge_kept_is_the_patient_s_too(world: World) -> None:
    world.file(CARE)
    with world.services.database.writing() as connection:
        patients.ensure(connection, "P9", "HOSP", None)
        people.merge(connection, world.services.act("clerk", "test"), ("P1", "HOSP"), ("P9", "HOSP"), "same")
    assert stopped(world, patient=("P9", "HOSP")).filed == (UID,)
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


def test_a_copy_of_what_is_filed_is_not_told_as_a_deleted_picture(world: World) -> None:
    world.file(CARE)
    world.withdraw()
    world.receive()  # a retry, held because its consent has ended
    assert (stopped(world).deleted, world.held()) == ((), [])
    effects = [entry["effect"] for entry in world.trail()]
    assert ("DELETED_COPY" in effects, "DELETED_UNFILED" in effects) == (True, False)


def test_distress_counts_also_after_a_withdrawal_during_capture(world: World) -> None:
    world.receive()
    with world.services.database.writing() as connection:
        capture.recorded(connection, world.services.act("nurse", "test"), STUDY, StopKind.WITHDRAWN, "withdrawn")
    assert stopped(world, StopKind.DISTRESS).deleted == (UID,)
    assert [each.record.state for each in world.consents()] == ["REFUSED"]


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
