"""What an answer about a guessed name takes, whatever is on record: held back on the calling thread, until its time."""

from __future__ import annotations

import threading

import pytest

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.pace import FLOOR, HELD_AT_ONCE
from orthanc_plugin.enforcement.reply import CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint, RestDoor
from orthanc_plugin.enforcement.streaming import Stream
from orthanc_plugin.services import Services
from tests.fakes.orthanc import RestOutput, StreamOutput
from tests.fakes.waiting import Waiting
from tests.fakes.world import World
from tests.unit.enforcement.test_http import basic

PATH = "/tools/create-archive"


class Answering:
    """Answers so, after some seconds."""

    def __init__(self, waiting: Waiting, reply: Reply | Exception, seconds: float = 0.0) -> None:
        self.waiting = waiting
        self.reply = reply
        self.seconds = seconds

    def __call__(self, _services: Services, _call: Call) -> Reply:
        self.waiting.seconds += self.seconds
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def door(world: World, answering: Answering, *, even: bool = True, streams: bool = True) -> RestDoor:
    endpoint = Endpoint(method="POST", path=PATH, role=Role.VIEW, summary="", gives="", handler=answering, even=even)
    return RestDoor(world.services, (endpoint,), world.worker(), streams=streams, pace=answering.waiting.pace())


def ask(asked: RestDoor, output: RestOutput) -> int:
    asked.hook(output, PATH, method="POST", headers={"authorization": basic("derm")}, groups=(), body=b"")
    return output.status


REFUSED = Reply(status=403, payload={})
CASES = (
    (True, REFUSED, 0.0, [FLOOR]),
    (True, REFUSED, 0.25, [0.75]),
    (True, REFUSED, 2.0, [0.0]),
    (True, CallError("no"), 0.25, [0.75]),
    (True, RuntimeError("a fault"), 0.25, [0.75]),
    (True, Reply(payload={}), 0.25, []),
    (True, Reply(payload={}, held=True), 0.25, [0.75]),
    (False, Reply(payload={}, held=True), 0.25, [0.75]),
    (False, REFUSED, 0.25, []),
)


@pytest.mark.parametrize(("even", "reply", "seconds", "waited"), CASES)
def test_a_refusal_comes_at_its_time_however_quickly_it_was_decided(
    world: World, even: bool, reply: Reply | Exception, seconds: float, waited: list[float]
) -> None:
    waiting = Waiting()
    ask(door(world, Answering(waiting, reply, seconds), even=even), RestOutput())
    assert waiting.waited == waited


@pytest.mark.parametrize("streams", [True, False])
def test_nothing_of_an_answer_has_left_while_it_is_held_and_no_worker_waits(world: World, streams: bool) -> None:
    output, seen = StreamOutput() if streams else RestOutput(), list[tuple[int, bool]]()
    caller = threading.current_thread()
    waiting = Waiting(meanwhile=lambda: seen.append((output.status, threading.current_thread() is caller)))
    reply = Reply(stream=(piece for piece in (b"a", b"b")), held=True)
    assert ask(door(world, Answering(waiting, reply), streams=streams), output) == 200
    assert (seen, output.body) == ([(0, True)], b"ab")


def test_only_so_many_threads_are_held_back_at_once(world: World) -> None:
    inside, go_on = threading.Semaphore(0), threading.Event()

    def meanwhile() -> None:
        inside.release()
        assert go_on.wait(30)

    asked = door(world, Answering(Waiting(meanwhile=meanwhile), REFUSED))
    outputs = [RestOutput() for _ in range(HELD_AT_ONCE)]
    threads = [threading.Thread(target=ask, args=(asked, output)) for output in outputs]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert inside.acquire(timeout=30)
    assert ask(asked, RestOutput()) == 503
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert {output.status for output in outputs} == {403}
    assert ask(asked, RestOutput()) == 403


def test_a_stream_that_can_t_be_held_back_any_more_is_closed(world: World) -> None:
    closed = []

    def pieces() -> Stream:
        try:
            yield b""
            yield b"a"
        finally:
            closed.append(1)

    stream = pieces()
    next(stream)
    waiting = Waiting()
    asked = door(world, Answering(waiting, Reply(stream=stream, held=True)))
    for _ in range(HELD_AT_ONCE):
        assert asked.pace.places.acquire(blocking=False)
    assert ask(asked, StreamOutput()) == 503
    assert closed == [1]
