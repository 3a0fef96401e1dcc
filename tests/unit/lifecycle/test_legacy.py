"""Pictures from before Consentgate: usable for care once somebody answers for them, and for nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from orthanc_plugin.enforcement.effective import Standing
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.lifecycle import Lifecycle
from orthanc_plugin.lifecycle import capture, legacy
from orthanc_plugin.lifecycle.legacy import BATCH, Report
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import images
from orthanc_plugin.registry.captures import StopKind
from orthanc_plugin.registry.legacy import STARTED
from tests.fakes.clinic import STUDY, clinic
from tests.fakes.configuration import modalities
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clinic(tmp_path)
    yield made
    made.close()


def found_at_the_start(world: World, content: bytes | None = None, *, digest: str | None = None) -> str:
    """Have the archive hold an object from before, found at the start; return its name in the archive."""
    content = content if content is not None else photograph_bytes()
    header = {each.keyword: each.value for each in dcmread(BytesIO(content)) if each.VR not in ("SQ", "OB", "OW", "UN")}
    name = f"before-{header['SOPInstanceUID']}"
    world.archive.objects[name] = content
    known = hashlib.sha256(content).hexdigest() if digest is None else digest
    Intake(world.services).stored(header, name, known)
    return name


def adopted(world: World, study: str | None = None) -> Report:
    return legacy.adopt(
        world.services.database,
        world.archive,
        lambda: world.services.act("records-lead", "test"),
        study=study,
        reason="Photographs of 2019",
    )


def effect(world: World, name: str = "derm", uid: str = UID) -> Effect:
    return world.services.gate.authorize(world.request(name, uid)).decision.effect


def test_what_was_there_before_is_usable_for_care_alone_once_adopted(world: World) -> None:
    found_at_the_start(world)
    assert effect(world) is Effect.DENY
    assert adopted(world) == Report(adopted=(UID,), changed=(), unread=(), left=0)
    assert effect(world) is Effect.PERMIT_IDENTIFIABLE
    assert not world.services.gate.authorize(world.request("teacher")).decision.permits
    assert "SEEK_CONSENT" in {task["kind"] for task in world.tasks()}


def test_nothing_else_of_the_picture_changes_and_the_trail_says_who_answers_for_it(world: World) -> None:
    found_at_the_start(world)
    before = world.row()
    adopted(world)
    after = world.row()
    assert (after.status, before.status) == ("ACTIVE", "QUARANTINED")
    assert (after.sha256, after.consent_id, after.patient_id) == (before.sha256, None, before.patient_id)
    entry = world.trail()[-1]
    assert (entry["effect"], entry["actor"], entry["subject"]) == ("LEGACY_ADOPTED", "records-lead", UID)
    (task,) = world.tasks()
    assert (task["kind"], task["not_by"]) == ("IG_REVIEW", "records-lead")
    assert "Photographs of 2019" in str(task["reason"])
    assert f"adoption {task['subject']}" in str(entry["detail"])
    assert "Photographs of 2019" not in str(world.trail())


def held_back(world: World) -> None:
    world.receive()  # its consent is not on record


def stopped(world: World) -> None:
    with world.services.database.writing() as connection:
        act = world.services.act("photographer", "test")
        capture.stop(connection, act, STUDY, StopKind.DISTRESS, "Cried.", patient=("P1", "HOSP"))


def live(world: World) -> None:
    standing = Standing(world.services, world.archive)
    world.archive.known_modalities = modalities()
    Lifecycle(world.services, world.archive, standing, world.worker(), str).note(STARTED)
    world.clock.advance(days=1)


@pytest.mark.parametrize("before", [held_back, stopped, live])
def test_what_was_slipped_in_is_not_from_before(before: Callable[[World], None], world: World) -> None:
    before(world)
    found_at_the_start(world)
    assert adopted(world) == Report(adopted=(), changed=(), unread=(), left=1)
    assert effect(world) is Effect.DENY


def test_what_the_first_start_found_can_be_adopted_after_it(world: World) -> None:
    found_at_the_start(world)
    live(world)
    assert adopted(world).adopted == (UID,)


def test_another_object_under_the_uid_of_a_known_picture_changes_nothing_that_is_known_of_it(world: World) -> None:
    world.record(consent(CARE))
    world.receive()
    with world.services.database.writing() as connection:
        images.change(connection, UID, {"covert": True, "intimate": True, "shows": ("FACE",)})
    before = world.row()
    found_at_the_start(world, encoded(photograph(PatientID="P2")))
    after = world.row()
    assert (after.status, after.sha256) == ("QUARANTINED", before.sha256)
    assert (after.patient_id, after.covert, after.intimate, after.shows) == ("P1", True, True, ("FACE",))
    assert after.consent_id == before.consent_id
    assert (adopted(world).changed, effect(world)) == ((UID,), Effect.DENY)
    assert world.receive().content == photograph_bytes()  # the very picture again
    assert world.row() == replace(before, covert=True, intimate=True, shows=("FACE",))


def test_one_that_the_archive_gives_back_changed_stays_shut(world: World) -> None:
    name = found_at_the_start(world)
    world.archive.objects[name] += b"x"
    assert adopted(world) == Report(adopted=(), changed=(UID,), unread=(), left=1)
    assert effect(world) is Effect.DENY


def test_one_that_can_not_be_read_stays_shut_and_the_others_go_on(world: World) -> None:
    del world.archive.objects[found_at_the_start(world)]
    found_at_the_start(world, encoded(photograph(uid="2.25.9")))
    assert adopted(world) == Report(adopted=("2.25.9",), changed=(), unread=(UID,), left=1)


@pytest.mark.parametrize(
    ("content", "digest"),
    [(photograph_bytes(), ""), (encoded(photograph(PatientID="")), None)],
    ids=["stored unasked while Consentgate ran", "nobody knows whose"],
)
def test_what_is_no_legacy_is_left_in_quarantine(content: bytes, digest: str | None, world: World) -> None:
    found_at_the_start(world, content, digest=digest)
    assert adopted(world) == Report(adopted=(), changed=(), unread=(), left=1)


def test_a_study_can_be_adopted_by_itself(world: World) -> None:
    found_at_the_start(world)
    found_at_the_start(world, encoded(photograph(uid="2.25.9", StudyInstanceUID="2.25.99")))
    assert adopted(world, STUDY).adopted == (UID,)
    assert adopted(world, "2.25.99").adopted == ("2.25.9",)


def test_pictures_that_were_asked_about_are_not_touched(world: World) -> None:
    world.file(CARE, TEACHING)
    before = world.row()
    assert adopted(world) == Report(adopted=(), changed=(), unread=(), left=0)
    assert world.row() == before


def test_a_run_that_was_cut_off_is_taken_up_by_the_next(world: World) -> None:
    uids = [f"2.25.{number}" for number in range(1000, 1000 + BATCH + 2)]
    one = photograph()
    for uid in uids:
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = uid
        found_at_the_start(world, encoded(one))
    read = world.archive.read

    class CutOffError(Exception):
        pass

    class Once:
        left = BATCH + 1

        def read(self, name: str) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise CutOffError
            return read(name)

        store = world.archive.store
        sending = world.archive.sending

    with pytest.raises(CutOffError):
        legacy.adopt(
            world.services.database,
            Once(),
            lambda: world.services.act("records-lead", "test"),
            study=None,
            reason="Photographs of 2019",
        )
    done = [row.sop_instance_uid for row in world.rows() if row.status == "ACTIVE"]
    assert len(done) == BATCH
    assert sorted([*done, *adopted(world).adopted]) == sorted(uids)
    told = [entry["subject"] for entry in world.trail() if entry["effect"] == "LEGACY_ADOPTED"]
    assert sorted(map(str, told)) == sorted(uids)


def test_without_the_trail_nothing_is_adopted(world: World) -> None:
    found_at_the_start(world)
    world.stop_the_trail()
    with pytest.raises(Exception, match="registry can't be written"):
        adopted(world)
    assert world.row().status == "QUARANTINED"
