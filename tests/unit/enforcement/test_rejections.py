"""Pictures that another archive rejects: held back, kept out when they are sent again, and given free by a person."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomwrap.iod.keyobject import PATIENT_SAFETY, QUALITY, RETENTION_EXPIRED, WRONG_WORKLIST_ENTRY, Code
from dicomwrap.terms import Purpose
from orthanc_plugin.enforcement.ingest import SUCCESS
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle import consenting, legacy, rejecting
from orthanc_plugin.policy.model import Effect, ImageStatus
from orthanc_plugin.registry import images
from orthanc_plugin.registry.keyobjects import State
from orthanc_plugin.registry.rejections import Rejected
from tests.fakes.keying import (
    CAMERA,
    KEYING,
    OLD_ARCHIVE,
    READING_ROOM,
    came,
    listing,
    pushed,
    queued,
    rejected,
    uid_of,
)
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World, make_world

LATER = "2.25.4"
WRONG = (QUALITY, PATIENT_SAFETY, WRONG_WORKLIST_ENTRY)
BLURRED = Code(value="113010", scheme="DCM", meaning="Quality Issue")
OFFICER = "governance"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=KEYING)
    made.file(CARE, TEACHING)
    yield made
    made.close()


def reject(world: World, title: Code = PATIENT_SAFETY, uids: tuple[str, ...] = (UID,), number: int = 1) -> str:
    """Have the old archive reject pictures; return the key object's UID."""
    note = listing(world, title, uids, number=number)
    assert pushed(world, note, OLD_ARCHIVE) == SUCCESS
    return uid_of(note)


def lift(
    world: World, name: str = UID, *, by: str = OFFICER, reason: str = "looked at, it is fine"
) -> tuple[Rejected, ...]:
    with world.services.database.writing() as connection:
        return rejecting.lift(connection, world.services.act(by, "test"), name, reason)


def kinds(world: World) -> list[object]:
    return [task["kind"] for task in world.tasks()]


@pytest.mark.parametrize("title", [*WRONG, RETENTION_EXPIRED])
def test_what_another_archive_rejects_is_kept_and_leaves_for_nothing(world: World, title: Code) -> None:
    note = reject(world, title)
    assert world.row().status is ImageStatus.REJECTED
    for name in ("derm", "teacher", "admin"):
        decision = world.services.gate.authorize(world.request(name)).decision
        assert (decision.effect, decision.rules[0]) == (Effect.DENY, "R0.rejected")
    (task,) = world.tasks()
    expected = "EXPIRED_ELSEWHERE" if title == RETENTION_EXPIRED else "REJECTED_ELSEWHERE"
    assert (task["kind"], task["subject"], task["owner"]) == (expected, note, "RECORDS_OFFICER")
    assert [each["effect"] for each in world.trail()].count("REJECTED_ELSEWHERE") == 1
    (found,) = rejected(world)
    assert (found.sender, found.code, found.was) == ("old-archive", title.value, "ACTIVE")


def test_the_task_says_why_and_how_many_copies_are_out(world: World) -> None:
    note = listing(world, QUALITY, modifiers=(BLURRED,))
    pushed(world, note, OLD_ARCHIVE)
    (task,) = world.tasks()
    assert "quality" in str(task["reason"])
    assert "DCM 113010" in str(task["reason"])


def test_what_is_queued_of_a_rejected_picture_is_cancelled(world: World) -> None:
    pushed(world, listing(world), READING_ROOM)
    assert queued(world) == {UID: "WAITING"}
    reject(world)
    assert queued(world) == {UID: "CANCELLED"}


@pytest.mark.parametrize("sender", [CAMERA, READING_ROOM])
def test_a_rejection_by_who_may_not_is_filed_without_effect_and_told(world: World, sender: str) -> None:
    note = listing(world, PATIENT_SAFETY)
    assert pushed(world, note, sender) == SUCCESS
    told = came(world, note)
    assert told is not None
    assert told.state is State.NO_EFFECT
    assert world.row().status is ImageStatus.ACTIVE
    assert kinds(world) == ["KEY_OBJECT_WITHOUT_EFFECT"]
    assert rejected(world) == []


