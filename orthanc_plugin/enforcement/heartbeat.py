"""A thread that signs the trail's head every so often, so that entries can't be cut off unseen.

Knows nothing but the beat.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_BEATS: Final = 30.0


class Heartbeat:
    """Signs the head now and then."""

    def __init__(self, services: Services, seconds: float = SECONDS_BETWEEN_BEATS) -> None:
        self.services = services
        self.seconds = seconds
        self.stopping = threading.Event()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Sign once more and end."""
        self.stopping.set()
        self.beat()

    def beat(self) -> None:
        """Sign the head."""
        try:
            self.services.sign_head()
        except Exception:  # the next beat tries again; a head that can't be signed is for an administrator to see
            logger.exception("the trail's head could not be signed")

    def _run(self) -> None:
        while not self.stopping.wait(self.seconds):
            self.beat()
