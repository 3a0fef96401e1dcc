"""Orthanc over loopback HTTP, for what the plugin sends and for Consentgate's other processes.

Knows Orthanc's REST API. Inside the plugin it is used instead of the in-process API for whatever takes time, because
there the interpreter lock is held all the while, and every hook waits. What is sent is sent by ourselves (ADR 26).
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from orthanc_plugin.archive.line import Line
from orthanc_plugin.archive.storescu import StoreScu
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.clock import elapsed
from orthanc_plugin.errors import ArchiveError, NotInArchiveError

SECRET_HEADER: Final = "X-Consentgate-Boot"  # noqa: S105 - a header's name
GUARD_HEADER: Final = "X-Consentgate-Guard"  # the same secret, beside the account of somebody else
TIMEOUT_SECONDS: Final = 120.0
IDLE_SECONDS: Final = 0.5  # Orthanc keeps idle connections for a second at least
SUCCESS: Final = range(200, 300)
HOLDINGS: Final = "/consentgate/holdings"  # which of some objects Orthanc has, and in which files
MOST: Final = 50  # objects in one question, whose names are in its address
NOT_FOUND: Final = 404


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which archive runs here, by the name that its index keeps, and the folder of its files; None: not in files."""

    archive: str
    storage: Path | None


def read_place(path: Path) -> Place:
    """Return what the running plugin told of its archive.

    Raises:
        ArchiveError: no guarded Orthanc is running here, or it is starting still.
    """
    try:
        told = json.loads(path.read_text())
        folder = str(told["storage"])
        return Place(archive=str(told["archive"]), storage=Path(folder) if folder else None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            "No running Orthanc with Consentgate was found.", remedy="Start it, wait for its doors, then try again."
        ) from error


def read_network(path: Path) -> dict[str, object]:
    """Return what the running plugin told of orthanc.json: how DICOM nodes are called.

    Raises:
        ArchiveError: no guarded Orthanc is running here.
    """
    try:
        return dict(json.loads(path.read_text())["network"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            "No running Orthanc with Consentgate was found.", remedy="Start it, then try again."
        ) from error


class _Remote:
    """Orthanc at an address, asked as ourselves.

    Connections are kept for a moment, so that what is read and sent in a row needs no new ones, and no longer, because
    each holds one of Orthanc's threads. Every hook waits for what is computed here, which is why it is little.

    Args:
        url: Orthanc's address.
        credentials: who we are.
    """

    def __init__(self, url: str, credentials: Credentials) -> None:
        account = b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
        self.address = urlsplit(url)
        self.headers = {"Authorization": f"Basic {account}", SECRET_HEADER: credentials.secret}
        self._idle: deque[tuple[Line, float]] = deque()

    def _asked(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """Return the body of Orthanc's answer.

        Raises:
            ArchiveError: there was none, or it was no yes.
        """
        try:
            status, body = self._answered(self._line(), method, path, content)
        except (OSError, HTTPException) as error:
            raise ArchiveError(f"Orthanc could not be reached ({type(error).__name__}).") from error
        if status == NOT_FOUND:
            raise NotInArchiveError("Orthanc answered 404.")
        if status not in SUCCESS:
            raise ArchiveError(f"Orthanc answered {status}.")
        return body

    def _answered(self, line: Line, method: str, path: str, content: bytes | None) -> tuple[int, bytes]:
        try:
            found = line.asked(method, path, content)
        except BaseException:
            line.close()
            raise
        if line.kept:
            self._idle.append((line, elapsed()))
        else:
            line.close()
        return found

    def _line(self) -> Line:
        """Return the connection that was used last, if that was a moment ago and nothing came since, or a new one."""
        with suppress(IndexError):  # none is idle
            while True:
                line, used = self._idle.pop()
                if elapsed() - used < IDLE_SECONDS and line.quiet():
                    return line
                line.close()
        return Line(self.address, self.headers, TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[0].close()


class RemoteArchive(_Remote):
    """An ``ImageArchive`` over HTTP, which sends by itself.

    Args:
        url: Orthanc's address.
        credentials: who we are.
        peers: the configured modalities by name.
    """

    def __init__(self, url: str, credentials: Credentials, peers: Mapping[str, Peer] = MappingProxyType({})) -> None:
        super().__init__(url, credentials)
        self.peers = peers

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored DICOM bytes."""
        return self._asked("GET", f"/instances/{orthanc_instance}/file")

    def store(self, content: bytes) -> str:
        """Offer an object to the archive; return its identifier, or '' when intake kept it out."""
        answer = json.loads(self._asked("POST", "/instances", content))
        return str(answer.get("ID", "")) if isinstance(answer, dict) else ""

    def sending(self, modality: str) -> StoreScu:
        """Return what sends objects to a configured modality."""
        peer = self.peers.get(modality)
        if peer is None:
            raise ArchiveError(f"Modality '{modality}' has no host and port in orthanc.json.")
        return StoreScu(peer)


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

    def policy(self) -> str:
        """Return the SHA-256 of the policy.toml in force, if the doors are open.

        Raises:
            ArchiveError: they are shut, or the guard isn't well.
        """
        return str(self._told("/consentgate/health").get("policy", ""))

    def commitment(self, transaction_uid: str) -> dict[str, object] | None:
        """Return what a node has reported to Orthanc's DICOM port in answer to a request of ours, None when nothing.

        Raises:
            ArchiveError: Orthanc doesn't say.
        """
        try:
            return self._told(f"/storage-commitment/{transaction_uid}")
        except NotInArchiveError:
            return None

    def _told(self, path: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self._asked("GET", path))
        return found


class RemoteDisposal(_Remote):
    """A ``Disposal`` over HTTP: the one way in which anything is deleted."""

    def look(self, instances: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
        """Return the names of the files that hold each instance, None for what the archive doesn't have."""
        found: dict[str, tuple[str, ...] | None] = {}
        for start in range(0, len(instances), MOST):
            some = instances[start : start + MOST]
            told = json.loads(self._asked("GET", f"{HOLDINGS}?instances={','.join(some)}"))
            if told.keys() != {*some}:
                raise ArchiveError("Orthanc doesn't say of all that it was asked about whether it has it.")
            found |= {name: None if files is None else tuple(map(str, files)) for name, files in told.items()}
        return found

    def has(self, orthanc_instance: str) -> bool:
        """Tell whether the archive has it."""
        try:
            self._asked("GET", f"/instances/{orthanc_instance}")
        except NotInArchiveError:
            return False
        return True

    def uid(self, orthanc_instance: str) -> str | None:
        """Return the SOP Instance UID of an instance, None when the archive doesn't have it."""
        try:
            known = json.loads(self._asked("GET", f"/instances/{orthanc_instance}"))
        except NotInArchiveError:
            return None
        return str(known["MainDicomTags"]["SOPInstanceUID"])

    def delete(self, orthanc_instance: str) -> None:
        """Delete it; what isn't there any more is deleted."""
        with suppress(NotInArchiveError):
            self._asked("DELETE", f"/instances/{orthanc_instance}")

    def instances(self) -> frozenset[str]:
        """Return the identifiers of every stored instance."""
        return frozenset(json.loads(self._asked("GET", "/instances")))

    def plugins(self) -> tuple[str, ...]:
        """Return the names of the loaded plugins."""
        return tuple(json.loads(self._asked("GET", "/plugins")))
