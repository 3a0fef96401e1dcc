"""Give the photograph of a DICOM object back as a file: ``dicomwrap unwrap``.

Knows names and places. Must not know codings; those are ``dicomwrap.pictures``'. The file appears whole or not at all,
and carries no consent any more.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.errors import DicomwrapError, NotAnObjectError, OutputError
from dicomwrap.judging.opening import UnfitFileError, opened, read
from dicomwrap.pictures import Picture, pictures
from dicomwrap.wrap import publish

_ALIASES: Final = {".jpeg": ".jpg", ".jpe": ".jpg", ".m4v": ".mp4", ".j2c": ".j2k", ".jpc": ".j2k"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """One photograph that was given back.

    Attributes:
        photo: where it is.
        sha256: digest of the file.
        left_out: names of metadata that the object's stream carried, and the photograph doesn't.
        warnings: sentences for a person.
    """

    photo: str
    sha256: str
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def unwrap(file: Path, out: Path) -> tuple[Unwrapped, ...]:
    """Write the photograph in ``file`` to ``out``, a file name or a folder; several frames become -1, -2 and so on.

    Raises:
        DicomwrapError: there is none, or the place is taken; nothing is written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom; whoever wants to know runs verify
        found = tuple(pictures(_dataset(file)))
    places = _places(out, file.stem, found)
    _write_all(found, places)
    return tuple(
        Unwrapped(
            photo=str(place),
            sha256=hashlib.sha256(picture.data).hexdigest(),
            left_out=picture.left_out,
            warnings=picture.warnings,
        )
        for picture, place in zip(found, places, strict=True)
    )


def _dataset(file: Path) -> Dataset:
    try:
        with opened(file) as source:
            return read(source)
    except UnfitFileError as unfit:
        raise NotAnObjectError(f"The file {unfit.finding.message}") from unfit


def _places(out: Path, stem: str, found: tuple[Picture, ...]) -> tuple[Path, ...]:
    suffix = found[0].suffix
    if out.is_dir() or not out.suffix:
        named = out / f"{stem}{suffix}"
    elif _ALIASES.get(out.suffix.lower(), out.suffix.lower()) == suffix:
        named = out
    else:
        raise OutputError(f"What comes out is a {suffix} file", f"Name a file that ends in {suffix}, or a folder.")
    if len(found) == 1:
        return (named,)
    return tuple(named.with_name(f"{named.stem}-{number}{named.suffix}") for number in range(1, len(found) + 1))


def _write_all(found: tuple[Picture, ...], places: tuple[Path, ...]) -> None:
    """Write every file, or none."""
    written: list[Path] = []
    try:
        for picture, place in zip(found, places, strict=True):
            publish(picture.data, place)
            written.append(place)
    except DicomwrapError:
        for place in written:
            place.unlink(missing_ok=True)
        raise
