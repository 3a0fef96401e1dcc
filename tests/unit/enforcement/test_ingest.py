"""The three hooks of the way in: what each answers Orthanc."""

from __future__ import annotations

import pytest
from pydicom.encaps import encapsulate

from orthanc_plugin.enforcement.ingest import (
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    SUCCESS,
    CStoreFilter,
    OnStored,
    Received,
)
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry.images import orthanc_id
from tests.fakes import orthanc
from tests.fakes.instances import StoredInstance, instance
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import CARE, UID, consent, ct, encoded, photograph, photograph_bytes
from tests.fakes.register import lose, register, taken
from tests.fakes.world import World
from tests.unit.dicomwrap import photos


def received(
    world: World, content: bytes, origin: object = InstanceOrigin.DICOM_PROTOCOL
) -> tuple[object, bytes | None]:
    return Received(Intake(world.services), world.worker(), orthanc, Senders()).hook(content, origin)


def status(world: World, stored: object) -> int:
    return CStoreFilter(world.services, Intake(world.services), world.worker()).hook(stored)  # type: ignore[arg-type]


def on_stored(world: World, stored: object, orthanc_instance: str = "an-id") -> None:
    OnStored(world.services, Intake(world.services), world.worker()).hook(stored, orthanc_instance)  # type: ignore[arg-type]


def test_an_accepted_object_is_kept_as_it_is(world: World) -> None:
    world.record(consent())
    assert received(world, photograph_bytes()) == (ReceivedInstanceAction.KEEP_AS_IS, None)
    assert received(world, encoded(ct())) == (ReceivedInstanceAction.KEEP_AS_IS, None)


def test_a_cleaned_object_is_handed_back(world: World) -> None:
    world.record(consent())
    dataset = photograph(PixelData=encapsulate([photos.jpeg(comment=b"Doe lives here")]))
    action, content = received(world, encoded(dataset))
    assert action is ReceivedInstanceAction.MODIFY
    assert content is not None
    assert b"lives here" not in content


def test_a_held_object_is_discarded_only_once_it_is_kept_elsewhere(world: World) -> None:
    assert received(world, photograph_bytes()) == (ReceivedInstanceAction.DISCARD, None)
    (held,) = world.held()
    assert world.services.spool.get(held.spool_name) == photograph_bytes()


def test_a_lost_device_s_object_is_kept_and_refused_audibly(world: World) -> None:
    world.record(consent())
    register(world)
    lose(world)
    assert received(world, taken()) == (ReceivedInstanceAction.MODIFY, b"")
    (held,) = world.held()
    assert world.services.spool.get(held.spool_name) == taken()


@pytest.mark.parametrize("content", [b"", b"x", photograph_bytes()[:200], encoded(photograph(StudyInstanceUID=None))])
def test_corrupt_bytes_are_refused_audibly_and_nothing_is_stored(content: bytes, world: World) -> None:
    assert received(world, content) == (ReceivedInstanceAction.MODIFY, b"")
    assert (world.rows(), world.held()) == ([], [])


def test_what_can_t_be_kept_is_refused_and_never_discarded(world: World) -> None:
    world.services.spool.folder.write_bytes(b"in the way")
    assert received(world, photograph_bytes()) == (ReceivedInstanceAction.MODIFY, b"")


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        (InstanceOrigin.DICOM_PROTOCOL, "DICOM_PROTOCOL"),
        (InstanceOrigin.REST_API, "REST_API"),
        (InstanceOrigin.PLUGIN, "PLUGIN"),
        (InstanceOrigin.LUA, "LUA"),
        (InstanceOrigin.WEB_DAV, "WEB_DAV"),
        (InstanceOrigin.UNKNOWN, "UNKNOWN"),
        (99, "UNKNOWN"),
    ],
)
def test_the_trail_says_by_which_way_it_came(origin: object, name: str, world: World) -> None:
    received(world, photograph_bytes(), origin)
    assert world.trail()[-1]["actor"] == name
    assert world.held()[0].origin == name


