"""A real Orthanc with Consentgate and real DICOM peers around it, for the integration tests.

Built from the parts of the demonstration, so that what the tests hold is what users are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from demo.journey import Journey, Wrapped
from demo.peers import free_ports
from demo.server import Ports, Server
from tests.fakes import commands


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The server, and the journey that has filled it."""

    server: Server
    journey: Journey

    def wrapped(self, letter: str) -> Wrapped:
        return self.journey.wrapped[letter]

    def last_entry(self) -> int:
        entries = self.server.audit(1)
        return int(str(entries[-1]["seq"])) if entries else 0

    def entries_since(self, seq: int) -> list[dict[str, object]]:
        return [entry for entry in self.server.audit(200) if int(str(entry["seq"])) > seq]


def ports() -> Ports:
    http, dicom, camera, workstation, teaching = free_ports(5)
    return Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)


def today() -> date:
    return date.today()  # noqa: DTZ011 - a day, as the demonstration takes it


@contextmanager
def started(folder: Path) -> Iterator[Archive]:
    """Start the archive, file the photographs, stop everything at the end."""
    server = Server(folder=folder / "orthanc", ports=ports(), run=commands.run)
    server.start()
    said: list[str] = []
    work = folder / "work"
    work.mkdir()
    journey = Journey(server=server, work=work, today=today(), show=said.append)
    try:
        journey.wrap()
        journey.push()
        assert journey.wrong == 0, "\n".join(said)
        yield Archive(server=server, journey=journey)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()
