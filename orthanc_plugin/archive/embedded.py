"""Orthanc from inside, through the ``orthanc`` module: only short reads around the start.

Knows the in-process REST API (``RestApiGet``/``RestApiPost``). Never used for a send: see ``archive.remote``.
"""

from __future__ import annotations

import json

import orthanc


class EmbeddedControl:
    """An ``ArchiveControl`` inside Orthanc."""

    def modalities(self) -> dict[str, dict[str, object]]:
        """Return the effective DICOM modalities by name."""
        found: dict[str, dict[str, object]] = json.loads(orthanc.RestApiGet("/modalities?expand"))
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

    def shut_down(self) -> None:
        """Stop Orthanc."""
        orthanc.RestApiPost("/tools/shutdown", b"")
