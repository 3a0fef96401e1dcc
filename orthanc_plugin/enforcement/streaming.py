"""Answers that are made piece by piece, on a worker's threads, and sent while they are made where Orthanc can do that.

Knows streams and Orthanc's way of sending them. Must not know what is in them. Whatever happens to an answer its stream
is closed, so that it can note what has left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Final

from orthanc_plugin.enforcement.reply import TOO_LARGE, CallError, Reply, fault, name_file
from orthanc_plugin.enforcement.sdk import StreamOutput
from orthanc_plugin.sending.worker import Worker

logger = logging.getLogger(__name__)

COLLECTED_BYTES: Final = 32 * 1024 * 1024  # of a stream, where it can't leave in pieces (``sdk.can_stream``)

Stream = Generator[bytes, None, None]


class Pieces:
    """The pieces of a stream, each made on a thread of a worker.

    A piece may take longer than anybody waits for it; then the stream is closed when the piece is done, by whoever
    made it.

    Args:
        stream: makes them.
        worker: has the threads.
    """

    def __init__(self, stream: Stream, worker: Worker) -> None:
        self.stream = stream
        self.worker = worker
        self.left = False
        self.busy = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self.worker.run(self._next)) is not None:
            yield piece

    def close(self) -> None:
        """Want no more pieces; the stream is closed by now, or else when a thread is free."""
        self.left = True
        try:
            self.worker.run(self._end)
        except TimeoutError:
            self.worker.later(self._end)

    def _next(self) -> bytes | None:
        try:
            with self.busy:
                return next(self.stream, None)
        finally:
            if self.left:
                self._end()

    def _end(self) -> None:
        """Close the stream, unless a piece is being made, after which this is done again."""
        if self.busy.acquire(blocking=False):
            try:
                self.stream.close()
            finally:
                self.busy.release()


def send_stream(output: StreamOutput, reply: Reply, stream: Stream, worker: Worker) -> None:
    """Send each piece when it is made. What breaks off can't be told any more, and ends the connection.

    A piece is made on a thread of the worker and sent on Orthanc's, so a slow client holds up nobody else.
    """
    try:
        with closing(Pieces(stream, worker)) as pieces:
            name_file(output, reply)
            output.StartStreamAnswer(reply.media)
            for piece in pieces:
                output.SendStreamChunk(piece)
    except BaseException:
        logger.exception("an answer broke off while it was sent")


def collected(reply: Reply, stream: Stream, worker: Worker) -> Reply:
    """Return the reply with its stream as content, where Orthanc's plugin can't stream."""
    content = bytearray()
    with closing(Pieces(stream, worker)) as pieces:
        for piece in pieces:
            content += piece
            if len(content) > COLLECTED_BYTES:
                return fault(too_much())
    return replace(reply, content=bytes(content), stream=None)


def too_much() -> CallError:
    """Return the error for an answer that is too large to be collected."""
    return CallError(
        f"The answer has more than {COLLECTED_BYTES} bytes, and this version of Orthanc's Python plugin can't send it"
        " piece by piece.",
        status=TOO_LARGE,
        remedy="Ask for less at a time, such as one series.",
    )
