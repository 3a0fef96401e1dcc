"""The way in for photographs that wait for the patient's approval, and for those of a capture that was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp, stamp_of
from dicomwrap.terms import Purpose
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.ingest import Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.lifecycle import capture
from orthanc_plugin.lifecycle.approval import sweep
from orthanc_plugin.policy.model import Effect, ImageSource
from orthanc_plugin.registry import consentrows, quarantine
from orthanc_plugin.registry.captures import StopKind
from orthanc_plugin.services import build
from tests.fakes import orthanc
from tests.fakes.clinic import STUDY, clinic, intimate, kept, status, waiting, way_in
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, ct, encoded, photograph, photograph_bytes
from tests.fakes.world import World

Make = Callable[[str], World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Give worlds with a choice of what waits; each is closed at the end."""
    made: list[World] = []

    def world(before_filing: str) -> World:
        made.append(clinic(tmp_path, before_filing))
        return made[-1]

    yield world
    for each in made:
        each.close()


@pytest.fixture
def world(make: Make) -> World:
    """Give a world in which every photograph waits."""
    return make("every")


@pytest.mark.parametrize(
    ("before_filing", "content", "waits"),
    [
        ("never", photograph_bytes(), False),
        ("never", intimate(), False),
        ("intimate", photograph_bytes(), False),
        ("intimate", intimate(), True),
        ("every", photograph_bytes(), True),
        ("every", intimate(), True),
        ("every", encoded(ct()), False),
    ],
)
def test_the_policy_says_which_photographs_wait(before_filing: str, content: bytes, waits: bool, make: Make) -> None:
    world = make(before_filing)
    world.record(consent(explained=["WHY", "USE", "STORAGE", "AUDIENCE"]))
    verdict = world.receive(content)
    assert (verdict.content is None) is waits
    assert [reason.partition(":")[0] for reason in verdict.reasons] == ["AWAITING_PATIENT_APPROVAL"] * waits
    assert len(world.rows()) == (not waits)


def test_what_waits_is_kept_in_the_spool_until_its_window_ends(world: World) -> None:
    world.record(consent())
    world.receive()
    held = waiting(world)
    assert held.approve_by == "2026-11-22T10:00:00+00:00"
    assert (held.study_instance_uid, held.patient_id, held.issuer) == (STUDY, "P1", "HOSP")
    assert held.refers_to == CONSENT_ID
    assert world.services.spool.get(held.spool_name) == photograph_bytes()
    assert (world.rows(), world.trail()[-1]["rules"]) == ([], ["AWAITING_PATIENT_APPROVAL"])


def test_the_sender_is_told_success_and_a_retry_does_not_prolong_the_window(world: World) -> None:
    world.record(consent())
    received = Received(Intake(world.services), world.worker(), orthanc, Senders(), Acceptances())  # type: ignore[arg-type]
    for _ in range(2):
        answer = received.hook(photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL)
        assert answer == (ReceivedInstanceAction.DISCARD, None)
        world.clock.advance(minutes=5)
    assert waiting(world).approve_by == "2026-11-22T10:00:00+00:00"


def test_what_can_t_be_filed_anyway_is_held_for_that_and_waits_only_when_it_is_mended(world: World) -> None:
    world.receive()
    (held,) = world.held()
    assert [reason.partition(":")[0] for reason in held.reasons] == ["CONSENT_UNKNOWN"]
    assert held.approve_by is None
    world.record(consent())
    world.clock.advance(minutes=10)
    world.receive()
    assert waiting(world).quarantine_id == held.quarantine_id
    assert waiting(world).approve_by == "2026-11-22T10:10:00+00:00"


def test_a_consent_withdrawn_while_the_photograph_waits_turns_the_waiting_into_quarantine(world: World) -> None:
    world.record(consent())
    world.receive()
    world.withdraw()
    world.receive()
    (held,) = world.held()
    assert [reason.partition(":")[0] for reason in held.reasons] == ["CONSENT_NOT_IN_FORCE"]


def test_what_is_in_the_archive_already_is_not_asked_about_again(make: Make, tmp_path: Path) -> None:
    before = make("never")
    before.file(CARE)
    policy = tmp_path / "policy.toml"
    policy.write_text(policy.read_text().replace('before_filing = "never"', 'before_filing = "every"'))
    services = build(tmp_path / "settings.toml", {}, before.clock, before.services.ids)
    after = World(folder=tmp_path, services=services, clock=before.clock)
    assert after.receive().content == photograph_bytes()
    after.close()


