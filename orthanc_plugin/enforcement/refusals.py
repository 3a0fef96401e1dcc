"""What Orthanc's core refuses before any hook is called, such as an unknown AE title or C-GET, for the audit trail.

Knows the line that Orthanc writes to its log for it. Follows a rotated log: the old file is read to its end by the open
descriptor before the new one is begun. What is emptied in place between two looks (copytruncate) is lost.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS: Final = 0.5
_REJECTED: Final = re.compile(
    r"(?:DICOM authorization rejected\s+for|Rejected association for remote) AET (?P<aet>[\x21-\x7e][\x20-\x7e]{0,15})"
    r" on IP (?P<ip>[0-9A-Fa-f.:]*[0-9A-Fa-f])(?P<why>.*)"
)
_COMMAND: Final = re.compile(r"The DICOM command (?P<command>[A-Za-z-]+) is not allowed")
_SERVICES: Final = {"get": "C-GET", "move": "C-MOVE", "find": "C-FIND", "store": "C-STORE", "echo": "C-ECHO"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refusal of the core."""

    aet: str
    address: str
    door: str
    reason: str
    rule: str


def refusal(line: str) -> Refusal | None:
    """Return the refusal a log line tells of, or None."""
    found = _REJECTED.search(line)
    if found is None:
        return None
    command = _COMMAND.search(found["why"])
    if command is None:
        rule, door = "UNKNOWN_AE", "DICOM association"
        reason = "the AE title and host are not among the configured modalities"
    else:
        word = command["command"].lower()
        door = next((service for key, service in _SERVICES.items() if key in word), command["command"])
        rule, reason = "SERVICE_NOT_ALLOWED", f"{door} is switched off for this node"
    return Refusal(aet=found["aet"].strip(), address=found["ip"], door=door, reason=reason, rule=rule)


class LogWitness:
    """Follows Orthanc's log and writes its refusals into the trail.

    Args:
        path: Orthanc's log file.
        services: for the trail.
    """

    def __init__(self, path: Path, services: Services) -> None:
        self.path = path
        self.services = services
        self.file: BinaryIO | None = None
        self.stopping = threading.Event()

    def start(self) -> None:
        """Follow the log from its present end, in a thread of its own."""
        if self._open():
            self._opened().seek(0, os.SEEK_END)
        threading.Thread(target=self._run, name="log-witness", daemon=True).start()

    def stop(self) -> None:
        """Stop following."""
        self.stopping.set()

    def look(self) -> None:
        """Record what has been written since the last look."""
        for line in self._new_lines():
            found = refusal(line)
            if found is not None:
                node = self.services.policy.node(found.aet)
                requester = replace(requesters.of_node(found.aet, node), address=found.address)
                self.services.gate.refuse(requester, found.door, found.reason, rule=found.rule)

    def _new_lines(self) -> Iterator[str]:
        if self.file is None and not self._open():
            return
        yield from self._rest()
        if self._was_replaced():
            yield from self._rest()  # what was written into the old one before it was replaced
            self._open()
            yield from self._rest()

    def _rest(self) -> Iterator[str]:
        """Give the whole lines from where the last look ended to the end of the open file."""
        file = self._opened()
        if os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)  # emptied by who rotates the log
        while True:
            begun = file.tell()
            line = file.readline()
            if not line.endswith(b"\n"):
                file.seek(begun)  # half a line: the rest is read next time
                return
            yield line.decode("utf-8", "replace")

    def _was_replaced(self) -> bool:
        """Tell whether the log's name is another file's by now, and something is in that one already.

        Until then whoever writes may still write into the old one.
        """
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        return named.st_size > 0 and not os.path.samestat(named, os.fstat(self._opened().fileno()))

    def _open(self) -> bool:
        """Open the file that has the log's name; False when there is none."""
        try:
            found = self.path.open("rb")
        except FileNotFoundError:
            return False
        self._close()
        self.file = found
        return True

    def _opened(self) -> BinaryIO:
        assert self.file is not None  # noqa: S101 - it is opened before it is read
        return self.file

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()

    def _run(self) -> None:
        while not self.stopping.wait(SECONDS_BETWEEN_LOOKS):
            try:
                self.look()
            except Exception:  # a witness that stumbles goes on looking
                logger.exception("Orthanc's log could not be read")
        self._close()
