"""How many calls of one kind may be answered by overrides at once: they never take all of Orthanc's HTTP threads.

Knows that an override reads pictures over loopback HTTP, which takes a thread of the same few (``HttpThreadsCount``, 50
unless it is set): were every thread in an override, none could ever end. Must not know what the calls do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from orthanc_plugin.enforcement.reply import BusyError, fault, send
from orthanc_plugin.enforcement.sdk import RestOutput

Hook = Callable[..., None]


class Door(Protocol):
    """What answers a call."""

    def hook(self, output: RestOutput, uri: str, **request: object) -> None:
        """Answer."""


class Admission:
    """Admits so many calls at once, and sends the others away instead of letting them wait.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self.slots = threading.BoundedSemaphore(most)

    def before(self, door: Door) -> Hook:
        """Return the hook that admits calls to ``door``."""

        def hook(output: RestOutput, uri: str, **request: object) -> None:
            if not self.slots.acquire(blocking=False):
                send(output, fault(BusyError("Too many calls of this kind at once.")))
                return
            try:
                door.hook(output, uri, **request)
            finally:
                self.slots.release()

        return hook
