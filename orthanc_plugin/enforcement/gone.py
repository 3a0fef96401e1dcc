"""Pictures that Orthanc says it has deleted: were they to be? A few moments later, all that went meanwhile together.

Knows when to look, and that Orthanc must not wait for it. Must not know which pictures the archive must have. Whoever
destroys thousands has Orthanc say so of each, and every look by itself would take as long as the deletion. Source:
requirements 4, acceptance test (f).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Final

from orthanc_plugin.retention import unplanned
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

SECONDS: Final = 0.5
AT_ONCE: Final = 500  # names in one transaction


class Gone:
    """Looks into what is gone, on a thread of its own.

    Args:
        services: the registry.
        seconds: how long after the first of them the others are waited for.
    """

    def __init__(self, services: Services, seconds: float = SECONDS) -> None:
        self.services = services
        self.seconds = seconds
        self.worker = Worker("gone", 1, seconds=None)
        self._names: SimpleQueue[str] = SimpleQueue()
        self._awaited = threading.Lock()
        self._stopping = threading.Event()

    def note(self, orthanc_instance: str) -> None:
        """Have it looked into soon."""
        self._names.put(orthanc_instance)
        if self._awaited.acquire(blocking=False):
            self.worker.later(self._look)

    def stop(self) -> None:
        """Look into what there is, and return after that; the next start would look, too."""
        self._stopping.set()
        self.worker.join()

    def _look(self) -> None:
        self._stopping.wait(self.seconds)
        self._awaited.release()  # before they are taken: of what comes from now on somebody looks again
        names = self._taken()
        while some := tuple(islice(names, AT_ONCE)):
            self._told(some)

    def _taken(self) -> Iterator[str]:
        try:
            while True:
                yield self._names.get_nowait()
        except Empty:
            return

    def _told(self, names: Sequence[str]) -> None:
        """Tell of pictures that were deleted though nobody decided on it; what fails here, reconciling finds."""
        try:
            with self.services.database.reading() as connection:
                missing = [row.orthanc_instance for row in unplanned.missing(connection, names)]
            if missing:
                with self.services.database.writing() as connection:
                    unplanned.tell(connection, self.services.act("consentgate", "OnChange"), missing)
        except Exception:  # the archive goes on: nothing can bring the pictures back
            logger.exception("pictures were deleted in Orthanc, and that could not be recorded")
