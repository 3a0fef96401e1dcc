"""The reading child of redaction: decodes what was and what was written, and tells whether only the regions differ.

Run as ``python -IS pixelchild.py PILLOW REQUEST FD``: the folder where Pillow is, a request in JSON, and the file that
holds the original; what was written comes on stdin. A stranger's picture is decoded here and never in Orthanc. Must not
know how anything was blanked, nor use what blanked it.
"""

from __future__ import annotations

import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from PIL import Image

PROVEN: Final = b"proven"
STRIP: Final = 64  # rows
_JPEG: Final = b"\xff\xd8"
_Box = tuple[int, int, int, int]


class Request(TypedDict):
    """What is claimed; see ``pixelproof.Claim``."""

    size: list[int]
    mode: str
    fill: int
    boxes: list[list[int]]
    blank: list[list[int]]
    rim: int
    kept: list[int]


def _boxes(numbers: list[list[int]]) -> list[_Box]:
    return [(left, top, right, bottom) for left, top, right, bottom in numbers]


def _decoded(data: bytes, mode: str) -> Image.Image:
    """Return a picture in the components that the stream has, without a conversion of colours."""
    from PIL import Image, Jpeg2KImagePlugin, JpegImagePlugin

    Image.MAX_IMAGE_PIXELS = None  # limits are set from outside
    read = JpegImagePlugin.JpegImageFile if data.startswith(_JPEG) else Jpeg2KImagePlugin.Jpeg2KImageFile
    picture: Image.Image = read(io.BytesIO(data))
    if mode == "YCbCr":
        picture.draft(mode, picture.size)
    picture.load()
    if picture.mode != mode:
        raise ValueError(picture.mode)
    return picture


def _around(box: _Box, size: tuple[int, int], rim: int) -> _Box:
    left, top, right, bottom = box
    return max(left - rim, 0), max(top - rim, 0), min(right + rim, size[0]), min(bottom + rim, size[1])


def _differ(before: Image.Image, after: Image.Image, boxes: list[_Box], rim: int) -> bool:
    """Tell whether anything is different outside the boxes; strip by strip, which takes no memory worth mentioning."""
    from PIL import ImageChops

    for top in range(0, before.height, STRIP):
        strip = (0, top, before.width, min(top + STRIP, before.height))
        here = [(left, upper - top, right, lower - top) for left, upper, right, lower in boxes]
        near = [box for box in here if box[1] - rim < strip[3] - top and box[3] + rim > 0]
        if _is_left(ImageChops.difference(before.crop(strip), after.crop(strip)), near, rim):
            return True
    return False


def _is_left(difference: Image.Image, boxes: list[_Box], rim: int) -> bool:
    """Tell whether there is a difference outside the boxes.

    Decoders draw chroma across the edge of a block, so in the rim about a box only luma, which they don't, counts.
    """
    around = [_around(box, difference.size, rim) for box in boxes]
    rims = [(outer, difference.crop(outer).getchannel(0)) for outer in around] if rim else []
    for outer, luma in rims:
        for left, top, right, bottom in boxes:
            luma.paste(0, (left - outer[0], top - outer[1], right - outer[0], bottom - outer[1]))
    for outer in around:
        difference.paste(0 if difference.mode == "L" else (0, 0, 0), outer)
    return any(each.getbbox() is not None for each in (difference, *(luma for _, luma in rims)))


def _is_blank(picture: Image.Image, box: _Box, fill: int) -> bool:
    return all(band.getextrema() == (fill, fill) for band in picture.crop(box).split())


def proven(before: Image.Image, after: Image.Image, request: Request) -> bool:
    """Tell whether the written picture is blank in the regions, and the same everywhere else."""
    if request["kept"]:
        return is_cut_out(before, after, request)
    boxes = _boxes(request["boxes"])
    if before.size != after.size or list(before.size) != request["size"] or not boxes:
        return False
    if not all(_is_blank(after, box, request["fill"]) for box in _boxes(request["blank"])):
        return False
    return not _differ(before, after, boxes, request["rim"])


def is_cut_out(before: Image.Image, after: Image.Image, request: Request) -> bool:
    """Tell whether the written picture is what is kept of the earlier one, and nothing else.

    In the rim of a side that was cut, where a decoder drew chroma across, only luma counts.
    """
    from PIL import ImageChops

    (box,) = _boxes([request["kept"]])
    columns, rows = box[2] - box[0], box[3] - box[1]
    within = 0 <= box[0] < box[2] <= before.width and 0 <= box[1] < box[3] <= before.height
    if not within or list(before.size) != request["size"] or after.size != (columns, rows):
        return False
    difference, rim = ImageChops.difference(before.crop(box), after), request["rim"]
    left, top = rim * (box[0] > 0), rim * (box[1] > 0)
    right, bottom = columns - rim * (box[2] < before.width), rows - rim * (box[3] < before.height)
    inner = difference.crop((left, top, right, bottom))
    return inner.getbbox() is None and difference.getchannel(0).getbbox() is None


def blanked(picture: Image.Image, request: Request) -> bytes:
    """Return the picture, blank in the regions, or what is kept of it, as a lossless JPEG 2000 codestream."""
    fill = request["fill"]
    for box in _boxes(request["boxes"]):
        picture.paste(fill if picture.mode == "L" else (fill, fill, fill), box)
    if request["kept"]:
        picture = picture.crop(*_boxes([request["kept"]]))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG2000", no_jp2=True, irreversible=False, mct=int(picture.mode == "RGB"))
    return buffer.getvalue()


def main(request: Request, original: bytes, written: IO[bytes], answers: IO[bytes]) -> None:
    """Answer one request."""
    with ThreadPoolExecutor(1) as other:
        earlier = other.submit(_decoded, original, request["mode"])
        later = written.read()
        if not later:
            answers.write(blanked(earlier.result(), request))
            return
        after = _decoded(later, request["mode"])
        if proven(earlier.result(), after, request):
            answers.write(PROVEN)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    with os.fdopen(int(sys.argv[3]), "rb") as original, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries that print must not print into the answers
        main(json.loads(sys.argv[2]), original.read(), sys.stdin.buffer, answers)
