"""Look at an Orthanc from outside: is it guarded, and do those live that decide?

Knows what a guarded Orthanc answers: nothing to anybody, and its health to ourselves. Must not know what is done about
what is seen (``cli.watch``). Source: Orthanc starts without the plugin when its configuration or a file is missing, and
goes on when a thread of the plugin has died.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

import httpx

from orthanc_plugin.archive.process import Process
from orthanc_plugin.archive.remote import SECRET_HEADER, Credentials, read_credentials
from orthanc_plugin.errors import ArchiveError

HEALTH: Final = "/consentgate/health"
UNLISTED: Final = "/consentgate-watch"  # no version of Orthanc has it, so whoever answers it answers anybody
REFUSED: Final = frozenset({401, 403})
TOLD: Final = frozenset({200, 503})
DECIDING: Final = ("decisions", "heartbeat")


@unique
class State(StrEnum):
    """What there is at the address."""

    NOTHING = "NOTHING"
    GUARDED = "GUARDED"
    SILENT = "SILENT"  # the guarded one that was started here lives, and answers nobody: it is busy, or hangs
    UNGUARDED = "UNGUARDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen, in words without identifiers."""

    state: State
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """Where the Orthanc is that is looked at.

    Attributes:
        url: its address.
        boot_file: where the running plugin leaves its secret.
        user: Consentgate's own account.
        seconds: how long an answer may take.
        dicom_port: its DICOM port on this machine, when that is looked at too.
    """

    url: str
    boot_file: Path
    user: str
    seconds: float
    dicom_port: int | None = None

    def look(self) -> Sight:
        """Return what there is now.

        Raises:
            ArchiveError: the secret is there and isn't ours to read, so nothing can be told.
        """
        try:
            with httpx.Client(base_url=self.url, timeout=self.seconds, trust_env=False) as client:
                to_anybody = client.get(UNLISTED).status_code
                if to_anybody not in REFUSED:
                    return _unguarded(f"it answers anybody ({to_anybody})")
                return self._guarded(client)
        except httpx.ConnectError:
            return self._nothing()
        except httpx.HTTPError as error:
            # A guarded one that is busy, or hangs, gives nothing to anybody: that is no haste.
            state = State.SILENT if self._guard_lives() else State.UNGUARDED
            return Sight(state=state, words=f"it listens and gives no answer ({type(error).__name__})")

    def _guarded(self, client: httpx.Client) -> Sight:
        credentials = self._credentials()
        if credentials is None:
            return _unguarded("it listens, and no guarded one has left its secret")
        answer = client.get(
            HEALTH, auth=(credentials.user, credentials.password), headers={SECRET_HEADER: credentials.secret}
        )
        return told(answer)

    def _credentials(self) -> Credentials | None:
        try:
            return read_credentials(self.boot_file, self.user)
        except ArchiveError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            return None

    def _guard_lives(self) -> bool:
        """Tell whether the process runs that left the secret: a killed one leaves it too."""
        if self._credentials() is None:
            return False
        try:
            said = json.loads(self.boot_file.read_text())
            return Process(pid=int(said["pid"]), started=int(said["started"])).runs()
        except (OSError, ValueError, LookupError, TypeError):
            return False

    def _nothing(self) -> Sight:
        if self.dicom_port is not None and _listens(self.dicom_port):
            return _unguarded("its DICOM port is open, and nothing answers by HTTP")
        return Sight(state=State.NOTHING, words="nothing listens")


def told(answer: httpx.Response) -> Sight:
    """Return what the answer on its health tells; shut doors are guarded ones."""
    if answer.status_code not in TOLD:
        return _unguarded(f"the plugin doesn't answer for it ({answer.status_code})")
    try:
        fields = answer.json()
        dead = [name for name in DECIDING if fields["parts"][name]["ok"] is not True]
        shut = "" if fields["doors"]["open"] is True else str(fields["doors"]["why"])
        failing = [str(name) for name, part in fields["parts"].items() if part["ok"] is not True]
        busy = [str(name) for name, part in fields["parts"].items() if part.get("busy") is True]
    except (ValueError, LookupError, TypeError, AttributeError):
        return _unguarded("what it says of its health can't be read")
    if dead:
        return _unguarded(f"its policy threads are dead ({', '.join(dead)})")
    words = f"guarded; the doors are shut: {shut}" if shut else "guarded; the doors are open"
    words += f"; not working: {', '.join(failing)}" if failing else ""
    return Sight(state=State.GUARDED, words=words + (f"; busy: {', '.join(busy)}" if busy else ""))


def _unguarded(words: str) -> Sight:
    return Sight(state=State.UNGUARDED, words=words)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0
