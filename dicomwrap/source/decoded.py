"""Read pictures that have to be decoded: everything but a JPEG whose bits can be kept.

Knows the decoding child: a hostile file is parsed outside our own process, with limits on memory, time and output, and
what comes back is checked as a stranger's word. Must not know any format from the inside, nor files or DICOM objects.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Final

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.markers import SOF0, ColourModel, parse
from dicomwrap.errors import DamagedPhotographError
from dicomwrap.exif import capture_facts
from dicomwrap.photograph import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    CaptureFacts,
    ColourProfile,
    Orienting,
    Photograph,
    Reading,
)
from dicomwrap.source.answer import MOST_FRAME, OTHERS, Decoded, unpacked
from dicomwrap.source.limits import Limits, run_limited

# 200 megapixels of RGB are 800 MB in the decoder, and as much again to turn, convert or compress them.
LIMITS: Final = Limits(memory=4 * 1024**3, seconds=120, answer=MOST_FRAME)
ALL_PAGES: Final = 0
_CHILD: Final = ("-I", "-m", "dicomwrap.source.child")
_PROFILE_LOST: Final = "the colour profile could not be carried over"
_COLOURS: Final = {1: ColourModel.GREY, 3: ColourModel.YCBCR}


def read(data: bytes, kind: str, reading: Reading) -> tuple[Photograph, ...]:
    """Read every picture of a file of a format that has to be decoded.

    Args:
        data: the file.
        kind: what it is: PNG, TIFF, WebP, BMP, AVIF or HEIC.
        reading: how to read it. An orientation given there replaces the one that the file's EXIF tells; a turn that
            HEIC and AVIF describe themselves is part of the picture and always done first.

    Raises:
        DicomwrapError: it can't be decoded, or is more than the limits allow.
    """
    pages = _asked(
        data,
        kind,
        orientation=reading.orientation,
        page=ALL_PAGES,
        most_pixels=reading.most_pixels,
        keep=reading.orienting is Orienting.KEEP,
    )
    sha256 = hashlib.sha256(data).hexdigest()
    return tuple(_photograph(page, sha256) for page in pages)


def decode(data: bytes, kind: str, *, orientation: int | None, page: int, most_pixels: int, keep: bool) -> Decoded:
    """Decode one picture of a file.

    Args:
        data: the file.
        kind: what it is, such as PNG.
        orientation: EXIF orientation to believe in place of the file's.
        page: which picture, from 1.
        most_pixels: more are refused, before anything is decoded.
        keep: leave the picture as it is stored, whatever the orientation.

    Raises:
        DicomwrapError: it can't be decoded, or is more than the limits allow.
    """
    return _asked(data, kind, orientation=orientation, page=page, most_pixels=most_pixels, keep=keep)[0]


def reencode_jpeg(data: bytes, *, orientation: int, most_pixels: int) -> Decoded:
    """Decode a JPEG that can't be kept, turn it by an EXIF orientation and compress it anew.

    A profile of a CMYK JPEG doesn't describe the result; a profile of RGB components still does.

    Raises:
        DicomwrapError: it can't be decoded, or is more than the limits allow.
    """
    return decode(data, "JPEG", orientation=orientation, page=1, most_pixels=most_pixels, keep=False)


def _asked(
    data: bytes, kind: str, *, orientation: int | None, page: int, most_pixels: int, keep: bool
) -> tuple[Decoded, ...]:
    """Ask the child, which runs with nothing of our environment and answers into memory."""
    request = {"kind": kind, "orientation": orientation, "page": page, "most_pixels": most_pixels, "keep": keep}
    command, given = (sys.executable, *_CHILD), json.dumps(request).encode() + b"\n" + data
    with run_limited(command, given, LIMITS) as (status, answers):
        return understood(status, answers, kind, page)


def understood(status: int, answers: IO[bytes], kind: str, page: int) -> tuple[Decoded, ...]:
    """Return the pictures in the child's answers.

    Raises:
        DicomwrapError: the child refused, broke down, was stopped, or answers what it wasn't asked.
    """
    if status != 0:
        raise DamagedPhotographError(f"The {kind} could not be decoded; the decoder broke down or was stopped")
    return tuple(_checked(decoded) for decoded in _pages(answers, page))


def _pages(answers: IO[bytes], page: int) -> Iterator[Decoded]:
    first = unpacked(answers)
    yield first
    if page != ALL_PAGES:
        return
    for number in range(2, first.pages + 1):
        decoded = unpacked(answers)
        if (decoded.page, decoded.pages) != (number, first.pages):
            raise DamagedPhotographError("The picture could not be decoded; its pages came in disorder")
        yield decoded


def _checked(decoded: Decoded) -> Decoded:
    """Return the picture with a JPEG stream that is clean and what the answer says of it."""
    if decoded.lossless:
        return decoded
    stream = cleaned(decoded.frame)
    parsed = parse(stream)
    frame = parsed.frame
    said = (SOF0, 8, decoded.rows, decoded.columns, _COLOURS[decoded.samples])
    if (frame.marker, frame.precision, frame.rows, frame.columns, parsed.colour) != said:
        raise DamagedPhotographError("The picture could not be compressed; the stream isn't what was asked for")
    return replace(decoded, frame=stream)


def _photograph(decoded: Decoded, sha256: str) -> Photograph:
    facts = capture_facts(decoded.exif) if decoded.exif else CaptureFacts()
    profile, lost = _profile(decoded)
    return Photograph(
        frame=(decoded.frame,),
        transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN if decoded.lossless else JPEG_BASELINE,
        rows=decoded.rows,
        columns=decoded.columns,
        samples=decoded.samples,
        photometric=_photometric(decoded),
        facts=facts,
        sha256=sha256,
        lossy=decoded.steps,
        added_loss=decoded.added_loss,
        untouched=decoded.untouched,
        derivation=decoded.derivation,
        profile=profile,
        page=decoded.page,
        left_out=OTHERS if OTHERS in decoded.warnings else "",
        warnings=(*facts.warnings, *decoded.warnings, *lost),
    )


def _photometric(decoded: Decoded) -> str:
    if decoded.samples == 1:
        return "MONOCHROME2"
    return "RGB" if decoded.lossless else "YBR_FULL_422"


def _profile(decoded: Decoded) -> tuple[ColourProfile | None, tuple[str, ...]]:
    if not decoded.icc:
        return None, ()
    from dicomwrap.icc import colour_profile

    profile = colour_profile(decoded.icc, samples=decoded.samples)
    return profile, () if profile is not None else (_PROFILE_LOST,)
