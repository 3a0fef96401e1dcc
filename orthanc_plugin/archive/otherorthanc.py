"""Objects sent to another Orthanc by its REST API (``POST /instances``).

Knows Orthanc's answers. Must not know what is sent, nor whether it may be.
"""

from __future__ import annotations

import json
from typing import Final

from dicomwrap.sending.words import http_words
from orthanc_plugin.archive.port import Left, NotTakenError, nobody
from orthanc_plugin.archive.webline import Server, WebLine

OK: Final = 200
HAS_IT: Final = {"Success": "", "AlreadyStored": "it had the object already"}


class OtherOrthanc:
    """Sends to one Orthanc."""

    def __init__(self, server: Server) -> None:
        self.line = WebLine(server)

    def reach(self, content: bytes) -> bool:
        """Have a connection; tell whether it had to be made.

        Raises:
            NothingSentError: there is none.
        """
        return self.line.reach()

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Send an object; return what the other Orthanc says beside that it has it.

        ``left`` is told when the request has begun to go.

        Raises:
            NotTakenError: it says no to this one.
            NothingSentError: nothing has gone out.
            ArchiveError: it broke off; nobody knows whether it has the object.
        """
        headers = {"Content-Type": "application/dicom", "Content-Length": str(len(content))}
        status, body = self.line.asked("POST", "/instances", (memoryview(content),), headers, left)
        said = _status(body) if status == OK else http_words(status)
        if said not in HAS_IT:
            raise NotTakenError(f"The other Orthanc does not take the object: {said or 'it does not say why'}.")
        return HAS_IT[said]

    @property
    def secured(self) -> bool:
        """Tell whether it goes by TLS."""
        return self.line.secured

    def close(self) -> None:
        """End the connection."""
        self.line.close()


def _status(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("Status", "")) if isinstance(answer, dict) else ""
