"""Orthanc over loopback HTTP, for the plugin's own sends and for Consentgate's other processes.

Knows Orthanc's REST API. Inside the plugin it is used instead of the in-process API for whatever takes time, because
there the interpreter lock is held for the whole of a send, and every hook waits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from orthanc_plugin.errors import ArchiveError

SECRET_HEADER: Final = "X-Consentgate-Boot"  # noqa: S105 - a header's name
GUARD_HEADER: Final = "X-Consentgate-Guard"  # the same secret, beside the account of somebody else
TIMEOUT_SECONDS: Final = 120.0


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

    Args:
        url: Orthanc's address.
        credentials: who we are.
    """

    def __init__(self, url: str, credentials: Credentials) -> None:
        self.client = httpx.Client(
            base_url=url,
            auth=(credentials.user, credentials.password),
            headers={SECRET_HEADER: credentials.secret},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def _asked(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        try:
            answer = self.client.request(method, path, content=content)
        except httpx.HTTPError as error:
            raise ArchiveError(f"Orthanc could not be reached ({type(error).__name__}).") from error
        if not answer.is_success:
            raise ArchiveError(f"Orthanc answered {answer.status_code}.")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


class RemoteArchive(_Remote):
    """An ``ImageArchive`` over HTTP."""

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored DICOM bytes."""
        return self._asked("GET", f"/instances/{orthanc_instance}/file").content

    def store(self, content: bytes) -> str:
        """Offer an object to the archive; return its identifier, or '' when intake kept it out."""
        answer = self._asked("POST", "/instances", content).json()
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
        return tuple(self._asked("GET", "/plugins").json())

    def _told(self, path: str) -> dict[str, object]:
        found: dict[str, object] = self._asked("GET", path).json()
        return found
