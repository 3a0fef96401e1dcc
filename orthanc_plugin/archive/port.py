"""What Consentgate needs of an archive. Adapters and simulators implement it."""

from __future__ import annotations

from typing import Protocol


class ImageArchive(Protocol):
    """Reads, takes and sends instances; named by Orthanc's identifiers and modality names."""

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored DICOM bytes.

        Raises:
            ArchiveError: they can't be had.
        """

    def store(self, content: bytes) -> str:
        """Offer an object to the archive; return its identifier, or '' when intake kept it out.

        Raises:
            ArchiveError: the archive failed.
        """

    def send(self, content: bytes, modality: str) -> None:
        """Send an object by C-STORE to a configured modality.

        Raises:
            ArchiveError: the recipient did not confirm it.
        """


class ArchiveControl(Protocol):
    """What is asked of Orthanc itself around its start."""

    def modalities(self) -> dict[str, dict[str, object]]:
        """Return the effective DICOM modalities by name."""

    def peers(self) -> dict[str, object]:
        """Return the effective peers by name."""

    def plugins(self) -> tuple[str, ...]:
        """Return the names of the loaded plugins."""

    def instances(self) -> tuple[str, ...]:
        """Return the identifiers of every stored instance."""

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored DICOM bytes."""

    def indexed(self, orthanc_instance: str) -> dict[str, str]:
        """Return what the archive's index has of an instance: elements by keyword, and where it is filed.

        The latter as ``orthanc_series``, ``orthanc_study`` and ``orthanc_patient``.
        """

    def shut_down(self) -> None:
        """Stop Orthanc."""


class CoreApi(Protocol):
    """Orthanc's own REST API from inside, past the overrides that clients meet."""

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the core's answer.

        Raises:
            ArchiveError: the core refused or failed.
        """
