"""The three hooks of the way in: what each answers Orthanc."""

from __future__ import annotations

from io import BytesIO
from threading import Thread

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.enforcement.acceptances import Acceptances
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
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import orthanc_id
from tests.fakes import orthanc
from tests.fakes.instances import StoredInstance, instance
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import CARE, UID, consent, ct, encoded, photograph, photograph_bytes
from tests.fakes.register import find, lose, register, taken
from tests.fakes.world import World
from tests.unit.dicomwrap import photos


def received(
    world: World,
    content: bytes,
    origin: object = InstanceOrigin.DICOM_PROTOCOL,
    acceptances: Acceptances = Acceptances(),  # noqa: B008 - a test's that asks no filter
) -> tuple[object, bytes | None]:
    worker = world.worker(1)
    answer = Received(Intake(world.services), worker, orthanc, Senders(), acceptances).hook(content, origin)
    worker.meet()  # what is told before it is written down is written down
    return answer


def status(world: World, stored: object, acceptances: Acceptances | None = None) -> int:
    intake = Intake(world.services)
    return CStoreFilter(world.services, intake, world.worker(), acceptances or Acceptances()).hook(stored)  # type: ignore[arg-type]


def pushed(world: World, content: bytes, aet: str = "DERMCAM", header: Dataset | None = None) -> int:
    """Have an object come by C-STORE, as Orthanc calls the hooks."""
    acceptances = Acceptances()
    if received(world, content, acceptances=acceptances)[0] is ReceivedInstanceAction.DISCARD:
        return SUCCESS
    return status(world, instance(header or dcmread(BytesIO(content)), aet), acceptances)


def on_stored(world: World, stored: object, orthanc_instance: str = "an-id") -> None:
    stored_hook(world, Acceptances()).hook(stored, orthanc_instance)  # type: ignore[arg-type]


def stored_hook(world: World, acceptances: Acceptances) -> OnStored:
    return OnStored(world.services, Intake(world.services), world.worker(), acceptances)


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


@pytest.mark.parametrize(
    ("aet", "lost", "expected", "rule"),
    [
        ("DERMCAM", True, NOT_AUTHORIZED, "DEVICE_LOST"),
        ("DERMWS", False, NOT_AUTHORIZED, "UNKNOWN_AE"),
        ("STRANGER", False, NOT_AUTHORIZED, "UNKNOWN_AE"),
    ],
)
def test_what_the_filter_refuses_is_kept_and_no_row_says_that_it_is_filed(
    aet: str, lost: bool, expected: int, rule: str, world: World
) -> None:
    world.record(consent())
    register(world, aet="dermcam")
    if lost:
        lose(world)
    for _ in range(2):  # a sender's retry
        before = len(world.trail())
        assert pushed(world, taken(serial=None), aet) == expected
        assert world.rows() == []
        (held,) = world.held()
        assert [reason.partition(":")[0] for reason in held.reasons] == [rule]
        assert held.device_id == ("CAM-01" if lost else None)
        assert world.services.spool.get(held.spool_name) == taken(serial=None)
        assert [entry["effect"] for entry in world.trail()[before:]] == ["ACCEPTED", "DENY", "QUARANTINED"]
    assert verify(world.services.trail.entries()).whole


def test_a_lost_device_s_held_object_is_filed_once_it_is_found(world: World) -> None:
    world.record(consent())
    register(world, aet="dermcam")
    lose(world)
    pushed(world, taken(serial=None))
    find(world)
    assert pushed(world, taken(serial=None)) == SUCCESS
    assert (world.row().status, world.held()) == (ImageStatus.ACTIVE, [])


def test_a_filed_picture_that_a_lost_device_sends_again_stays_filed(world: World) -> None:
    filed = world.file(CARE)
    register(world, aet="dermcam")
    lose(world)
    assert pushed(world, photograph_bytes()) == NOT_AUTHORIZED
    assert world.rows() == [filed]


def test_a_picture_that_was_shut_out_and_is_sent_by_a_lost_device_stays_shut_out(world: World) -> None:
    world.file(CARE)
    with world.services.database.writing() as connection:
        images.change(connection, UID, {"status": ImageStatus.QUARANTINED})
    shut = world.row()
    register(world, aet="dermcam")
    lose(world)
    assert pushed(world, photograph_bytes()) == NOT_AUTHORIZED
    assert world.rows() == [shut]


def test_an_object_that_orthanc_reads_otherwise_is_kept_and_not_on_record_as_filed(world: World) -> None:
    world.record(consent())
    assert pushed(world, photograph_bytes(), header=photograph(PatientID="P2")) == OUT_OF_RESOURCES
    assert world.rows() == []
    (held,) = world.held()
    assert [reason.partition(":")[0] for reason in held.reasons] == ["NOT_ACCEPTED"]


def test_an_object_that_can_t_be_kept_is_refused_all_the_same(world: World) -> None:
    world.record(consent())
    world.services.spool.folder.write_bytes(b"in the way")
    assert pushed(world, photograph_bytes(), "STRANGER") == OUT_OF_RESOURCES


def test_one_thread_s_acceptance_is_not_another_s(world: World) -> None:
    world.record(consent())
    acceptances = Acceptances()
    received(world, photograph_bytes(), acceptances=acceptances)
    found: list[object] = []
    other = Thread(target=lambda: found.append(acceptances.take()))
    other.start()
    other.join()
    assert found == [None]
    assert acceptances.take() is not None
    assert acceptances.take() is None


def test_nothing_is_noted_of_what_comes_by_http(world: World) -> None:
    world.record(consent())
    acceptances = Acceptances()
    received(world, photograph_bytes(), InstanceOrigin.REST_API, acceptances)
    assert acceptances.take() is None


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
    hook = OnStored(world.services, Intake(world.services), RefusingWorker(), Acceptances())  # type: ignore[arg-type]
    hook.hook(instance(photograph()), row.orthanc_instance)  # type: ignore[arg-type]
    assert world.services.gate.closed is not None
    hook.settle()
    assert world.services.gate.closed is None
    assert world.row() == row


def test_doors_that_are_shut_for_another_reason_stay_shut(world: World) -> None:
    hook = stored_hook(world, Acceptances())
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
