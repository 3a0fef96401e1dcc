"""A photograph is put on record while the archive stores it, and its sender is answered after both."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from io import BytesIO

import pytest
from pydicom import dcmread
from sqlalchemy import Connection

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.coming import Coming
from orthanc_plugin.enforcement.devicerules import Remark
from orthanc_plugin.enforcement.ingest import (
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    SUCCESS,
    UNCHECKED,
    CStoreFilter,
    OnStored,
    Received,
    Unchecked,
)
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.lifecycle import pictures
from orthanc_plugin.policy.model import ImageSource, ImageStatus, MadeFor
from orthanc_plugin.registry import captures, changes, images
from orthanc_plugin.registry.captures import Stop, StopKind
from orthanc_plugin.registry.images import ImageRow, orthanc_id
from orthanc_plugin.registry.quarantine import Held
from orthanc_plugin.sending.worker import Worker
from tests.fakes import orthanc
from tests.fakes.instances import instance
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import UID, consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World

PATIENCE = 30.0


class Delayed(Intake):
    """Intake whose row is not written until it is let, or not at all as many times as it is told."""

    def __init__(self, world: World, failures: int = 0) -> None:
        super().__init__(world.services)
        self.failures = failures
        self.go_on = threading.Event()

    def _accept(
        self, connection: Connection, coming: Coming, held: Held | None, remarks: tuple[Remark, ...], *, changed: bool
    ) -> ImageRow | None:
        assert self.go_on.wait(PATIENCE)
        if self.failures:
            self.failures -= 1
            raise RegistryError("The registry can't be written (SQLITE_FULL).")
        return super()._accept(connection, coming, held, remarks, changed=changed)


@dataclass(kw_only=True)
class Hooks:
    """The three hooks of an Orthanc whose registry is slow, or fails."""

    world: World
    intake: Delayed
    acceptances: Acceptances = field(default_factory=Acceptances)
    content: bytes = field(default_factory=photograph_bytes)

    def __post_init__(self) -> None:
        services, worker = self.world.services, self.world.worker()
        self.received = Received(self.intake, worker, orthanc, Senders(), self.acceptances)
        self.cstore = CStoreFilter(services, self.intake, worker, self.acceptances)
        self.on_stored = OnStored(services, self.intake, worker, self.acceptances)

    @property
    def name(self) -> str:
        dataset = dcmread(BytesIO(self.content))
        return orthanc_id(
            *(dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
        )

    def receive(self, origin: object = InstanceOrigin.DICOM_PROTOCOL) -> object:
        return self.received.hook(self.content, origin)[0]

    def status(self, aet: str = "DERMCAM") -> int:
        return self.cstore.hook(instance(dcmread(BytesIO(self.content)), aet))  # type: ignore[arg-type]

    def stored(self) -> None:
        self.on_stored.hook(instance(dcmread(BytesIO(self.content))), self.name)  # type: ignore[arg-type]


@pytest.fixture
def hooks(world: World) -> Iterator[Hooks]:
    world.record(consent())
    made = Hooks(world=world, intake=Delayed(world))
    yield made
    made.intake.go_on.set()


def failing(world: World, times: int) -> Hooks:
    world.record(consent())
    made = Hooks(world=world, intake=Delayed(world, times))
    made.intake.go_on.set()
    return made


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_orthanc_may_store_before_the_row_is_there_and_answers_the_sender_after_it(hooks: Hooks) -> None:
    assert hooks.receive() is ReceivedInstanceAction.KEEP_AS_IS
    assert hooks.status() == SUCCESS
    assert hooks.world.rows() == []  # what the registry doesn't know no door shows
    entries = len(hooks.world.trail())
    threading.Timer(0.05, hooks.intake.go_on.set).start()
    hooks.stored()
    row = hooks.world.row()
    assert (row.status, row.orthanc_instance) == (ImageStatus.ACTIVE, hooks.name)
    assert (row.sha256, row.size) == (hashlib.sha256(hooks.content).hexdigest(), len(hooks.content))
    assert [entry["effect"] for entry in hooks.world.trail()[entries:]] == ["ACCEPTED"]
    assert hooks.world.services.gate.closed is None


def test_a_withdrawal_waits_for_the_picture_that_was_decided_on_before_it(hooks: Hooks) -> None:
    """One write lock is held from the question to the row, so a withdrawal finds every picture that it is about."""
    hooks.receive()
    found: list[int] = []

    def withdraw() -> None:
        with hooks.world.services.database.writing() as connection:
            found.append(len(images.find(connection, images.Subject.SOP_INSTANCE_UID, (UID,))))

    withdrawing = beside(withdraw)
    hooks.intake.go_on.set()
    withdrawing.join(PATIENCE)
    assert found == [1]


@pytest.mark.parametrize("origin", [InstanceOrigin.DICOM_PROTOCOL, InstanceOrigin.REST_API])
def test_what_could_not_be_put_on_record_is_tried_once_more_before_the_sender_is_answered(
    origin: object, world: World
) -> None:
    hooks = failing(world, 1)
    assert hooks.receive(origin) is ReceivedInstanceAction.KEEP_AS_IS
    hooks.stored()
    assert (world.row().status, world.services.gate.closed) == (ImageStatus.ACTIVE, None)
    assert world.trail()[-1]["effect"] == "ACCEPTED"


def test_while_it_is_not_on_record_every_door_is_shut_and_nothing_else_is_told_early(world: World) -> None:
    hooks = failing(world, 2)
    hooks.receive()
    hooks.stored()
    assert (world.rows(), world.services.gate.closed) == ([], UNCHECKED)
    other = replace(hooks, content=encoded(photograph(uid="2.25.8")))
    hooks.intake.failures = 1
    assert other.receive() is ReceivedInstanceAction.MODIFY  # refused before it is stored
    hooks.on_stored.settle()
    assert [row.sop_instance_uid for row in world.rows()] == [UID]
    assert (world.row().status, world.services.gate.closed) == (ImageStatus.ACTIVE, None)


def test_what_still_can_t_be_put_on_record_waits_for_the_next_beat(world: World) -> None:
    hooks = failing(world, 3)
    hooks.receive()
    hooks.stored()
    with pytest.raises(RegistryError):
        hooks.on_stored.settle()
    assert world.services.gate.closed == UNCHECKED
    hooks.on_stored.settle()
    assert (world.row().status, world.services.gate.closed) == (ImageStatus.ACTIVE, None)


def withdrawn(world: World) -> None:
    world.withdraw()


def stopped(world: World) -> None:
    stop = Stop(
        stop_id="stop-1",
        study_instance_uid=str(photograph().StudyInstanceUID),
        kind=StopKind.OBJECTION,
        reason="no",
        stopped_at=world.clock(),
        stopped_by="nurse",
    )
    with world.services.database.writing() as connection:
        captures.record(connection, stop)


@pytest.mark.parametrize(("objection", "kept"), [(withdrawn, 1), (stopped, 0)])
def test_what_may_not_be_filed_any_more_when_it_is_tried_again_no_door_shows(
    objection: Callable[[World], None], kept: int, world: World
) -> None:
    hooks = failing(world, 2)
    hooks.receive()
    hooks.stored()
    objection(world)
    hooks.on_stored.settle()
    row = world.row()
    assert (row.status, row.sha256) == (ImageStatus.QUARANTINED, hashlib.sha256(hooks.content).hexdigest())
    assert (len(world.held()), world.services.gate.closed) == (kept, None)
    assert world.last_rules() == ["STORED_UNASKED"]
    assert verify(world.services.trail.entries()).whole


def test_what_is_known_not_to_be_on_record_is_refused_by_the_filter_and_kept(world: World) -> None:
    hooks = failing(world, 1)
    hooks.receive()
    assert hooks.status("STRANGER") == NOT_AUTHORIZED
    (held,) = world.held()
    assert (world.rows(), [each.partition(":")[0] for each in held.reasons]) == ([], ["UNKNOWN_AE"])


def test_a_node_that_may_not_store_gets_its_refusal_once_the_row_can_be_taken_back(hooks: Hooks) -> None:
    hooks.receive()
    threading.Timer(0.05, hooks.intake.go_on.set).start()
    assert hooks.status("STRANGER") == NOT_AUTHORIZED
    (held,) = hooks.world.held()
    assert (hooks.world.rows(), [each.partition(":")[0] for each in held.reasons]) == ([], ["UNKNOWN_AE"])


def test_the_filter_refuses_what_failed_to_be_put_on_record_in_time(world: World) -> None:
    hooks = failing(world, 1)
    hooks.receive()
    acceptance = hooks.acceptances.take()
    assert acceptance is not None
    assert acceptance.filing is not None
    with pytest.raises(RegistryError):
        hooks.world.workers[0].settled(PATIENCE, acceptance.filing.work)
    hooks.acceptances.note(acceptance)
    assert hooks.status() == OUT_OF_RESOURCES
    (held,) = world.held()
    assert [each.partition(":")[0] for each in held.reasons] == ["NOT_ACCEPTED"]


def test_two_that_come_at_once_under_one_uid_are_one_picture(hooks: Hooks) -> None:
    answers: list[object] = []

    def come() -> None:
        answers.append(hooks.receive(InstanceOrigin.REST_API))
        hooks.stored()

    both = [beside(come) for _ in range(2)]
    hooks.intake.go_on.set()
    for thread in both:
        thread.join(PATIENCE)
    assert answers == [ReceivedInstanceAction.KEEP_AS_IS] * 2
    assert (len(hooks.world.rows()), hooks.world.row().status) == (1, ImageStatus.ACTIVE)
    assert hooks.world.services.gate.closed is None


def test_two_different_ones_at_once_under_one_uid_are_filed_and_held(hooks: Hooks) -> None:
    other = replace(hooks, content=encoded(photograph(InstanceNumber="7")), acceptances=hooks.acceptances)
    answers: list[object] = []
    both = [beside(lambda each=each: answers.append(each.receive())) for each in (hooks, other)]  # type: ignore[misc]
    hooks.intake.go_on.set()
    for thread in both:
        thread.join(PATIENCE)
    assert set(answers) == {ReceivedInstanceAction.KEEP_AS_IS, ReceivedInstanceAction.DISCARD}
    (held,) = hooks.world.held()
    assert [each.partition(":")[0] for each in held.reasons] == ["SOP_INSTANCE_UID_REUSED"]


def test_what_was_found_stored_and_unread_is_filed_with_all_that_it_says_when_it_is_sent_again(world: World) -> None:
    """As after a crash between storing and filing."""
    world.record(consent())
    content = encoded(photograph(StationName="ROOM 2"))
    hooks = Hooks(world=world, intake=Delayed(world), content=content)
    header = {element.keyword: element.value for element in photograph() if element.VR not in ("SQ", "OB", "OW")}
    hooks.intake.stored(header, hooks.name, hashlib.sha256(content).hexdigest())
    unread = world.row()
    assert (unread.status, unread.size, unread.made_on) == (ImageStatus.QUARANTINED, None, None)
    assert world.receive(content).reasons == ()
    again = world.row()
    assert (again.status, again.size, again.device_station) == (ImageStatus.ACTIVE, len(content), "ROOM2")
    assert again.made_on is not None
    with world.services.database.writing() as connection:
        images.take_back(connection, UID, unread)
    assert replace(world.row(), received_at=unread.received_at) == unread


class Arriving(list[Unchecked]):
    """What couldn't be checked, to which something comes right after nothing was there."""

    def __init__(self, late: Unchecked) -> None:
        self.late = [late]

    def __bool__(self) -> bool:
        """Tell whether there is something."""
        found = len(self) > 0
        self += self.late
        self.late = []
        return found