@pytest.mark.parametrize(
    ("aet", "uid", "expected", "rules"),
    [
        ("DERMCAM", UID, SUCCESS, None),
        ("DERMCAM", "2.25.999", OUT_OF_RESOURCES, ["NOT_ACCEPTED"]),
        ("DERMWS", UID, NOT_AUTHORIZED, ["UNKNOWN_AE"]),
        ("STRANGER", UID, NOT_AUTHORIZED, ["UNKNOWN_AE"]),
        ("dermcam", UID, NOT_AUTHORIZED, ["UNKNOWN_AE"]),
        ("", UID, NOT_AUTHORIZED, ["UNKNOWN_AE"]),
    ],
)
def test_the_sender_gets_the_status_of_its_binding_and_of_intake(
    aet: str, uid: str, expected: int, rules: list[str] | None, world: World
) -> None:
    world.file(CARE)
    before = len(world.trail())
    assert status(world, instance(photograph(uid=uid), aet)) == expected
    assert [entry["rules"] for entry in world.trail()[before:]] == ([rules] if rules else [])


def test_a_lost_device_s_node_is_refused_whatever_it_sends(world: World) -> None:
    world.file(CARE)
    register(world, aet="dermcam")
    assert status(world, instance(photograph(), "DERMCAM")) == SUCCESS
    lose(world)
    assert status(world, instance(photograph(), "DERMCAM")) == NOT_AUTHORIZED
    assert world.last_rules() == ["DEVICE_LOST"]


@pytest.mark.parametrize("header", ["", "{", "[]", "{}", "null"])
def test_an_instance_that_can_t_be_read_is_refused(header: str, world: World) -> None:
    assert status(world, StoredInstance(aet="DERMCAM", header=header)) == OUT_OF_RESOURCES


def test_what_was_stored_unasked_is_quarantined_at_every_door(world: World) -> None:
    on_stored(world, instance(photograph()))
    assert (world.row().status, world.row().orthanc_instance) == (ImageStatus.QUARANTINED, "an-id")
    assert world.services.gate.closed is None


def test_what_was_accepted_is_left_alone(world: World) -> None:
    row = world.file(CARE)
    on_stored(world, instance(photograph()), row.orthanc_instance)
    assert world.row() == row


def test_what_was_accepted_is_known_by_the_archive_s_name_for_it_without_another_look(world: World) -> None:
    row = world.file(CARE)
    on_stored(world, StoredInstance(aet="", header="never read"), row.orthanc_instance)
    assert (world.row(), world.services.gate.closed) == (row, None)


def test_another_patient_s_object_under_an_accepted_uid_is_quarantined(world: World) -> None:
    """Orthanc names it otherwise, because the patient is part of the name."""
    row = world.file(CARE)
    names = ("P-other", row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid)
    on_stored(world, instance(photograph(PatientID="P-other")), orthanc_id(*names))
    assert (world.row().status, world.row().orthanc_instance) == (ImageStatus.QUARANTINED, orthanc_id(*names))
    assert world.row().patient_id == row.patient_id


def test_what_can_t_be_looked_up_shuts_every_door_until_it_is_checked(world: World) -> None:
    row = world.file(CARE)
    world.lose_the_database()
    on_stored(world, instance(photograph()), row.orthanc_instance)
    assert world.services.gate.closed == "a stored instance could not be checked"


class RefusingWorker:
    """A worker that can do nothing at the moment."""

    def run(self, *_args: object) -> object:
        raise TimeoutError


def test_what_could_not_be_checked_is_checked_later_and_the_doors_open_again(world: World) -> None:
    row = world.file(CARE)
    hook = OnStored(world.services, Intake(world.services), RefusingWorker())  # type: ignore[arg-type]
    hook.hook(instance(photograph()), row.orthanc_instance)  # type: ignore[arg-type]
    assert world.services.gate.closed is not None
    hook.settle()
    assert world.services.gate.closed is None
    assert world.row() == row


def test_doors_that_are_shut_for_another_reason_stay_shut(world: World) -> None:
    hook = OnStored(world.services, Intake(world.services), world.worker())
    world.services.gate.close("something else")
    hook.settle()
    assert world.services.gate.closed == "something else"


@pytest.mark.parametrize("header", ["{", "{}", '{"SOPInstanceUID": "2.25.3"', "[]"])
def test_an_instance_that_can_t_be_checked_shuts_every_door(header: str, world: World) -> None:
    on_stored(world, StoredInstance(aet="", header=header))
    assert world.services.gate.closed == "a stored instance could not be checked"


@pytest.mark.parametrize("missing", ["PatientID", "IssuerOfPatientID", "AccessionNumber"])
def test_an_unasked_instance_needs_no_more_than_its_uids(missing: str, world: World) -> None:
    dataset = photograph()
    if missing in dataset:
        del dataset[missing]
    on_stored(world, instance(dataset))
    assert world.row().status is ImageStatus.QUARANTINED
