"""Have a decoder read a JPEG to its end: only that shows picture data that end early, or bytes that are no picture.

Knows that ``jpegtran`` does it as a child process with limits. Must not know the header; ``picture`` holds it against
the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.bitstream.clean import kept
from dicomwrap.bitstream.markers import SOF0, parse
from dicomwrap.bitstream.rewrite import proven
from dicomwrap.bitstream.surplus import has_surplus
from dicomwrap.bitstream.verify import JPEG_BASELINE, frames
from dicomwrap.errors import DicomwrapError, UnsupportedPhotographError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.judging.findings import Finding, error, note, warning
from dicomwrap.judging.picture import transfer_syntax_uid

MOST_FRAMES: Final = 16


def proof_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say what is wrong with a baseline JPEG's picture data, which no header tells. Other codings aren't read."""
    if transfer_syntax_uid(dataset) != JPEG_BASELINE or "PixelData" not in dataset:
        return
    try:
        for frame in islice(frames(dataset), MOST_FRAMES):
            yield from _frame(frame)
    except UNREADABLE:
        return  # told where the encapsulation is read


def _frame(frame: bytes) -> Iterator[Finding]:
    try:
        stream = parse(frame)
        if stream.frame.marker == SOF0 and has_surplus(kept(stream)):
            yield warning("SURPLUS", "PixelData: the stream has tables or bytes that its picture doesn't need")
        whole = frame[: stream.end]
    except DicomwrapError:
        return  # told where the stream is held against the header
    try:
        if proven(whole) != whole:
            yield warning("TRAILING_DATA", "PixelData: bytes between the last block and the end of the picture")
    except UnsupportedPhotographError as problem:
        yield note("PICTURE_DATA", f"PixelData: the picture data weren't read to their end; {problem}")
    except DicomwrapError as problem:
        yield error("PICTURE_DATA", f"PixelData: {problem.reason}")
