"""The drawing child of reviews: decodes a JPEG, draws outlines on it, and encodes what is looked at.

Run as ``python -IS outlinechild.py PILLOW REQUEST``: the folder where Pillow is, and the outlines in JSON; the picture
comes on stdin and goes to stdout. A stranger's picture is decoded here and never in Orthanc. What is drawn is for the
eye and never leaves. Must not know whose the picture is, nor what the outlines are of.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from PIL import ImageDraw

_Point = tuple[float, float]
QUALITY: Final = 90
THIN: Final = 400  # of a picture's longer side are one line's width
DASH: Final = 6  # widths of a line
BRIGHT: Final = (255, 230, 0)
DARK: Final = (0, 0, 0)


class Request(TypedDict):
    """Outlines that are drawn whole, and those that are drawn broken: the corners of each."""

    whole: list[list[_Point]]
    broken: list[list[_Point]]


def _strokes(start: _Point, end: _Point, dash: float) -> Iterator[tuple[_Point, _Point]]:
    """Yield the parts of a broken line."""
    length = math.dist(start, end)
    steps = max(1, round(length / dash / 2))
    for step in range(steps):
        ends = (step / steps, (step + 0.5) / steps)
        (x, y), (u, v) = ((start[0] + (end[0] - start[0]) * at, start[1] + (end[1] - start[1]) * at) for at in ends)
        yield (x, y), (u, v)


def _draw(draw: ImageDraw.ImageDraw, corners: Sequence[_Point], width: int, *, broken: bool) -> None:
    """Draw a closed line, bright within dark, so that it shows on any skin."""
    for fill, wide in ((DARK, 2 * width + 1), (BRIGHT, width)):
        for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
            for each in _strokes(start, end, DASH * width) if broken else ((start, end),):
                draw.line(each, fill=fill, width=wide)


def outlined(data: bytes, request: Request) -> bytes:
    """Return the JPEG with the outlines on it, without anything but the picture."""
    from PIL import Image, ImageDraw, JpegImagePlugin

    Image.MAX_IMAGE_PIXELS = None  # limits are set from outside
    picture = JpegImagePlugin.JpegImageFile(io.BytesIO(data)).convert("RGB")
    draw, width = ImageDraw.Draw(picture), max(1, max(picture.size) // THIN)
    for corners in request["whole"]:
        _draw(draw, corners, width, broken=False)
    for corners in request["broken"]:
        _draw(draw, corners, width, broken=True)
    buffer = io.BytesIO()
    plain = Image.new("RGB", picture.size)
    plain.paste(picture)
    plain.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    sys.stdout.buffer.write(outlined(sys.stdin.buffer.read(), json.loads(sys.argv[2])))
