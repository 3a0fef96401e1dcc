"""Holding an answer back until its time, so that how long it took to decide tells nothing.

Knows seconds. Must not know what is answered. Where a name can be made up from a patient's number the answer is the
same whether or not there is such a patient; nor must it come sooner when there is none, and nothing to decide on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from orthanc_plugin.clock import Ticks

FLOOR: Final = 1.0  # seconds that such an answer takes; deciding takes well under it, however much is on record
HELD_AT_ONCE: Final = 10  # answers that wait for that, each on a thread of Orthanc's


class Pace:
    """Holds answers back, on the thread that called; the interpreter's lock is free meanwhile.

    Args:
        ticks: measures how long something took.
        wait: waits so many seconds.
    """

    def __init__(self, ticks: Ticks, wait: Callable[[float], None] = time.sleep) -> None:
        self.ticks = ticks
        self.wait = wait
        self.places = threading.BoundedSemaphore(HELD_AT_ONCE)

    def hold(self, came: float) -> bool:
        """Wait until ``FLOOR`` after ``came``; False, at once, when too many wait already."""
        if not self.places.acquire(blocking=False):
            return False
        try:
            self.wait(max(came + FLOOR - self.ticks(), 0))
        finally:
            self.places.release()
        return True
