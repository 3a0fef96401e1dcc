"""What intake has accepted a moment ago is known to the hooks that come after it, on the same thread and once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread

import pytest

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
from tests.fakes import orthanc
from tests.fakes.instances import StoredInstance, instance
from tests.fakes.orthanc import InstanceOrigin
from tests.fakes.pictures import CARE, consent, photograph, photograph_bytes
from tests.fakes.register import lose, register
from tests.fakes.world import World

CAME = (InstanceOrigin.DICOM_PROTOCOL, InstanceOrigin.REST_API, InstanceOrigin.PLUGIN)
NEVER_READ = StoredInstance(aet="", header="never read")


@dataclass(kw_only=True)
class Hooks:
    """The three hooks as one plugin has them."""

    world: World
    acceptances: Acceptances = field(default_factory=Acceptances)

    def receive(self, origin: object = InstanceOrigin.DICOM_PROTOCOL) -> None:
        intake, worker = Intake(self.world.services), self.world.worker(1)
        Received(intake, worker, orthanc, Senders(), self.acceptances).hook(photograph_bytes(), origin)
        worker.meet()  # what is told before it is written down is written down

    def status(self, aet: str = "DERMCAM", **elements: object) -> int:
        intake, worker = Intake(self.world.services), self.world.worker()
        answering = CStoreFilter(self.world.services, intake, worker, self.acceptances)
        return answering.hook(instance(photograph(**elements), aet))  # type: ignore[arg-type]

    def stored(self, name: str) -> None:
        hook = OnStored(self.world.services, Intake(self.world.services), self.world.worker(), self.acceptances)
        hook.hook(NEVER_READ, name)  # type: ignore[arg-type]


@pytest.fixture
def hooks(world: World) -> Hooks:
    world.record(consent())
    return Hooks(world=world)


@pytest.mark.parametrize("origin", CAME)
def test_the_archive_s_name_for_what_was_accepted_is_known_without_asking(origin: object, hooks: Hooks) -> None:
    hooks.receive(origin)
    name = hooks.world.row().orthanc_instance
    hooks.world.lose_the_database()
    hooks.stored(name)
    assert hooks.world.services.gate.closed is None


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda hooks, name: hooks.stored(name), id="it was stored already"),
        pytest.param(lambda hooks, _: hooks.stored("an-id"), id="another was stored"),
        pytest.param(lambda hooks, _: hooks.receive(), id="it came again"),
    ],
)
def test_it_is_expected_once_and_nothing_else_is(before: Callable[[Hooks, str], None], hooks: Hooks) -> None:
    hooks.receive()
    name = hooks.world.row().orthanc_instance
    hooks.world.lose_the_database()
    before(hooks, name)
    hooks.world.services.gate.open("a stored instance could not be checked")
    hooks.stored(name)
    assert hooks.world.services.gate.closed == "a stored instance could not be checked"


def test_what_one_thread_is_about_to_store_is_asked_about_on_another(hooks: Hooks) -> None:
    coming = Thread(target=hooks.receive)
    coming.start()
    coming.join()
    name = hooks.world.row().orthanc_instance
    assert not hooks.acceptances.expected(name)
    hooks.stored(name)
    assert hooks.world.row().status is ImageStatus.ACTIVE


def test_nothing_is_expected_once_the_filter_has_refused_it(hooks: Hooks) -> None:
    hooks.receive()
    name = hooks.world.row().orthanc_instance
    assert hooks.status("STRANGER") == NOT_AUTHORIZED
    assert not hooks.acceptances.expected(name)


def test_the_filter_needs_not_ask_again_what_was_on_record_when_it_was_accepted(hooks: Hooks) -> None:
    hooks.receive()
    hooks.world.lose_the_database()
    assert hooks.status() == SUCCESS


@pytest.mark.parametrize(
    ("aet", "elements"),
    [("DERMWS", {}), ("STRANGER", {}), ("DERMCAM", {"PatientID": "P2"}), ("DERMCAM", {"SOPInstanceUID": "2.25.9"})],
)
def test_whatever_is_not_plainly_so_is_asked_about(aet: str, elements: dict[str, object], hooks: Hooks) -> None:
    hooks.receive()
    hooks.world.lose_the_database()
    assert hooks.status(aet, **elements) == OUT_OF_RESOURCES


@pytest.mark.parametrize("again", [False, True])
def test_a_node_whose_device_is_lost_is_refused_however_often_it_sends(again: bool, hooks: Hooks) -> None:
    register(hooks.world, aet="dermcam")
    if again:
        hooks.world.file(CARE)
    lose(hooks.world)
    hooks.receive()
    assert hooks.status() == NOT_AUTHORIZED
