"""A thread that signs the trail's head every so often, so that entries can't be cut off unseen.

It also tries again what could not be done at the time. Knows nothing but the beat. When the thread dies or hangs, so
that nobody watches any more, three beats later every door is shut (``gate.pulse``): Orthanc itself would not notice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from orthanc_plugin.audit.checkpoint import CheckpointError
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_BEATS: Final = 30.0
BEATS_MISSED: Final = 3


class Heartbeat:
    """Signs the head now and then; when what was signed has gone, it says so and shuts every door."""

    def __init__(self, services: Services, seconds: float = SECONDS_BETWEEN_BEATS) -> None:
        self.services = services
        self.seconds = seconds
        self.stopping = threading.Event()
        self.seen: set[int] = set()
        self.also: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self.pulsate()
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def pulsate(self) -> None:
        """Show that the heart beats."""
        self.services.gate.pulse.beat(BEATS_MISSED * self.seconds)

    def stop(self) -> None:
        """Sign once more and end; what waits is left to the next start, because the archive is going down."""
        self.stopping.set()
        self.sign()

    def beat(self) -> None:
        """Sign the head, and try again what waits."""
        for task in self.also:
            try:
                task()
            except Exception:  # it waits for the next beat
                logger.exception("what waited could not be done yet")
            self.pulsate()
        self.sign()
        self.pulsate()

    def sign(self) -> None:
        """Sign the head, once it is certain that what was signed before is still there."""
        try:
            if not self.seen <= set(self.services.heads.signed()):
                raise CheckpointError("Signed heads of the trail have been removed.")
            self.services.sign_head()
            self.seen = set(self.services.heads.signed())
        except CheckpointError:
            logger.exception("the trail was tampered with: every door is shut")
            self.services.gate.close("the audit trail is not the one whose head was signed")
        except Exception:  # the next beat tries again; a head that can't be signed is for an administrator to see
            logger.exception("the trail's head could not be signed")

    def _run(self) -> None:
        while not self.stopping.wait(self.seconds):
            self.beat()
