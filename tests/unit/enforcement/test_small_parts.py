"""SOP classes, requesters, workers, the heartbeat."""

from __future__ import annotations

import threading
import time

import pytest
from pydicom.uid import (
    CTImageStorage,
    DermoscopicPhotographyImageStorage,
    EncapsulatedPDFStorage,
    EnhancedCTImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    VideoPhotographicImageStorage,
    VLPhotographicImageStorage,
)

from dicomwrap.terms import Audience, Form
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.enforcement.sopclasses import IMPLICIT, image_type
from orthanc_plugin.policy.model import ImageType
from orthanc_plugin.sending.worker import Worker
from tests.fakes.world import World


@pytest.mark.parametrize(
    ("sop_class", "expected"),
    [
        (VLPhotographicImageStorage, ImageType.CLINICAL_PHOTO),
        (DermoscopicPhotographyImageStorage, ImageType.CLINICAL_PHOTO),
        (VideoPhotographicImageStorage, ImageType.CLINICAL_PHOTO),
        (SecondaryCaptureImageStorage, ImageType.CLINICAL_PHOTO),
        (EncapsulatedPDFStorage, ImageType.CLINICAL_PHOTO),
        ("", ImageType.CLINICAL_PHOTO),
        ("1.2.3", ImageType.CLINICAL_PHOTO),
        (f"{CTImageStorage} ", ImageType.CLINICAL_PHOTO),
        (CTImageStorage, ImageType.CT),
        (EnhancedCTImageStorage, ImageType.CT),
        (MRImageStorage, ImageType.MR),
        (UltrasoundImageStorage, ImageType.ULTRASOUND),
    ],
)
def test_only_a_class_on_the_list_needs_no_consent_of_its_own(sop_class: str, expected: ImageType) -> None:
    assert image_type(sop_class) is expected


def test_the_list_has_each_class_once_and_every_kind_but_photographs() -> None:
    tails = [tail for tails in IMPLICIT.values() for tail in tails]
    assert len(tails) == len(set(tails))
    assert set(IMPLICIT) == set(ImageType) - {ImageType.CLINICAL_PHOTO}
    assert "77.1.4" not in tails


def test_nobody_s_requester_may_have_nothing() -> None:
    nobody = requesters.unknown("STRANGER", "10.0.0.1")
    assert (nobody.audience, nobody.form, nobody.purpose) == (Audience.UNKNOWN_AE, Form.ANONYMISED, "")
    assert not nobody.verified
    assert not nobody.approved_channel
    assert requesters.unknown("").actor == "anonymous"


def test_a_binding_says_who_receives_for_what(world: World) -> None:
    node = world.services.policy.node("TEACHING")
    requester = requesters.of_node("TEACHING", node)
    assert (requester.actor, requester.recipient, requester.address) == ("TEACHING", "teaching-archive", "127.0.0.1")
    assert (requester.purpose, requester.form) == ("TEACHING", Form.ANONYMISED)
    user = requesters.of_user("derm", world.services.policy.user("derm"), "10.0.0.1")
    assert (user.recipient, user.address) == ("derm", "10.0.0.1")


def test_work_runs_on_threads_with_room_for_a_parser() -> None:
    worker = Worker("deep", 1)

    def deep(levels: int) -> int:
        return deep(levels - 1) + 1 if levels else 0

    try:
        assert worker.run(deep, 900) == 900
        assert worker.run(lambda: threading.current_thread().name).startswith("deep")
        assert threading.stack_size() == 0
    finally:
        worker.stop()


def test_a_worker_raises_what_the_work_raises() -> None:
    worker = Worker("failing", 1)

    def fail() -> None:
        raise KeyError("what")

    try:
        with pytest.raises(KeyError):
            worker.run(fail)
    finally:
        worker.stop()


def test_a_hook_waits_only_so_long() -> None:
    worker = Worker("slow", 1, seconds=0.05)
    done = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            worker.run(done.wait, 10)
    finally:
        done.set()
        worker.stop()


def test_a_stopped_worker_takes_no_more() -> None:
    worker = Worker("stopped", 1)
    worker.stop()
    with pytest.raises(RuntimeError):
        worker.run(int)


def test_the_heart_beats_until_it_is_stopped_and_once_more(world: World) -> None:
    heart = Heartbeat(world.services, seconds=0.01)
    world.services.gate.refuse(world.requester(), "door", "first", rule="RULE")
    heart.start()
    until = time.monotonic() + 10
    while not world.services.heads.signed() and time.monotonic() < until:
        time.sleep(0.01)
    world.services.gate.refuse(world.requester(), "door", "second", rule="RULE")
    heart.stop()
    assert set(world.services.heads.signed()) == {1, 2}


def test_a_head_that_can_t_be_signed_stops_nothing(world: World) -> None:
    world.lose_the_database()
    Heartbeat(world.services).beat()
