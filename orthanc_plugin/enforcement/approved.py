"""Files, inside Orthanc, the photographs that were approved or have waited long enough for the patient's word.

Knows the heartbeat's turn. Must not know the rules: ``lifecycle.approval`` has them.
"""

from __future__ import annotations

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.lifecycle import approval
from orthanc_plugin.lifecycle.filing import Filing
from orthanc_plugin.services import Services


class Approved:
    """Has what may be filed filed, over loopback HTTP: a store from inside would wait for its own hook."""

    def __init__(self, services: Services, archive: ImageArchive) -> None:
        self.services = services
        self.filing = Filing(database=services.database, spool=services.spool, archive=archive)

    def file(self) -> None:
        """Take one turn; what could not be filed is tried again at the next.

        Raises:
            ConsentgateError: the registry or the spool failed.
        """
        approval.sweep(self.filing, self.services.act("consentgate", "heartbeat"))