def stopped(world: World, kind: StopKind = StopKind.DISTRESS) -> capture.Stopped:
    with world.services.database.writing() as connection:
        act = world.services.act("photographer", "test")
        return capture.stop(connection, act, STUDY, kind, "The child cried.", patient=("P1", "HOSP"))


def test_after_a_stop_nothing_more_of_the_study_is_taken_and_the_sender_is_told(world: World) -> None:
    world.record(consent())
    stopped(world)
    received = Received(Intake(world.services), world.worker(), orthanc, Senders(), Acceptances())  # type: ignore[arg-type]
    answer = received.hook(photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL)
    assert answer == (ReceivedInstanceAction.MODIFY, b"")
    assert (world.rows(), world.held(), kept(world)) == ([], [], ())
    entry = world.trail()[-1]
    assert (entry["rules"], entry["reasons"]) == (["INTAKE_REFUSED"], ["The capture of this study was stopped."])


def test_what_intake_had_accepted_before_the_stop_is_filed_and_not_tried_for_ever(world: World) -> None:
    world.record(consent())
    world.receive()
    with world.services.database.writing() as connection:
        quarantine.approve(connection, waiting(world), "PATIENT_APPROVED")
    assert world.receive().content is not None  # the archive stops here, before it has told anybody
    assert stopped(world).filed == (UID,)
    assert len(sweep(way_in(world), world.services.act("consentgate", "test")).filed) == 1
    assert kept(world) == ()


def test_another_study_of_the_same_patient_goes_on(world: World) -> None:
    world.record(consent())
    stopped(world)
    world.receive(encoded(photograph(uid="2.25.8", StudyInstanceUID="2.25.99")))
    assert waiting(world).study_instance_uid == "2.25.99"


def test_a_picture_that_the_patient_took_back_does_not_come_in_by_a_retry(world: World) -> None:
    world.record(consent())
    world.receive()
    held = waiting(world)
    with world.services.database.writing() as connection:
        quarantine.delete(connection, held, by="nurse", at=world.clock(), reason="PATIENT_WITHDREW")
    with pytest.raises(IntakeRefusedError, match="took this picture back") as caught:
        world.receive()
    assert "Delete it from the device" in str(caught.value)
    assert status(world, held.quarantine_id) == "DELETED"


def test_a_photograph_by_the_patient_needs_no_reference_and_no_approval(world: World) -> None:
    content = encoded(photograph(stamp=ConsentStamp(device_class="PATIENT")))
    assert world.receive(content, "portal").content == content
    assert world.row().source is ImageSource.PATIENT_SUPPLIED
    answer = world.services.gate.authorize(world.request())
    assert answer.decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert "SEEK_CONSENT" in {task["kind"] for task in world.tasks()}
    assert not world.services.gate.authorize(world.request("teacher")).decision.permits


def later(record: ConsentRecord) -> bytes:
    return encoded(photograph(stamp=stamp_of(record, Purpose.DIRECT_CARE)))


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"decided_on": "2025-03-01"}, []),
        ({"decided_on": "2025-03-02"}, ["CONSENT_AFTER_CAPTURE"]),
        ({"decided_on": "2025-03-02", "giver": {"type": "BEST_INTERESTS", "id": "dr"}}, []),
    ],
)
def test_a_consent_given_after_the_picture_was_made_is_looked_at_first(
    changes: dict[str, object], rules: list[str], make: Make
) -> None:
    world = make("never")
    record = consent(CARE, **changes)
    with world.services.database.writing() as connection:
        consentrows.append(connection, record, by="nurse", at=world.clock())
    assert [reason.partition(":")[0] for reason in world.receive(later(record)).reasons] == rules


def test_an_officer_who_links_a_later_consent_has_looked_at_it(make: Make) -> None:
    world = make("never")
    record = world.record(consent(CARE, TEACHING, decided_on="2025-03-05"))
    content = later(record)
    assert world.receive(content).content is None
    with world.services.database.writing() as connection:
        quarantine.link(connection, world.held()[0].quarantine_id, CONSENT_ID)
    assert world.receive(content).content == content
    assert world.row(UID).consent_id == CONSENT_ID
