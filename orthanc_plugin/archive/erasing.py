"""Objects deleted at another Orthanc that is under our control, and looked for afterwards.

Knows Orthanc's REST API as its user. Must not know which objects, nor why. Whatever it did before may be done again.
Source: requirements 2.9 (a peer that supports deletion is asked to delete); DICOMweb has no such transaction.
"""

from __future__ import annotations

import json
from typing import Final

from dicomwrap.sending.words import http_words
from orthanc_plugin.archive.webline import Server, WebLine
from orthanc_plugin.errors import ArchiveError

OK: Final = 200
NOT_FOUND: Final = 404


class NotErasedError(ArchiveError):
    """The other Orthanc does not do as it is asked, so nobody knows what it has."""

    remedy = "Look at the other Orthanc: the account of policy.toml must be allowed to find and delete instances there."


class Eraser:
    """Deletes at one Orthanc."""

    def __init__(self, server: Server) -> None:
        self.line = WebLine(server)

    def erase(self, sop_instance_uid: str) -> bool:
        """Delete every instance of this UID; tell whether none is found afterwards.

        Raises:
            NotErasedError: it answers neither yes nor that there is none.
            ArchiveError: it can't be reached.
        """
        for instance in self._found(sop_instance_uid):
            status, _ = self.line.asked("DELETE", f"/instances/{instance}", (), {"Content-Length": "0"})
            if status not in (OK, NOT_FOUND):
                raise NotErasedError(f"The other Orthanc deletes nothing: {http_words(status)}.")
        return not self._found(sop_instance_uid)

    def _found(self, uid: str) -> tuple[str, ...]:
        """Return what it calls the instances of this UID."""
        body = uid.encode()
        headers = {"Content-Type": "text/plain", "Content-Length": str(len(body))}
        status, answer = self.line.asked("POST", "/tools/lookup", (body,), headers)
        try:
            found = json.loads(answer if status == OK else b"")
            return tuple(str(each["ID"]) for each in found if each["Type"] == "Instance")
        except (ValueError, TypeError, KeyError) as error:
            raise NotErasedError(f"The other Orthanc can't be searched: {http_words(status)}.") from error

    @property
    def secured(self) -> bool:
        """Tell whether it is asked by TLS."""
        return self.line.secured

    def close(self) -> None:
        """End the connection."""
        self.line.close()
