"""What Consentgate needs of an archive. Adapters and simulators implement it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from orthanc_plugin.errors import ArchiveError

Left = Callable[[], None]


def nobody() -> None:
    """Tell nobody."""


class NotTakenError(ArchiveError):
    """The recipient is there and says no to this object; it may have kept what it was sent."""

    remedy = "Ask who runs the node why; it must take objects of this SOP class in this transfer syntax."


class NothingSentError(ArchiveError):
    """Nothing of the object has gone out, so nobody has it. Whatever else fails may have."""


class NotOfferedError(NotTakenError, NothingSentError):
    """The object can't be offered to the recipient, or it does not take its kind."""


class Sending(Protocol):
    """Objects on their way to one recipient, one after the other."""

    @property
    def secured(self) -> bool:
        """Tell whether they go by TLS, to a recipient whose certificate is checked."""

    def reach(self, content: bytes) -> bool:
        """Have a connection that this object can go by; tell whether it had to be made, which takes time.

        Raises:
            NothingSentError: there is none.
        """

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Send an object; return what the recipient says beside that it has it, '' mostly.

        ``left`` is told, once or more, as soon as the first bytes have gone.

        Raises:
            NotTakenError: the recipient refuses this one.
            NothingSentError: nothing of it has gone out.
            ArchiveError: it does not answer, or breaks off; nobody knows whether it has the object.
        """

    def close(self) -> None:
        """Send no more."""


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

    def sending(self, modality: str) -> Sending:
        """Return what sends objects to a configured modality by C-STORE.

        Raises:
            ArchiveError: there is no such modality.
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

    def named(self, fresh: str) -> str:
        """Return the name that the archive's index keeps of itself, which is ``fresh`` when it had none."""

    def shut_down(self) -> None:
        """Stop Orthanc."""


class CoreApi(Protocol):
    """Orthanc's own REST API from inside, past the overrides that clients meet."""

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the core's answer.

        Raises:
            ArchiveError: the core refused or failed.
        """


class Disposal(Protocol):
    """What the execution of an approved disposition asks of an archive."""

    def look(self, instances: Sequence[str]) -> Mapping[str, tuple[str, ...] | None]:
        """Return the names of the files that hold each instance, None for what the archive doesn't have.

        Raises:
            ArchiveError: it doesn't say so of all of them.
        """

    def has(self, orthanc_instance: str) -> bool:
        """Tell whether the archive has it."""

    def uid(self, orthanc_instance: str) -> str | None:
        """Return the SOP Instance UID of an instance, None when the archive doesn't have it."""

    def delete(self, orthanc_instance: str) -> None:
        """Delete it; what isn't there any more is deleted.

        Raises:
            ArchiveError: it could not be.
        """

    def instances(self) -> frozenset[str]:
        """Return the identifiers of every stored instance."""

    def plugins(self) -> tuple[str, ...]:
        """Return the names of the loaded plugins."""
