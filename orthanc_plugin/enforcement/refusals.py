"""What Orthanc's core refuses before any hook is called, such as an unknown AE title or C-GET, for the audit trail.

Knows the line that Orthanc writes to its log for it. Reads the log like ``tail -F``: a rotated file is followed.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

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
        self.position = 0
        self.inode = 0
        self.stopping = threading.Event()

    def start(self) -> None:
        """Follow the log from its present end, in a thread of its own."""
        if self.path.exists():
            status = self.path.stat()
            self.position, self.inode = status.st_size, status.st_ino
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
        if not self.path.exists():
            return
        status = self.path.stat()
        if status.st_ino != self.inode or status.st_size < self.position:
            self.inode, self.position = status.st_ino, 0
        with self.path.open("rb") as file:
            file.seek(self.position)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # half a line: the rest is read next time
                self.position += len(line)
                yield line.decode("utf-8", "replace")

    def _run(self) -> None:
        while not self.stopping.wait(SECONDS_BETWEEN_LOOKS):
            try:
                self.look()
            except Exception:  # a witness that stumbles goes on looking
                logger.exception("Orthanc's log could not be read")
