"""A file that is to be sent: what it says it is, and the digest of its bytes.

Knows the beginning of a DICOM file (PS3.10 section 7). Must not know how it is sent. What leaves is the file as it
stands: never decoded, never coded anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread

from dicomwrap.durable import digest, reason_of
from dicomwrap.errors import NotAnObjectError
from dicomwrap.hostile import UNREADABLE

_LONGEST_UID: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One object in its file, as it was when the digest was taken."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    sha256: str
    size: int

    @property
    def kind(self) -> tuple[str, str]:
        """SOP class and transfer syntax: what a presentation context is about."""
        return self.sop_class_uid, self.transfer_syntax_uid


def parcel(path: Path) -> Parcel:
    """Read what a file is.

    Raises:
        NotAnObjectError: it can't be read, or it isn't a DICOM object in a file.
    """
    try:
        sha256, size = digest(path)
    except (OSError, ValueError) as error:
        raise NotAnObjectError(f"The file can't be read ({reason_of(error)})", "Check the path.") from error
    try:
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        header = dataset.file_meta
        inside = (_uid(dataset.get("SOPClassUID")), _uid(dataset.get("SOPInstanceUID")))
        outside = (_uid(header.get("MediaStorageSOPClassUID")), _uid(header.get("MediaStorageSOPInstanceUID")))
        syntax = _uid(header.get("TransferSyntaxUID"))
    except UNREADABLE as error:
        raise NotAnObjectError("The file isn't a DICOM object") from error
    if not all((*inside, syntax)):
        raise NotAnObjectError("The object lacks its SOP class, its SOP instance or its transfer syntax")
    if inside != outside:
        raise NotAnObjectError("The object and the header of its file don't say the same instance")
    return Parcel(
        path=path,
        sop_class_uid=inside[0],
        sop_instance_uid=inside[1],
        transfer_syntax_uid=syntax,
        sha256=sha256,
        size=size,
    )


def _uid(value: object) -> str:
    """Return a UID, or "" when it is none (PS3.5 section 9.1)."""
    text = "" if value is None else str(value)
    parts = text.split(".")
    good = len(text) <= _LONGEST_UID and all(part.isascii() and part.isdigit() for part in parts)
    return text if good else ""
