"""Files, inside Orthanc, the photographs that were approved or have waited long enough for the patient's word.

Knows the heartbeat's turn. Must not know the rules: ``lifecycle.approval`` has them.
"""

from __future__ import annotations

import logging
import threading

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.lifecycle import approval
from orthanc_plugin.lifecycle.filing import Filing
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)


class Approved:
    """Has what may be filed filed, over loopback HTTP: a store from inside would wait for its own hook.

    It takes its turns in a thread of its own, because many photographs or a slow archive must not hold up the heart.

    Args:
        services: registry and spool.
        archive: takes the photographs.
        stopping: set when Orthanc stops, and then no further one is begun.
    """

    def __init__(self, services: Services, archive: ImageArchive, stopping: threading.Event) -> None:
        self.services = services
        self.filing = Filing(database=services.database, spool=services.spool, archive=archive)
        self.stopping = stopping
        self.turn: threading.Thread | None = None

    def file(self) -> None:
        """Begin a turn, unless the last one goes on; what could not be filed is tried again at the next."""
        if self.turn is None or not self.turn.is_alive():
            self.turn = threading.Thread(target=self._file, name="filing", daemon=True)
            self.turn.start()

    def _file(self) -> None:
        try:
            approval.sweep(self.filing, self.services.act("consentgate", "heartbeat"), self.stopping.is_set)
        except Exception:  # it waits for the next turn
            logger.exception("what may be filed could not be filed yet")
