"""Orthanc over loopback HTTP, for the plugin's own sends and for Consentgate's other processes.

Knows Orthanc's REST API. Inside the plugin it is used instead of the in-process API for whatever takes time, because
there the interpreter lock is held for the whole of a send, and every hook waits.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from orthanc_plugin.clock import elapsed
from orthanc_plugin.errors import ArchiveError

SECRET_HEADER: Final = "X-Consentgate-Boot"  # noqa: S105 - a header's name
GUARD_HEADER: Final = "X-Consentgate-Guard"  # the same secret, beside the account of somebody else
TIMEOUT_SECONDS: Final = 120.0
IDLE_SECONDS: Final = 0.5  # Orthanc keeps idle connections for a second at least
SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How Consentgate shows Orthanc and its own filter that it is itself: a password, and a secret of each start."""

    user: str
    password: str = field(repr=False)
    secret: str = field(repr=False)


def read_credentials(path: Path, user: str) -> Credentials:
    """Return what the running plugin left for Consentgate's other processes.

    Raises:
        ArchiveError: there is no such file, so no guarded Orthanc is running here, or it isn't ours to read.
    """
    try:
        fields = json.loads(path.read_text())
        return Credentials(user=user, password=fields["password"], secret=fields["secret"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            "No running Orthanc with Consentgate was found.",
            remedy="Start it (bin/serve DIR), and run this as the same user or as root.",
        ) from error


class _Remote:
    """Orthanc at an address, asked as ourselves.

    Connections are kept for a moment, so that what is read and sent in a row needs no new ones, and no longer, because
    each holds one of Orthanc's threads. The standard library's client computes a fifth of what others do, and every
    hook waits for what is computed here.

    Args:
        url: Orthanc's address.
        credentials: who we are.
    """

    def __init__(self, url: str, credentials: Credentials) -> None:
        account = b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
        self.address = urlsplit(url)
        self.headers = {"Authorization": f"Basic {account}", SECRET_HEADER: credentials.secret}
        self._idle: deque[tuple[HTTPConnection, float]] = deque()

    def _asked(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """Return the body of Orthanc's answer.

        Raises:
            ArchiveError: there was none, or it was no yes.
        """
        connection = self._connection()
        try:
            connection.request(method, path, body=content, headers=self.headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise ArchiveError(f"Orthanc could not be reached ({type(error).__name__}).") from error
        self._idle.append((connection, elapsed()))
        if answer.status not in SUCCESS:
            raise ArchiveError(f"Orthanc answered {answer.status}.")
        return body

    def _connection(self) -> HTTPConnection:
        """Return the connection that was used last, if that was a moment ago, or a new one."""
        with suppress(IndexError):  # none is idle
            while True:
                connection, used = self._idle.pop()
                if elapsed() - used < IDLE_SECONDS:
                    return connection
                connection.close()
        kind = HTTPSConnection if self.address.scheme == "https" else HTTPConnection
        return kind(self.address.hostname or "", self.address.port, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[0].close()


class RemoteArchive(_Remote):
    """An ``ImageArchive`` over HTTP."""

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored DICOM bytes."""
        return self._asked("GET", f"/instances/{orthanc_instance}/file")

    def store(self, content: bytes) -> str:
        """Offer an object to the archive; return its identifier, or '' when intake kept it out."""
        answer = json.loads(self._asked("POST", "/instances", content))
        return str(answer.get("ID", "")) if isinstance(answer, dict) else ""

    def send(self, content: bytes, modality: str) -> None:
        """Send an object by C-STORE to a configured modality."""
        self._asked("POST", f"/modalities/{modality}/store-straight", content)


class RemoteControl(_Remote):
    """What Orthanc says of itself, over HTTP."""

    def version(self) -> tuple[int, int, int]:
        """Return Orthanc's version; (0, 0, 0) when it isn't a released one."""
        found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\D?.*", str(self._told("/system").get("Version")))
        return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)

    def modalities(self) -> dict[str, object]:
        """Return the effective DICOM modalities by name."""
        return self._told("/modalities?expand")

    def peers(self) -> dict[str, object]:
        """Return the effective peers by name."""
        return self._told("/peers?expand")

    def plugins(self) -> tuple[str, ...]:
        """Return the names of the loaded plugins."""
        return tuple(json.loads(self._asked("GET", "/plugins")))

    def _told(self, path: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self._asked("GET", path))
        return found
