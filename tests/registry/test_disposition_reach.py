"""What an execution can't reach or see is never certified as destroyed, and nothing of it is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from dicomwrap.subject import Patient
from orthanc_plugin.archive.storagearea import StorageArea
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry.disposals import Outcome, State
from orthanc_plugin.registry.images import orthanc_id
from orthanc_plugin.registry.plans import Plan
from orthanc_plugin.retention.certificate import CertificateError, verify
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE, UID, consent, encoded, photograph
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with a picture that fell due long ago."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    return office(world)


def again(bureau: Office) -> Plan:
    """Return the next day's plan, approved and cooled off."""
    bureau.world.clock.advance(days=1)
    bureau.tell()
    return bureau.approved()


def executed(bureau: Office, plan: Plan) -> Outcome:
    (outcome,), certificate = bureau.execute(plan)
    assert len(json.loads(certificate.text)["records"]) == (outcome.state is State.DESTROYED)
    return outcome


def lose(bureau: Office) -> None:
    bureau.world.archive.objects.clear()


def move_spool(bureau: Office) -> None:
    bureau.world.receive(encoded(photograph(PatientBirthDate="19000101")))
    (bureau.world.folder / "quarantine").rename(bureau.world.folder / "other node")


def wait(bureau: Office) -> None:
    elsewhere = consent(id="urn:uuid:00000000-0000-4000-8000-000000000001")
    bureau.world.receive(encoded(photograph(uid=f"{UID}.9", refers_to=elsewhere)))


def lose_folder(bureau: Office) -> None:
    (bureau.world.folder / "empty").mkdir()
    bureau.archive.storage = bureau.world.folder / "empty"


def file_twice(bureau: Office) -> None:
    """Store another object under the picture's UID while nobody asks, and take stock of it."""
    values = {each.name: getattr(PATIENT, each.name) for each in fields(Patient)}
    dataset = photograph(patient=Patient(**{**values, "id": "P1X"}))
    name = orthanc_id("P1X", dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    bureau.world.archive.objects[name] = encoded(dataset)
    bureau.archive.fill()
    header = {each.keyword: each.value for each in dataset if each.VR not in ("OB", "OW", "SQ")}
    Intake(bureau.world.services).stored(header, name)
    bureau.tell()


def link_files(bureau: Office) -> None:
    """Have the picture's bytes lie elsewhere, and a link stand in their place; another picture is as it should be."""
    file = bureau.archive.file_of(bureau.world.row(UID).orthanc_instance)
    bureau.world.archive.objects["0000-other"] = encoded(photograph(uid=f"{UID}.8"))
    bureau.archive.fill()
    file.rename(bureau.world.folder / "moved")
    file.symlink_to(bureau.world.folder / "moved")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lose, "1 of 1 pictures are not in this archive"),
        (wait, "waits in quarantine"),
        (move_spool, "isn't in this node's spool"),
        (link_files, "isn't found where Orthanc's files should be"),
        (file_twice, "another object under the SOP Instance UID"),
    ],
)
def test_what_can_t_be_reached_from_here_is_left_as_it_is(
    change: Callable[[Office], None], words: str, bureau: Office
) -> None:
    change(bureau)
    before = dict(bureau.world.archive.objects)
    outcome = executed(bureau, bureau.approved())
    assert (outcome.state, words in outcome.reason) == (State.DROPPED, True), outcome.reason
    assert bureau.world.archive.objects == before
    assert bureau.world.row(UID).status is not ImageStatus.DISPOSED


def test_nothing_begins_where_no_file_of_the_archive_s_is_found(bureau: Office) -> None:
    plan = bureau.approved()
    lose_folder(bureau)
    with pytest.raises(ArchiveError, match="None of the files"):
        bureau.execute(plan)
    assert bureau.world.row(UID).status is ImageStatus.ACTIVE


def test_a_file_that_stays_on_disk_is_never_certified_gone_until_it_is(bureau: Office) -> None:
    """Another picture, which stays, shows that the folder is Orthanc's."""
    bureau.archive.keeps_files = True
    name = bureau.world.row().orthanc_instance
    assert executed(bureau, bureau.approved()).state is State.PARTLY
    bureau.world.archive.objects["ffee-other"] = encoded(photograph(uid=f"{UID}.8"))
    bureau.archive.fill()
    outcome = executed(bureau, again(bureau))
    assert (outcome.state, "still on disk" in outcome.reason) == (State.PARTLY, True)
    bureau.archive.file_of(name).unlink()
    assert executed(bureau, again(bureau)).state is State.DESTROYED


def test_a_link_to_nowhere_and_what_can_t_be_looked_at_are_never_taken_for_gone(bureau: Office) -> None:
    storage, name = StorageArea(bureau.archive.storage), bureau.world.row().orthanc_instance
    file = bureau.archive.file_of(name)
    file.unlink()
    assert not storage.holds(name)
    file.symlink_to(bureau.world.folder / "nowhere")
    assert (storage.holds(name), storage.sighted(name)) == (True, False)
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("")
    with pytest.raises(ArchiveError, match="can't be looked at"):
        storage.holds(name)


def test_what_could_not_be_destroyed_stays_shut_when_it_is_sent_again(bureau: Office) -> None:
    name = bureau.world.row().orthanc_instance
    content = bureau.world.archive.objects[name]
    bureau.archive.refuses.add(name)
    assert executed(bureau, bureau.approved()).state is State.PARTLY
    assert bureau.world.receive(content).content is None
    assert bureau.world.row(UID).status is ImageStatus.QUARANTINED


def test_a_signature_has_one_way_of_writing(bureau: Office) -> None:
    _, certificate = bureau.execute(bureau.approved())
    key = bureau.world.services.heads.key.public_key()
    signature = str(json.loads(certificate.text)["signature"])
    for other in (signature.upper(), f"{signature[:2]} {signature[2:]}"):
        with pytest.raises(CertificateError):
            verify(certificate.text.replace(signature, other).encode(), key)
