"""What the decoding child answers, and how it stands on the wire: a line of JSON, then the bytes that it measures.

Knows both ends of that wire. Must not know how a picture is decoded. Whoever reads an answer believes nothing in it:
the child has parsed a stranger's bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Final, TypeAlias

from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from dicomwrap.photograph import LossyStep

MOST_SIDE: Final = 65_535  # Rows and Columns are US (PS3.5 section 6.2)
MOST_PAGES: Final = 500
MOST_FRAME: Final = 2 * 1024**3
OTHERS: Final = (
    "the file holds other pictures as well (a burst, a second view or depth); only its main picture was taken"
)
MOST_METADATA: Final = 16 * 1024**2
_MOST_HEADER: Final = 64 * 1024
_MOST_SENTENCES: Final = 32
_LONGEST_SENTENCE: Final = 400
_BLOCKS: Final = ("frame", "exif", "icc")
_METHODS: Final = frozenset({"", "ISO_10918_1", "ISO_23008_2"})
_ERRORS: Final[Mapping[str, type[DicomwrapError]]] = {
    error.__name__: error
    for error in (NotAPhotographError, TruncatedPhotographError, DamagedPhotographError, UnsupportedPhotographError)
}
_Header: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One picture of a file, decoded to 8 bits and upright.

    Attributes:
        frame: samples pixel by pixel, row by row, where ``lossless``; else a JPEG stream.
        lossless: nothing on the way from the file was a lossy compression.
        rows: height in pixels.
        columns: width in pixels.
        samples: samples per pixel, 1 or 3.
        steps: every lossy compression, the file's own first.
        added_loss: whether a compression or a loss of bits is ours.
        untouched: whether the samples are the file's own, in their own order.
        derivation: what was done to the pixels, a sentence each.
        exif: the file's EXIF block, from its TIFF header on; empty when there is none.
        icc: the colour profile; empty when there is none, or when it no longer describes the colours.
        page: which picture of the file, from 1.
        pages: pictures in the file.
        warnings: sentences for a person.
    """

    frame: bytes
    lossless: bool
    rows: int
    columns: int
    samples: int
    steps: tuple[LossyStep, ...] = ()
    added_loss: bool = False
    untouched: bool = False
    derivation: tuple[str, ...] = ()
    exif: bytes = b""
    icc: bytes = b""
    page: int = 1
    pages: int = 1
    warnings: tuple[str, ...] = ()


def packed(decoded: Decoded) -> tuple[bytes, ...]:
    """Return the answer that carries a picture, in pieces."""
    blocks = (decoded.frame, decoded.exif, decoded.icc)
    header = {
        "blocks": [len(block) for block in blocks],
        "lossless": decoded.lossless,
        "rows": decoded.rows,
        "columns": decoded.columns,
        "samples": decoded.samples,
        "steps": [[step.ratio, step.method] for step in decoded.steps],
        "added_loss": decoded.added_loss,
        "untouched": decoded.untouched,
        "derivation": decoded.derivation,
        "page": decoded.page,
        "pages": decoded.pages,
        "warnings": decoded.warnings,
    }
    return (_line(header), *blocks)


def packed_refusal(error: DicomwrapError) -> bytes:
    """Return the answer that carries a refusal."""
    known = next((name for name, kind in _ERRORS.items() if type(error) is kind), DamagedPhotographError.__name__)
    return _line({"refused": known, "reason": error.reason, "remedy": error.remedy})


def unpacked(stream: IO[bytes]) -> Decoded:
    """Read one answer.

    Raises:
        DicomwrapError: the child's refusal, or an answer that breaks the rules.
    """
    try:
        header = _header(stream)
        if "refused" in header:
            raise _refusal(header)
        return _decoded(header, stream)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise DamagedPhotographError("The picture could not be decoded; the decoder's answer makes no sense") from error


def _line(header: _Header) -> bytes:
    return json.dumps(header).encode() + b"\n"


def _header(stream: IO[bytes]) -> _Header:
    header = json.loads(stream.readline(_MOST_HEADER))
    if not isinstance(header, dict):
        raise TypeError(header)
    return header


def _refusal(header: _Header) -> DicomwrapError:
    return _ERRORS[_sentence(header["refused"])](_sentence(header["reason"]), _sentence(header["remedy"]))


def _decoded(header: _Header, stream: IO[bytes]) -> Decoded:
    rows, columns = _whole(header, "rows", 1, MOST_SIDE), _whole(header, "columns", 1, MOST_SIDE)
    samples, lossless = _whole(header, "samples", 1, 3), _flag(header, "lossless")
    frame, exif, icc = _blocks(header, stream)
    steps = _steps(header)
    # Samples without a lossy step, or a JPEG with at least ours: nothing else can be written down truthfully.
    if samples == 2 or bool(steps) is lossless or (lossless and len(frame) != rows * columns * samples):
        raise ValueError(header)
    return Decoded(
        frame=frame,
        lossless=lossless,
        rows=rows,
        columns=columns,
        samples=samples,
        steps=steps,
        added_loss=_flag(header, "added_loss"),
        untouched=_flag(header, "untouched"),
        derivation=_sentences(header, "derivation"),
        exif=exif,
        icc=icc,
        page=_whole(header, "page", 1, MOST_PAGES),
        pages=_whole(header, "pages", 1, MOST_PAGES),
        warnings=_sentences(header, "warnings"),
    )


def _blocks(header: _Header, stream: IO[bytes]) -> list[bytes]:
    lengths = header["blocks"]
    if not isinstance(lengths, list) or len(lengths) != len(_BLOCKS):
        raise TypeError(lengths)
    limits = (MOST_FRAME, MOST_METADATA, MOST_METADATA)
    found = [stream.read(_limited(length, 0, limit)) for length, limit in zip(lengths, limits, strict=True)]
    if [len(block) for block in found] != lengths:
        raise ValueError(lengths)
    return found


def _steps(header: _Header) -> tuple[LossyStep, ...]:
    steps = header["steps"]
    if not isinstance(steps, list) or len(steps) > 2:
        raise TypeError(steps)
    return tuple(_step(*step) for step in steps)


def _step(ratio: object, method: object) -> LossyStep:
    if not isinstance(ratio, float) or not math.isfinite(ratio) or ratio <= 0 or method not in _METHODS:
        raise ValueError(ratio, method)
    return LossyStep(ratio=ratio, method=str(method))


def _whole(header: _Header, key: str, low: int, high: int) -> int:
    return _limited(header[key], low, high)


def _limited(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(value)
    return value


def _flag(header: _Header, key: str) -> bool:
    value = header[key]
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _sentences(header: _Header, key: str) -> tuple[str, ...]:
    sentences = header[key]
    if not isinstance(sentences, list) or len(sentences) > _MOST_SENTENCES:
        raise TypeError(sentences)
    return tuple(_sentence(sentence) for sentence in sentences)


def _sentence(value: object) -> str:
    """Return a sentence that can do nothing to a terminal."""
    if not isinstance(value, str) or len(value) > _LONGEST_SENTENCE or not (value.isascii() and value.isprintable()):
        raise ValueError(value)
    return value