@pytest.mark.parametrize("title", WRONG)
def test_a_picture_that_was_found_wrong_is_not_taken_again(world: World, title: Code) -> None:
    reject(world, title, (UID, LATER))
    for again in (photograph_bytes(), encoded(photograph(uid=LATER))):
        assert pushed(world, again, CAMERA) == SUCCESS
    assert [held.reasons[0].split(":")[0] for held in world.held()] == ["REJECTED_ELSEWHERE"] * 2
    assert world.row().status is ImageStatus.REJECTED
    assert [row.sop_instance_uid for row in world.rows()].count(LATER) == 0


def test_a_picture_that_is_only_kept_no_longer_elsewhere_may_be_sent_again(world: World) -> None:
    reject(world, RETENTION_EXPIRED, (UID, LATER))
    assert [each.sop_instance_uid for each in rejected(world)] == [UID]
    assert pushed(world, encoded(photograph(uid=LATER)), CAMERA) == SUCCESS
    assert world.row(LATER).status is ImageStatus.ACTIVE
    assert pushed(world, photograph_bytes(), CAMERA) == SUCCESS
    assert world.row().status is ImageStatus.ACTIVE
    assert rejected(world) == []
    assert [each["actor"] for each in world.trail() if each["effect"] == "REJECTION_LIFTED"] == ["camera"]


def test_a_stranger_who_sends_it_again_gives_nothing_free(world: World) -> None:
    reject(world, RETENTION_EXPIRED)
    assert pushed(world, photograph_bytes(), "STRANGER") != SUCCESS
    assert world.row().status is ImageStatus.REJECTED
    assert len(rejected(world)) == 1


def test_a_picture_that_is_also_wrong_stays_out_though_it_was_only_expired_elsewhere(world: World) -> None:
    reject(world, RETENTION_EXPIRED)
    reject(world, QUALITY)
    pushed(world, photograph_bytes(), CAMERA)
    assert world.row().status is ImageStatus.REJECTED
    assert len(rejected(world)) == 2


def test_a_person_lifts_it_and_the_picture_is_used_as_before(world: World) -> None:
    note = reject(world)
    (found,) = rejected(world)
    assert lift(world, found.rejection_id) == (found,)
    assert world.row().status is ImageStatus.ACTIVE
    assert world.services.gate.authorize(world.request("derm")).decision.permits
    assert (rejected(world), kinds(world)) == ([], [])
    (kept,) = rejected(world, everything=True)
    assert (kept.lifted_by, kept.reason, kept.key_object_uid) == (OFFICER, "looked at, it is fine", note)
    assert "looked at" not in str(world.trail())
    assert pushed(world, photograph_bytes(), CAMERA) == SUCCESS
    assert world.held() == []


@pytest.mark.parametrize(
    ("by", "reason"),
    [("old-archive", "fine"), ("somebody", "fine"), (OFFICER, "  ")],
    ids=["its-sender", "a-stranger", "no-reason"],
)
def test_a_rejection_is_not_lifted_without_a_second_person_and_a_reason(world: World, by: str, reason: str) -> None:
    reject(world)
    with pytest.raises(ConsentgateError):
        lift(world, by=by, reason=reason)
    assert world.row().status is ImageStatus.REJECTED
    assert len(rejected(world)) == 1


def test_nothing_is_lifted_twice_and_what_is_not_there_is_told(world: World) -> None:
    reject(world)
    (found,) = lift(world)
    for name in (found.rejection_id, UID, "2.25.999"):
        with pytest.raises(ConsentgateError):
            lift(world, name)


def test_while_another_rejection_stands_the_picture_is_held_back(world: World) -> None:
    reject(world)
    second = reject(world, QUALITY)
    lift(world, second)
    assert world.row().status is ImageStatus.REJECTED
    assert kinds(world) == ["REJECTED_ELSEWHERE"]
    lift(world)
    assert world.row().status is ImageStatus.ACTIVE


def test_a_consent_withdrawn_meanwhile_is_not_undone_by_a_lift(world: World) -> None:
    reject(world)
    world.withdraw(CONSENT_ID, Purpose.DIRECT_CARE)
    lift(world)
    assert world.row().status is ImageStatus.RESTRICTED
    assert world.services.gate.authorize(world.request("derm")).decision.effect is Effect.DENY


