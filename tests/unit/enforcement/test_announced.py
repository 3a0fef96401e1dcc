"""A request that brings objects is on record with what it brought, and by itself when it brought nothing."""

from __future__ import annotations

import threading
from collections import deque

import pytest

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.announced import Announced
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.ingest import Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.sending.worker import Worker
from tests.fakes import orthanc
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import consent, photograph_bytes
from tests.fakes.world import World
from tests.unit.enforcement.test_http import basic

POST = 2


class Door:
    """The filter and Received as one plugin has them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.worker = world.worker(1)
        self.announced = Announced(world.services.gate)
        internal = Credentials(user="consentgate", password="p", secret="s")
        self.filter = HttpFilter(world.services, internal, self.worker, self.announced)
        self.received = Received(Intake(world.services), self.worker, orthanc, Senders(), Acceptances(), self.announced)

    def ask(self, account: str = "uploader") -> bool:
        return self.filter.hook("/instances", method=POST, ip="", headers={"authorization": basic(account)}, get={})

    def bring(self, content: bytes) -> object:
        action, _ = self.received.hook(content, InstanceOrigin.REST_API)
        self.worker.meet()
        return action

    def said(self) -> list[tuple[object, object]]:
        assert verify(self.world.services.trail.entries()).whole
        return [(entry["actor"], entry["effect"]) for entry in self.world.trail()]


@pytest.fixture
def door(world: World) -> Door:
    return Door(world)


def test_the_request_is_on_record_before_what_it_brought(door: Door) -> None:
    door.world.record(consent())
    before = len(door.said())
    assert door.ask()
    assert len(door.said()) == before
    assert door.bring(photograph_bytes()) is ReceivedInstanceAction.KEEP_AS_IS
    assert door.said()[before:] == [("uploader", ""), ("REST_API", "ACCEPTED")]


def test_so_it_is_where_what_came_is_held(door: Door) -> None:
    assert door.ask()
    assert door.bring(photograph_bytes()) is ReceivedInstanceAction.DISCARD
    assert door.said() == [("uploader", ""), ("REST_API", "QUARANTINED")]


def test_so_it_is_where_what_came_is_refused(door: Door) -> None:
    assert door.ask()
    assert door.bring(b"no object") is ReceivedInstanceAction.MODIFY
    assert door.said() == [("uploader", ""), ("REST_API", "DENY")]


def test_of_several_objects_the_first_has_it(door: Door) -> None:
    assert door.ask()
    for _ in range(2):
        door.bring(photograph_bytes())
    assert door.said() == [("uploader", ""), ("REST_API", "QUARANTINED"), ("REST_API", "QUARANTINED")]


def test_a_request_that_brings_nothing_is_written_with_the_thread_s_next(door: Door) -> None:
    assert door.ask()
    assert door.said() == []
    assert door.ask()
    assert door.said() == [("uploader", ""), ("uploader", "")]
    door.announced.write()
    assert len(door.said()) == 2


@pytest.mark.parametrize("end", [Announced.write, Announced.stop])
def test_or_by_the_beat_of_the_heart_or_at_the_stop_whatever_thread_it_was_on(end: object, door: Door) -> None:
    asking = threading.Thread(target=door.ask)
    asking.start()
    asking.join()
    end(door.announced)  # type: ignore[operator]
    door.announced.write()
    assert door.said() == [("uploader", "")]


def test_what_can_t_be_written_is_kept_and_until_then_no_other_passes_unwritten(door: Door) -> None:
    assert door.ask()
    door.world.stop_the_trail()
    assert door.bring(photograph_bytes()) is ReceivedInstanceAction.MODIFY
    assert not door.ask()
    with pytest.raises(RegistryError):
        door.announced.write()
    door.announced.stop()
    door.world.sql("DROP TRIGGER stopped" + (" ON trail" if door.world.on_postgresql else ""))
    door.announced.write()
    assert door.said() == [("uploader", "")]


def test_of_what_no_thread_of_ours_could_take_in_the_request_is_on_record_all_the_same(door: Door) -> None:
    over, short = threading.Event(), Worker("short", 1, seconds=0.01)
    door.world.workers.append(short)
    door.received.worker = short
    with pytest.raises(TimeoutError):
        short.run(over.wait)
    assert door.ask()
    assert door.bring(photograph_bytes()) is ReceivedInstanceAction.MODIFY
    over.set()
    short.meet()
    assert door.said() == []
    door.announced.write()
    assert door.said() == [("uploader", "")]


class Contended(deque[AuditEvent]):
    """Entries of which somebody else takes the last one just before it is to be had."""

    def popleft(self) -> AuditEvent:
        """Return the first."""
        if len(self) == 1:
            self.clear()
        return super().popleft()


def test_what_two_take_at_the_same_time_is_lost_by_neither(door: Door) -> None:
    first, last = (door.world.services.gate.refusal(door.world.requester(), each, "", rule="") for each in ("a", "b"))
    door.announced._left = Contended((first, last))
    assert door.announced.left() == (first,)


def test_one_that_may_not_bring_anything_is_refused_at_once(door: Door) -> None:
    assert not door.ask("derm")
    assert door.said() == [("derm", "DENY")]
    assert door.announced.take() == ()
