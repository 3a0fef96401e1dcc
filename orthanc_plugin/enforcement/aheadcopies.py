"""Has Orthanc's own process look after the copies that are kept: those that are stale go, and a few are made ahead.

Knows the heartbeat's turn. Must not know which copies are stale, nor how one is made (``sending.keptcopies``,
``sending.preparing``). A courier makes copies at once, in a process of its own; here those are made that none has made.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Final

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.archive.remote import read_place
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.sending.keptcopies import Shelf
from orthanc_plugin.sending.preparing import Preparing
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

PATIENCE: Final = timedelta(minutes=2)  # for which copies are left to a courier
SECONDS: Final = 300.0  # between two looks at all that are kept
MOST: Final = 100  # made at a beat
PAUSE: Final = 0.1  # seconds between two, in which Orthanc's hooks have the interpreter to themselves


class AheadCopies:
    """Takes its turns in a thread of its own, over loopback HTTP: many copies must not hold up the heart.

    Args:
        services: registry, release and gate.
        archive: reads.
        stopping: set when Orthanc stops, and then no further one is begun.
    """

    def __init__(self, services: Services, archive: ImageArchive, stopping: threading.Event) -> None:
        self.services = services
        self.shelf = Shelf(services)
        self.archive = archive
        self.stopping = stopping
        self.turn: threading.Thread | None = None
        self._looked: float | None = None

    def look(self) -> None:
        """Begin a turn, unless the last one goes on; what could not be done is tried again at the next."""
        if self.turn is None or not self.turn.is_alive():
            self.turn = threading.Thread(target=self._take, name="copies", daemon=True)
            self.turn.start()

    def _take(self) -> None:
        try:
            now = self.services.ticks()
            due = self._looked is None or now - self._looked >= SECONDS
            if due and self.services.gate.closed is None:  # behind shut doors nothing is permitted to anybody
                self.shelf.tidy()
                self._looked = now
            else:
                self.shelf.sweep()
            self._make()
        except ArchiveError as error:  # it hasn't started yet, or has gone
            logger.info("no copies are made ahead now (%s)", type(error).__name__)
        except Exception:  # it waits for the next turn
            logger.exception("copies that are kept could not be looked after")

    def _make(self) -> None:
        settings = self.services.settings
        here = read_place(settings.path(settings.orthanc.boot_secret)).archive
        ahead = Preparing(services=self.services, archive=self.archive, place=here, patience=PATIENCE)
        for _ in range(MOST):
            if not ahead.some(1, self.stopping.is_set) or self.stopping.wait(PAUSE):
                return
