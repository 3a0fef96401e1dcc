"""What can go wrong while a photograph becomes a DICOM object, each with its remedy.

Knows how a failure is told to a person. Must not know where it is told; a message never carries a patient's name.
"""

from __future__ import annotations

from collections.abc import Iterable


class DicomwrapError(Exception):
    """Something that a person can mend. ``str`` reads "what is wrong. remedy"."""

    remedy: str = "See the reason and try again."

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason.rstrip(".")
        if remedy is not None:
            self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason}. {self.remedy}"


class NotAPhotographError(DicomwrapError):
    """The bytes are no photograph that we can read."""

    remedy = "Give the JPEG file that the camera wrote, or export the picture as a baseline JPEG."


class TruncatedPhotographError(DicomwrapError):
    """The photograph ends before it is complete."""

    remedy = "Copy the file from the camera again; this copy is incomplete."


class DamagedPhotographError(DicomwrapError):
    """The photograph breaks the rules of its own format."""

    remedy = "Copy the file from the camera again, or open it in a picture editor and export it as a baseline JPEG."


class UnsupportedPhotographError(DicomwrapError):
    """A true photograph, in a coding that can't be kept bit for bit in the object we write."""

    remedy = "Export the picture as an ordinary (baseline, 8 bit, colour or grey) JPEG and wrap that file."


class ProblemsError(DicomwrapError):
    """Several things wrong with one piece of text, told all at once."""

    subject = "The details"

    def __init__(self, problems: Iterable[str], remedy: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{self.subject} can't be used: {'; '.join(self.problems)}", remedy)


class PatientDetailsError(ProblemsError):
    """What was given about the patient, the operator or the view can't stand in a DICOM object."""

    subject = "The patient's details"
    remedy = "Correct the options that are named and run the command again; nothing was written."


class ConsentFileError(ProblemsError):
    """The consent file doesn't say what a consent must say. ``problems`` begin with their place."""

    subject = "The consent file"
    remedy = "Correct the places that are named and run the command again; nothing was written."


class ConformanceError(ProblemsError):
    """The object we built doesn't keep a promise; it is not written."""

    subject = "The DICOM object"
    remedy = "Keep the photograph and report this as a fault of dicomwrap."


class OutputError(DicomwrapError):
    """The object is good but couldn't be put where it was asked."""

    remedy = "Choose another --out, or free the place, and run the command again."


class NodeError(DicomwrapError):
    """What was given as a DICOM node's name and address is none."""

    remedy = "Write it as AET@HOST:PORT, such as ARCHIVE@pacs.example:104."


class NotAnObjectError(DicomwrapError):
    """The file can't be sent, because it isn't a whole DICOM object in a file."""

    remedy = "Give the .dcm files that dicomwrap wrap has written."


class PeerError(DicomwrapError):
    """The other side can't be reached, or refuses to talk."""

    remedy = "Check the address, the AE titles on both sides and the network, and run the command again."


class ReceiptError(DicomwrapError):
    """A deletion receipt can't be written or doesn't say what it must; nothing is deleted."""

    remedy = "Make the receipts' folder writable, or choose another --receipts; sending again is harmless."


class WorklistError(DicomwrapError):
    """A worklist, or a file of its items, can't be used."""

    remedy = "Fetch the worklist again with dicomwrap worklist --out."


class WatchError(DicomwrapError):
    """The folder can't be watched."""

    remedy = "Check the folder and its permissions, and start again; no photograph was touched."


class DamagedFilmError(DamagedPhotographError):
    """The film breaks the rules of its own format."""

    remedy = "Copy the film from the camera again, or open it in a film editor and export it as MP4 with H.264."


class UnsupportedFilmError(UnsupportedPhotographError):
    """A true film, in a form that can't be kept bit for bit in the object we write."""

    remedy = "Export the film as MP4 with H.264, High profile, at most 1080p, and wrap that file."


class ArchiveRefusedError(DicomwrapError):
    """The archive doesn't take an object, or took it and doesn't vouch for it."""

    remedy = "The photograph is kept, and the object is offered again later."
