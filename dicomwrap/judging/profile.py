"""Judge the colour profile in (0028,2000).

Knows the header and table of ICC profiles (ICC.1:2022 section 7) and what DICOM wants of them (PS3.3 section C.11.15).
Must not know how a profile is used. Texts are looked at, never told: they may be a person's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.judging.findings import Finding, error, note, warning
from dicomwrap.judging.picture import transfer_syntax_uid
from dicomwrap.judging.values import binary, number
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding

_HEADER: Final = 128
_MOST_TAGS: Final = 200
_LONGEST_TEXT: Final = 4096
_TEXTS: Final = frozenset({b"desc", b"cprt", b"dmnd", b"dmdd", b"targ", b"meta", b"vued", b"scrd", b"dscm", b"pseq"})
# Words of the makers of colour spaces. A text of these alone tells nothing of who took the picture.
_VOCABULARY: Final = """
    a adobe all appearance apple artifex b based beta bt built c camera ch cicp color colour company compact condition
    consortium copyright d dci default display displayclass domain dot eastman freely g gain gamma generic google gray
    grey hewlett http https iec icc in inc incorporated input international itu kodak lcms linear matrix no of on org p
    packard preference profile prophoto public r rec reference reserved rgb rights romm scanner software space srgb
    standard systems the tm to u use v viewing white www
"""
_WORDS: Final = frozenset(_VOCABULARY.split())
_WORD: Final = re.compile(r"[^\W\d_]+")


def profile_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say what is wrong with the colour profile, or that there is none."""
    if "PixelData" not in dataset:
        return
    samples = number(dataset, "SamplesPerPixel") or 0
    icc = binary(dataset, "ICCProfile")
    if not icc:
        if samples > 1 and not _has_colours_elsewhere(dataset):
            yield note("ICC_MISSING", "ICCProfile: is missing; readers will guess the colours")
        return
    if len(icc) < _HEADER or icc[36:40] != b"acsp":
        yield error("ICC_PROFILE", "ICCProfile: is no ICC profile")
        return
    yield from _header_findings(icc)
    for signature in texts_of(icc):
        yield warning("ICC_TEXT", f"ICCProfile: its text '{signature}' may name a device or a person")


def _has_colours_elsewhere(dataset: Dataset) -> bool:
    """Tell whether it is a film, whose stream tells its colours, or a slide, whose optical paths do."""
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid(dataset))
    return (syntax is not None and syntax.coding is Coding.VIDEO) or "OpticalPathSequence" in dataset


def _header_findings(icc: bytes) -> Iterator[Finding]:
    size = int.from_bytes(icc[:4], "big")
    if size > len(icc):
        yield error("ICC_PROFILE", "ICCProfile: is shorter than it says")
    elif icc[size:].strip(b"\0"):
        yield error("TRAILING_DATA", "ICCProfile: bytes follow the profile")
    if icc[16:20] not in (b"RGB ", b"GRAY"):
        yield error("ICC_PROFILE", "ICCProfile: isn't for RGB pictures")
    if icc[20:24] not in (b"XYZ ", b"Lab "):
        yield error("ICC_PROFILE", "ICCProfile: connects to neither XYZ nor Lab")
    if icc[12:16] != b"scnr":
        yield warning("ICC_CLASS", "ICCProfile: isn't of the input device class (scnr)")


def texts_of(icc: bytes) -> tuple[str, ...]:
    """Return the signatures of those texts that aren't the known ones of colour spaces."""
    found = (
        signature.decode("ascii").strip()
        for signature, element in _elements(icc)
        if signature in _TEXTS and not _is_harmless(element)
    )
    return tuple(dict.fromkeys(found))


def description_of(icc: bytes) -> str:
    """Return what a profile calls itself, "" when it doesn't say."""
    return next((_words(element) for signature, element in _elements(icc) if signature == b"desc"), "")


def _elements(icc: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the elements of the profile's table, each cut to what a text needs."""
    start = _HEADER + 4
    count = min(int.from_bytes(icc[_HEADER:start], "big"), _MOST_TAGS, max(len(icc) - start, 0) // 12)
    for signature, at, length in struct.iter_unpack(">4sII", icc[start : start + 12 * count]):
        yield signature, icc[at : at + min(length, _LONGEST_TEXT)]


def _is_harmless(element: bytes) -> bool:
    return _WORDS.issuperset(_WORD.findall(_words(element).casefold()))


def _words(element: bytes) -> str:
    """Return the readable part of a textType, textDescriptionType or multiLocalizedUnicodeType."""
    kind, body = element[:4], element[8:]
    if kind == b"desc":
        length = int.from_bytes(body[:4], "big")
        return _printable(body[4 : 4 + length].decode("ascii", "replace"))
    if kind == b"mluc":
        return _printable(" ".join(_localised(element)))
    return _printable(body.decode("ascii", "replace"))


def _localised(element: bytes) -> Iterator[str]:
    count = min(int.from_bytes(element[8:12], "big"), 16)
    for at in range(16, 16 + 12 * count, 12):
        length, start = (int.from_bytes(element[at + step : at + step + 4], "big") for step in (4, 8))
        yield element[start : start + length].decode("utf-16-be", "replace")


def _printable(text: str) -> str:
    return "".join(sign for sign in text.strip(" \0") if sign.isprintable()).strip()
