"""A process that deletes what is marked, beside the one that decides and writes down.

Knows processes and what goes between the two. Must not know what is deleted, nor how. Python lets one thread at a time
compute: two that take turns wait for one another, two processes don't (docs/performance.md). Whatever only the one that
decides can know is asked of it; when it has ended, nothing more is deleted. Source: docs/adr/0063.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection as Line
from typing import Final

from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.retention.ahead import EndedError
from orthanc_plugin.retention.following import Head
from orthanc_plugin.retention.hand import Deleting, GoOn, MayGo, Why, Word

PATIENCE: Final = 0.02  # seconds between two looks whether this side goes on
LAST_SECONDS: Final = 5.0  # that the process has for its last deletion
STOP: Final = "stop"
Made = Callable[[], Deleting]
Said = tuple[int, Head] | list[Why | None] | ConsentgateError  # a question, or how it ended


class EndedBesideError(ArchiveError):
    """The process that deletes has ended, so nobody knows what it did last."""

    remedy = "Run 'consentgate retention apply' again; it takes up what is left."


class Beside:
    """What is deleted by the process at the other end of a connection.

    Args:
        line: the connection.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    def destroy(
        self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
    ) -> list[Why | None]:
        """Have records destroyed, and answer what is asked meanwhile."""
        try:
            self._line.send((tuple(records), head))
            while isinstance(said := self._said(go_on), tuple):
                go_on()
                self._line.send(may_go(*said))
        except (OSError, EOFError) as error:
            raise EndedBesideError("The process that deletes in Orthanc has ended.") from error
        if isinstance(said, ConsentgateError):
            raise said
        return said

    def _said(self, go_on: GoOn) -> Said:
        """Return what comes next; where this side doesn't go on, that is said first."""
        stopped = False
        while not self._line.poll(PATIENCE):
            try:
                go_on()
            except ConsentgateError:
                if not stopped:
                    self._line.send(STOP)
                stopped = True
        said: Said = self._line.recv()
        return said


@contextmanager
def beside(made: Made) -> Iterator[Beside]:
    """Give what deletes in a process beside, which ends with this; ``made`` makes there what it deletes with.

    To be called before this process has threads: what another of them holds at that moment would stay held there.
    """
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, ours, made, os.getpid()), name="consentgate-deletes")
    process.start()
    theirs.close()
    try:
        yield Beside(ours)
    finally:
        ours.close()
        process.join(LAST_SECONDS)
        process.kill()
        process.join()


def _serve(line: Line, other: Line, made: Made, parent: int) -> None:
    """Delete what is said, until nobody says anything any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the terminal sends to both; the other side ends this one
    other.close()

    def go_on() -> None:
        if os.getppid() != parent or line.poll():
            raise EndedError("The execution was ended before this was destroyed.")

    def may_go(place: int, now: Head) -> Word:
        line.send((place, now))
        word = line.recv()
        return word if isinstance(word, Word) else Word.KEEP

    with suppress(OSError, EOFError):
        hand = made()
        while True:
            told = line.recv()
            if told != STOP:  # which came when all was done already
                line.send(_done(hand, told, may_go, go_on))


def _done(hand: Deleting, told: tuple[Sequence[tuple[Marked, ...]], Head], may_go: MayGo, go_on: GoOn) -> Said:
    """Return what came of it; an error of another kind ends the process, and isn't told in its own words."""
    try:
        return hand.destroy(*told, may_go, go_on)
    except ConsentgateError as error:
        return error