def test_a_new_consent_gives_no_rejected_picture_free(world: World) -> None:
    reject(world)
    with world.services.database.writing() as connection:
        given = consent(CARE, id="urn:uuid:another")
        consenting.record(connection, world.services.act("nurse", "test"), given)
    assert world.row().status is ImageStatus.REJECTED
    assert not world.services.gate.authorize(world.request("derm")).decision.permits


@pytest.mark.parametrize("status", [ImageStatus.QUARANTINED, ImageStatus.DISPOSED])
def test_what_no_door_shows_stays_as_it_is(world: World, status: ImageStatus) -> None:
    with world.services.database.writing() as connection:
        images.change(connection, UID, {"status": status})
    reject(world)
    assert world.row().status is status
    lift(world)
    assert world.row().status is status


def stored_unasked(world: World) -> None:
    """Have Orthanc store something under the picture's UID of which intake was not asked."""
    header = {element.keyword: element.value for element in photograph() if element.VR not in ("SQ", "OB")}
    Intake(world.services).stored(header, "another-id")
    assert world.row().status is ImageStatus.QUARANTINED


def test_a_rejected_picture_that_was_stored_unasked_is_given_free_by_a_lift_on_record(world: World) -> None:
    reject(world, RETENTION_EXPIRED)
    stored_unasked(world)
    assert pushed(world, photograph_bytes(), CAMERA) == SUCCESS
    assert (world.row().status, rejected(world)) == (ImageStatus.ACTIVE, [])
    assert [each["actor"] for each in world.trail() if each["effect"] == "REJECTION_LIFTED"] == ["camera"]


def test_what_is_taken_back_after_it_was_stored_unasked_stays_rejected(world: World) -> None:
    before = world.row()
    reject(world, PATIENT_SAFETY)
    stored_unasked(world)
    with world.services.database.writing() as connection:
        images.expect(connection, before, before.patient_id)
    assert world.row().status is ImageStatus.REJECTED
    lift(world)
    assert world.row().status is ImageStatus.ACTIVE


def test_a_restricted_picture_that_was_stored_unasked_comes_back_restricted(world: World) -> None:
    with world.services.database.writing() as connection:
        refused = consent(CARE, id="urn:uuid:no", state="REFUSED", level="PATIENT")
        consenting.record(connection, world.services.act("nurse", "test"), refused)
        images.change(connection, UID, {"status": ImageStatus.RESTRICTED})
    stored_unasked(world)
    assert pushed(world, photograph_bytes(), CAMERA) == SUCCESS
    assert (world.row().status, world.held()) == (ImageStatus.RESTRICTED, [])


def test_what_was_rejected_before_it_is_adopted_is_held_back_then(world: World) -> None:
    with world.services.database.writing() as connection:
        images.change(connection, UID, {"status": ImageStatus.QUARANTINED})
    reject(world)
    services = world.services
    report = legacy.adopt(
        services.database, world.archive, lambda: services.act(OFFICER, "test"), study=None, reason="from before"
    )
    assert report.adopted == (UID,)
    assert world.row().status is ImageStatus.REJECTED


def test_a_rejection_of_another_study_s_pictures_is_held_and_rejects_nothing(world: World) -> None:
    note = dcmread(BytesIO(listing(world, PATIENT_SAFETY)))
    note.StudyInstanceUID = "2.25.556"
    assert pushed(world, encoded(note), OLD_ARCHIVE) == SUCCESS
    (held,) = world.held()
    assert any("KEY_OBJECT_OF_ANOTHER_STUDY" in reason for reason in held.reasons)
    assert world.row().status is ImageStatus.ACTIVE


def test_a_whole_study_is_rejected_in_one_transaction_or_not_at_all(world: World) -> None:
    world.stop_the_trail()
    note = listing(world, PATIENT_SAFETY)
    assert pushed(world, note, OLD_ARCHIVE) != SUCCESS
    assert world.row().status is ImageStatus.ACTIVE
    assert rejected(world) == []
