"""After a backup was restored the doors stay shut until what had been destroyed is destroyed again.

Knows what to compare. Must not destroy: ``consentgate retention reconcile`` does, over loopback HTTP, past the gate.

Source: requirements 4, acceptance test (e).
"""

from __future__ import annotations

import logging
from typing import Final

from orthanc_plugin.archive.port import ArchiveControl
from orthanc_plugin.retention import withdrawals
from orthanc_plugin.retention.reconciling import back, forgotten
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

RESTORED: Final = (
    "a backup was restored that holds what had been destroyed, or has forgotten what was withdrawn: "
    "run 'consentgate retention reconcile'"
)


class Restored:
    """Whether the archive holds what is destroyed, or files tell of what the registry has forgotten.

    Args:
        services: the gate, the registry and the folder of certificates.
        control: says what the archive holds.
    """

    def __init__(self, services: Services, control: ArchiveControl) -> None:
        self.services = services
        self.control = control
        self.shut = False

    def check(self) -> None:
        """Shut every door if so.

        Raises:
            ConsentgateError: nobody can tell.
        """
        self.shut = self._found()
        if self.shut:
            logger.warning("%s", RESTORED)
            self.services.gate.close(RESTORED)

    def look_again(self) -> None:
        """Open the doors once it is no longer so."""
        if self.shut and not self._found():
            self.shut = False
            self.services.gate.open(RESTORED)

    def _found(self) -> bool:
        folder = self.services.settings.path(self.services.settings.trail.certificates)
        with self.services.database.reading() as connection:
            lost = forgotten(connection, folder) or withdrawals.forgotten(connection, folder)
            return bool(lost or back(connection, frozenset(self.control.instances()), self.services.clock()))
