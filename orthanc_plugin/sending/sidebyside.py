"""Couriers side by side: one process each, so that one makes ready while another decides, on two processors.

Knows processes. Must not know what they do: they keep out of each other's way by the leases of the outbox, as couriers
on several hosts do. Whoever was started first only looks after the others: it passes on that they are to end, ends all
when one has failed, and none of them outlives it. Source: architecture 4 (outbox); docs/adr/0049.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Thread
from typing import Final

ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def side_by_side(count: int, orphaned: Callable[[], None]) -> int:
    """Go on in so many processes; return the number of each, from 1, and 0 where there is only this one.

    To be called before there are threads. In the process that looks after the others it doesn't return: it exits as
    the worst of them did.

    Args:
        count: how many.
        orphaned: called in each of them once there is nobody any more who looks after it.
    """
    if count == 1:
        return 0
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()  # of which nothing is ever read but its end
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    couriers: set[int] = set()
    for number in range(1, count + 1):
        child = os.fork()
        if child == 0:
            os.close(writing)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            Thread(target=_watch, args=(reading, orphaned), name="orphaned", daemon=True).start()
            return number
        couriers.add(child)
    os.close(reading)
    sys.exit(_looked_after(couriers, before))


def _watch(reading: int, orphaned: Callable[[], None]) -> None:
    os.read(reading, 1)
    orphaned()


def _looked_after(couriers: set[int], before: Iterable[int]) -> int:
    """Wait for all to end; return the worst exit code."""

    def end(*_: object) -> None:
        for each in tuple(couriers):
            with suppress(ProcessLookupError):  # one that has just ended
                os.kill(each, signal.SIGTERM)

    for each in ENDING:
        signal.signal(each, end)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    worst = 0
    while couriers:
        child, status = os.wait()
        couriers.discard(child)
        code = abs(os.waitstatus_to_exitcode(status))
        if code:
            worst = max(worst, code)
            end()
    return worst
