"""An archive that has been given the photographs of the first journey, and the pictures that its answers give."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from demo.journey import Journey
from demo.server import Server
from tests.integration.archive import today


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
