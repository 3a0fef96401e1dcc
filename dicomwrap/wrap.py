"""Wrap a photograph into a DICOM object, and put the object on disk whole or not at all.

Knows the order of things: build, stamp, encode, read back, check, publish. Must not know options, consents' meaning or
the clock. The file is PS3.10; it appears under its name only when every byte of it is on the disk.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap import conformance
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import stamp
from dicomwrap.errors import ConformanceError, OutputError
from dicomwrap.iod.vl_photographic import View, Wrapping, vl_photographic
from dicomwrap.photograph import Photograph
from dicomwrap.series import Place
from dicomwrap.subject import Patient, Visit


def wrap(
    photograph: Photograph,
    *,
    patient: Patient,
    visit: Visit,
    place: Place,
    view: View,
    consent: ConsentStamp,
    wrapping: Wrapping,
) -> Dataset:
    """Return the photograph as a VL Photographic Image that carries its consent stamp; no side effects.

    The frame is ``photograph.stream``, byte for byte.
    """
    dataset = vl_photographic(photograph, patient=patient, visit=visit, place=place, view=view, wrapping=wrapping)
    stamp(dataset, consent)
    return dataset


def time_warnings(photograph: Photograph, at: datetime) -> tuple[str, ...]:
    """Say what is doubtful about the time of capture, for a photograph wrapped at ``at``."""
    taken = photograph.facts.taken_at
    if taken is None:
        return ("the camera says no time of capture; the time of wrapping is written",)
    if taken > at.replace(tzinfo=None) + timedelta(days=1):
        return ("the camera's clock is ahead: the time of capture lies in the future",)
    return ()


def encoded(dataset: Dataset) -> bytes:
    """Return the object as a file's bytes, after reading them back and checking what they say.

    Raises:
        ConformanceError: the object breaks a promise.
    """
    buffer = BytesIO()
    try:
        dataset.save_as(buffer, enforce_file_format=True)
    except (AttributeError, TypeError, ValueError) as error:
        raise ConformanceError((f"can't be encoded ({type(error).__name__})",)) from error
    data = buffer.getvalue()
    again = dcmread(BytesIO(data))
    conformance.check(again)
    if again.PixelData != dataset.PixelData:
        raise ConformanceError(("PixelData: not the same after encoding",))
    return data


def write(dataset: Dataset, path: Path) -> None:
    """Put the object at ``path``, which must be free. Readable by its owner only.

    Raises:
        ConformanceError: the object breaks a promise; nothing is written.
        OutputError: the place is taken or can't be written to; nothing is left behind.
    """
    publish(encoded(dataset), path)


def publish(data: bytes, path: Path) -> None:
    """Make ``data`` appear at ``path`` whole or not at all.

    Raises:
        OutputError: the place is taken or can't be written to; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _written(data, path)
        try:
            _take_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OutputError(f"{path} can't be written ({reason})") from error


def _written(data: bytes, path: Path) -> Path:
    """Return a new file beside ``path`` that holds the data, synced."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".dicomwrap-", suffix=".part", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _take_name(temporary: Path, path: Path) -> None:
    """Give the file its name; a link, unlike a rename, never replaces what is there."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if isinstance(error, FileExistsError) or path.exists():
            taken = OutputError(f"{path} is already there", "Choose another --out; nothing is ever overwritten.")
            raise taken from error
        temporary.rename(path)  # a file system without links


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