def test_what_comes_while_the_doors_are_about_to_open_keeps_them_shut(hooks: Hooks) -> None:
    gate, stranger = hooks.world.services.gate, Unchecked({}, "nobody's", None)
    gate.close(UNCHECKED)
    hooks.on_stored.unchecked = Arriving(stranger)
    hooks.on_stored.settle()
    assert (list(hooks.on_stored.unchecked), gate.closed) == ([stranger], UNCHECKED)


def test_what_somebody_said_of_a_picture_that_was_found_unread_stands_when_it_is_sent_again(world: World) -> None:
    world.record(consent())
    hooks = Hooks(world=world, intake=Delayed(world))
    header = {element.keyword: element.value for element in photograph() if element.VR not in ("SQ", "OB", "OW")}
    hooks.intake.stored(header, hooks.name, hashlib.sha256(hooks.content).hexdigest())
    said = {"source": ImageSource.PATIENT_SUPPLIED, "made_for": MadeFor.SECONDARY, "made_on": date(2020, 2, 3)}
    with world.services.database.writing() as connection:
        pictures.picture(connection, world.services.act("dr-look", "a test"), UID, said, "the patient told us")
    assert world.receive(hooks.content).reasons == ()
    row = world.row()
    assert {name: getattr(row, name) for name in said} == said
    assert (row.status, row.size) == (ImageStatus.ACTIVE, len(hooks.content))
    with world.services.database.reading() as connection:
        assert changes.unlike(connection) == 0


def test_work_that_hangs_after_it_was_told_counts_as_hanging_and_shuts_the_doors(hooks: Hooks) -> None:
    worker = Worker("short", 1, seconds=0.05)
    hooks.world.workers.append(worker)
    hooks.received.worker = hooks.on_stored.worker = worker
    hooks.receive()
    hooks.stored()
    assert (len(worker.hanging), hooks.world.services.gate.closed) == (1, UNCHECKED)
    with pytest.raises(RegistryError, match="still being put on record"):
        hooks.on_stored.settle()
    hooks.intake.go_on.set()
    worker.meet()
    hooks.on_stored.settle()
    assert (hooks.world.row().status, hooks.world.services.gate.closed) == (ImageStatus.ACTIVE, None)
