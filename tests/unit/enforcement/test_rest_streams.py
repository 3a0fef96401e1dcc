"""Answers that are no JSON: bytes, and pieces that leave while they are made, by either of Orthanc's plugins."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from demo.peers import wait_until
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement import streaming
from orthanc_plugin.enforcement.reply import Reply
from orthanc_plugin.enforcement.rest import Endpoint, RestDoor
from orthanc_plugin.enforcement.sdk import can_stream
from orthanc_plugin.enforcement.streaming import Pieces, Stream
from orthanc_plugin.sending.worker import Worker
from tests.fakes import orthanc
from tests.fakes.orthanc import RestOutput, StreamOutput
from tests.fakes.unwilling import Unwilling
from tests.fakes.world import World
from tests.unit.enforcement.test_http import basic

PATH = "/tools/create-archive"


def door(world: World, reply: Reply, *, streams: bool = True) -> RestDoor:
    endpoint = Endpoint(
        method="POST", path=PATH, role=Role.VIEW, summary="", gives="", handler=lambda _services, _call: reply, most=4
    )
    return RestDoor(world.services, (endpoint,), world.worker(), streams=streams)


def ask(asked: RestDoor, output: RestOutput, body: bytes = b"") -> None:
    asked.hook(output, PATH, method="POST", headers={"authorization": basic("derm")}, groups=(), body=body)


class Source:
    """Gives pieces, and knows on which threads and whether it was closed."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.threads: set[str] = set()
        self.closed = 0

    def stream(self) -> Stream:
        try:
            for piece in self.pieces:
                self.threads.add(threading.current_thread().name)
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed += 1


def test_bytes_are_answered_as_they_are(world: World) -> None:
    output = RestOutput()
    ask(door(world, Reply(content=b"\x00\xff", media="application/dicom", filename="x.dcm")), output)
    assert (output.status, output.body) == (200, b"\x00\xff")
    assert output.headers == {
        "Content-Type": "application/dicom",
        "Content-Disposition": 'attachment; filename="x.dcm"',
    }


@pytest.mark.parametrize("streams", [True, False])
def test_pieces_are_made_on_a_worker_s_thread_and_arrive_in_order(world: World, streams: bool) -> None:
    source = Source(b"a", b"b", b"c")
    output = StreamOutput() if streams else RestOutput()
    ask(door(world, Reply(stream=source.stream(), media="application/zip"), streams=streams), output)
    assert (output.status, output.body, output.headers["Content-Type"]) == (200, b"abc", "application/zip")
    assert {name.partition("_")[0] for name in source.threads} == {"test"}
    assert source.closed == 1


def test_a_client_that_goes_away_closes_the_stream_and_frees_the_worker(world: World) -> None:
    source, output = Source(b"a", b"b", b"c"), StreamOutput(gone_after=1)
    asked = door(world, Reply(stream=source.stream()))
    ask(asked, output)
    assert (output.pieces, source.closed) == ([b"a"], 1)
    assert asked.worker.run(lambda: "free") == "free"


def test_a_stream_that_fails_breaks_off_and_is_closed(world: World) -> None:
    source, output = Source(b"a", RuntimeError("secret")), StreamOutput()
    ask(door(world, Reply(stream=source.stream())), output)
    assert (output.pieces, source.closed) == ([b"a"], 1)


def test_a_stream_that_fails_before_it_is_sent_is_told_as_a_failure(world: World) -> None:
    source, output = Source(b"a", RuntimeError("secret")), RestOutput()
    ask(door(world, Reply(stream=source.stream()), streams=False), output)
    assert (output.status, "secret" in str(output.body), source.closed) == (500, False, 1)


def test_what_is_too_large_to_be_collected_is_refused_and_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "COLLECTED_BYTES", 2)
    source, output = Source(b"a", b"b", b"c", b"d"), RestOutput()
    ask(door(world, Reply(stream=source.stream()), streams=False), output)
    assert (output.status, "less at a time" in str(output.body), source.closed) == (413, True, 1)


def test_an_answer_that_can_t_begin_is_closed_too(world: World) -> None:
    source, output = Source(b"a", b"b"), Unwilling()
    stream = source.stream()
    next(stream)
    ask(door(world, Reply(stream=stream)), output)
    assert (output.pieces, source.closed) == ([], 1)


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """Give what a piece waits for; at the end it comes, so that no thread outlives the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("streams", [True, False])
def test_a_piece_that_takes_too_long_ends_the_answer_and_its_stream_is_closed_when_it_is_made(
    world: World, go_on: threading.Event, threads: int, streams: bool
) -> None:
    closed = threading.Event()

    def slow() -> Stream:
        try:
            worker.seconds = 0.2  # from now on
            yield b"a"
            assert go_on.wait(30)
            yield b"b"
        finally:
            closed.set()

    worker = Worker("slow", threads, seconds=30.0)
    world.workers.append(worker)
    asked = door(world, Reply(stream=slow()), streams=streams)
    asked.worker = worker
    output = StreamOutput() if streams else RestOutput()
    ask(asked, output)
    assert (output.status, output.body == b"a", closed.is_set()) == (
        (200, True, False) if streams else (500, False, False)
    )
    go_on.set()
    assert closed.wait(30)
    assert wait_until(lambda: not worker.hanging, 30)
    assert worker.within(30.0, int, "7") == 7


def test_a_stream_is_closed_even_if_every_thread_hangs_when_it_should_be(world: World, go_on: threading.Event) -> None:
    source, worker = Source(b"a", b"b"), Worker("hanging", 1, seconds=0.2)
    world.workers.append(worker)
    stream = source.stream()
    next(stream)
    while not worker.hanging:
        with pytest.raises(TimeoutError):
            worker.run(go_on.wait)
    Pieces(stream, worker).close()
    assert source.closed == 0
    go_on.set()
    assert wait_until(lambda: source.closed == 1, 30)


@pytest.mark.parametrize(("body", "status"), [(b"1234", 200), (b"12345", 413)])
def test_each_endpoint_says_how_much_it_takes(world: World, body: bytes, status: int) -> None:
    output = RestOutput()
    ask(door(world, Reply(payload={})), output, body)
    assert output.status == status


class Newer:
    """The SDK of 5.0 as far as it matters here."""

    RestOutput = StreamOutput


@pytest.mark.parametrize(
    ("sdk", "configuration", "expected"),
    [
        (Newer, {"Python": {"AllowThreads": True}}, True),
        (Newer, {"Python": {"AllowThreads": False}}, False),
        (Newer, {"Python": {"AllowThreads": "true"}}, False),
        (Newer, {"Python": {}}, False),
        (Newer, {"Python": "x"}, False),
        (Newer, {}, False),
        (orthanc, {"Python": {"AllowThreads": True}}, False),
    ],
)
def test_it_streams_only_where_orthanc_can_and_no_hook_has_to_wait(
    sdk: object, configuration: dict[str, object], expected: bool
) -> None:
    assert can_stream(sdk, configuration) is expected  # type: ignore[arg-type]
