"""Orthanc from inside, through the ``orthanc`` module: only what is short, and never a job.

Knows the in-process REST API (``RestApiGet``/``RestApiPost``), which goes past our own overrides. Never used for a
send: see ``archive.remote``.
"""

from __future__ import annotations

import json
from typing import Final

import orthanc

from orthanc_plugin.errors import ArchiveError

NAME: Final = 5113  # of Orthanc's global properties, those from 1024 on are the plugins'


class EmbeddedControl:
    """An ``ArchiveControl`` inside Orthanc."""

    def modalities(self) -> dict[str, dict[str, object]]:
        """Return the effective DICOM modalities by name."""
        found: dict[str, dict[str, object]] = json.loads(orthanc.RestApiGet("/modalities?expand"))
        return found

    def peers(self) -> dict[str, object]:
        """Return the effective peers by name."""
        found: dict[str, object] = json.loads(orthanc.RestApiGet("/peers?expand"))
        return found

    def plugins(self) -> tuple[str, ...]:
        """Return the names of the loaded plugins."""
        return tuple(json.loads(orthanc.RestApiGet("/plugins")))

    def instances(self) -> tuple[str, ...]:
        """Return the identifiers of every stored instance."""
        return tuple(json.loads(orthanc.RestApiGet("/instances")))

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored DICOM bytes."""
        content: bytes = orthanc.GetDicomForInstance(orthanc_instance)
        return content

    def indexed(self, orthanc_instance: str) -> dict[str, str]:
        """Return what the archive's index has of an instance: elements by keyword, and where it is filed."""
        found: dict[str, str] = {}
        for level in ("series", "study", "patient", ""):
            answer = json.loads(orthanc.RestApiGet(f"/instances/{orthanc_instance}/{level}".rstrip("/")))
            found |= {str(keyword): str(value) for keyword, value in answer["MainDicomTags"].items()}
            found |= {f"orthanc_{level}": str(answer["ID"])} if level else {}
        return found

    def named(self, fresh: str) -> str:
        """Return the name that the archive's index keeps of itself, which is ``fresh`` when it had none."""
        known = str(orthanc.GetGlobalProperty(NAME, ""))
        if not known:
            orthanc.SetGlobalProperty(NAME, fresh)
        return known or fresh

    def shut_down(self) -> None:
        """Stop Orthanc."""
        orthanc.RestApiPost("/tools/shutdown", b"")


class EmbeddedCore:
    """A ``CoreApi`` inside Orthanc."""

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the core's answer."""
        try:
            answer: bytes = orthanc.RestApiPost(path, body) if method == "POST" else orthanc.RestApiGet(path)
        except orthanc.OrthancException:  # whose text is the core's, and may quote the question
            raise ArchiveError("The archive could not answer.", remedy="Check the query; see Orthanc's log.") from None
        return answer
