"""Objects sent by STOW-RS: one a request, so that each has an answer of its own and a withdrawal stops the next.

Knows the store transaction (PS3.18 section 10.5) as its user. Must not know what is sent, nor whether it may be.
"""

from __future__ import annotations

import hashlib
from typing import Final

from dicomwrap.sending.stow import is_listed, outcome
from orthanc_plugin.archive.port import Left, NotTakenError, nobody
from orthanc_plugin.archive.storescu import Parcel
from orthanc_plugin.archive.webline import Server, WebLine

STUDIES: Final = "/studies"


class NotListedError(NotTakenError):
    """The service answered, and did not say that it has this one; nobody knows whether it has."""

    remedy = "See that the service answers in DICOM JSON and lists what it stored (PS3.18 section 10.5.3)."


class StowScu:
    """Sends to one STOW-RS service."""

    def __init__(self, server: Server) -> None:
        self.line = WebLine(server)
        self.path = "" if self.line.address.path.rstrip("/").endswith(STUDIES) else STUDIES

    def reach(self, content: bytes) -> bool:
        """Have a connection; tell whether it had to be made.

        Raises:
            NothingSentError: there is none.
        """
        return self.line.reach()

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Send an object; return what the service says beside that it has it.

        ``left`` is told when the request has begun to go.

        Raises:
            NotTakenError: it says no to this one, by HTTP or in its answer's FailedSOPSequence.
            NothingSentError: nothing has gone out.
            ArchiveError: it broke off; nobody knows whether it has the object.
        """
        uid = Parcel.of(content).sop_instance_uid
        boundary = f"consentgate-{hashlib.sha256(content).hexdigest()[:40]}"  # nothing holds its own digest
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Content-Length": str(len(head) + len(content) + len(tail)),
            "Accept": "application/dicom+json",
        }
        status, body = self.line.asked("POST", self.path, (head, memoryview(content), tail), headers, left)
        stored, _, said = outcome(uid, status, body)
        if not stored:
            raise NotTakenError(f"The service does not take the object: {said}.")
        if not is_listed(uid, body):
            raise NotListedError("The service's answer breaks off, or does not list the object as stored.")
        return said

    @property
    def secured(self) -> bool:
        """Tell whether it goes by TLS."""
        return self.line.secured

    def close(self) -> None:
        """End the connection."""
        self.line.close()
