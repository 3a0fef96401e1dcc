"""An archive that has been given the photographs of the first journey, and the pictures that its answers give."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydicom.dataset import Dataset

from demo.journey import Journey
from demo.server import Server
from orthanc_plugin.registry.images import orthanc_id
from tests.integration.archive import today


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An archive and a picture in it that is asked for."""

    server: Server
    journey: Journey
    picture: Dataset

    def named(self, level: str) -> str:
        """Return Orthanc's identifier of the picture, or of what it is in."""
        said = self.picture
        parts = (said.PatientID, said.StudyInstanceUID, said.SeriesInstanceUID, said.SOPInstanceUID)
        return orthanc_id(*parts[: ("patients", "studies", "series", "instances").index(level) + 1])


@contextmanager
def photographed(server: Server, work: Path) -> Iterator[Journey]:
    """Start a server that is configured, and have a camera push the photographs; ``work`` is made."""
    work.mkdir()
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        journey.push()
        assert journey.wrong == 0
        yield journey
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


def of_answer(answer: httpx.Response) -> list[bytes]:
    """Return the objects that an answer gives; whatever is refused must say so by its status."""
    if answer.status_code != 200:
        assert answer.status_code in (403, 404), answer.text
        return []
    if answer.content[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        return [archive.read(name) for name in archive.namelist() if not name.startswith(("MANIFEST", "DICOMDIR"))]
    return [answer.content]
