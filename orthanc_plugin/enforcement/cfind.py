"""C-FIND and modality worklist: closed for now. A query lists patients, so it needs a door of its own.

Knows nothing but no. Raising answers UnableToProcess (C-FIND status C000) to the caller.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.worker import Worker
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.services import Services

DOOR: Final = "C-FIND"
REASON: Final = "queries over DICOM are not served; list studies over DICOMweb (QIDO-RS)"


class FindRefusedError(ConsentgateError):
    """Queries over DICOM are closed."""

    remedy = "Use QIDO-RS with an account that has the role 'list'."


class FindScp:
    """Refuses every C-FIND, and says so in the trail."""

    def __init__(self, services: Services, worker: Worker) -> None:
        self.services = services
        self.worker = worker

    def hook(self, _answers: object, _query: object, issuer_aet: str, _called_aet: str) -> None:
        """Refuse.

        Raises:
            FindRefusedError: always.
        """
        requester = requesters.of_node(issuer_aet, self.services.policy.node(issuer_aet))
        self.worker.run(self.services.gate.refuse, requester, DOOR, REASON, rule="FORBIDDEN_SERVICE")
        raise FindRefusedError("The query was refused.")
