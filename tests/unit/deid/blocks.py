"""What another reader of coefficients says of a redaction: jpeglib, with the libjpeg 6b that is compiled into it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jpeglib
import numpy

from dicomwrap.bitstream.markers import parse

Box = tuple[int, int, int, int]


class Blocks(NamedTuple):
    """Of how many blocks of coefficients there are: outside, changed outside, inside, not blank inside."""

    outside: int
    changed: int
    inside: int
    drawn: int


def compared(before: bytes, after: bytes, boxes: list[Box]) -> Blocks:
    """Compare two streams block by block; ``boxes`` are left, top, width and height of what was to be blanked."""
    totals = [Blocks(*found) for found in _by_component(before, after, boxes)]
    return Blocks(*(sum(column) for column in zip(*totals, strict=True)))


def _by_component(before: bytes, after: bytes, boxes: list[Box]) -> Iterator[tuple[int, int, int, int]]:
    components = parse(before).frame.components
    alone = len(components) == 1
    across, down = (
        (1 if alone else max(c.horizontal for c in components)),
        (1 if alone else max(c.vertical for c in components)),
    )
    for component, one, other in zip(components, _coefficients(before), _coefficients(after), strict=True):
        assert one.shape == other.shape
        mine = (1, 1) if alone else (component.horizontal, component.vertical)
        inside = numpy.zeros(one.shape[:2], dtype=bool)
        for box in boxes:
            left, top, right, bottom = _in_mcus(box, (8 * across, 8 * down), rim=not alone and (across, down) != (1, 1))
            inside[top * mine[1] : bottom * mine[1], left * mine[0] : right * mine[0]] = True
        differs = (one != other).any(axis=(2, 3))
        blank = (other == 0).all(axis=(2, 3))
        yield int((~inside).sum()), int((differs & ~inside).sum()), int(inside.sum()), int((inside & ~blank).sum())


def _in_mcus(box: Box, mcu: tuple[int, int], *, rim: bool) -> Box:
    """Return the whole MCUs that a box, grown by a pixel where chroma is subsampled, touches."""
    left, top, width, height = box
    return (
        max(left - rim, 0) // mcu[0],
        max(top - rim, 0) // mcu[1],
        -(-(left + width + rim) // mcu[0]),
        -(-(top + height + rim) // mcu[1]),
    )


def _coefficients(stream: bytes) -> list[numpy.ndarray]:
    """Return each component's coefficients, by row and column of blocks."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        Path(file.name).write_bytes(stream)
        read = jpeglib.read_dct(file.name)
        return [each for each in (read.Y, read.Cb, read.Cr) if each is not None]
