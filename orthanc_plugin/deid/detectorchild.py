"""The looking child of the detectors: decodes pictures of one object and tells where one detector sees something.

Run as ``python -I -B detectorchild.py FOLDERS REQUEST``: the folders where packages are, a request in JSON; the object
comes on stdin, the answer goes to stdout. Strangers' pictures meet other people's native code here and never in
Orthanc; limits are set from outside, and no socket is opened. Must not know what becomes of the answer.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from math import ceil, floor
from typing import IO, TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from PIL import Image
    from pydicom.dataset import Dataset

UNDECODABLE: Final = 3  # exit code
_BYTE: Final = 8
Box = tuple[float, float, float, float]
Finder = Callable[["Image.Image"], list[Box]]


class Request(TypedDict):
    """What is asked: the function that looks, and the frames, from 0."""

    finder: str
    frames: list[int]


def pictures(content: bytes, frames: list[int]) -> Iterator[Image.Image]:
    """Yield frames of an object in grey or colours of 8 bits, as they are stored: no Orientation is applied."""
    import pydicom
    from PIL import Image

    dataset = pydicom.dcmread(io.BytesIO(content))
    Image.MAX_IMAGE_PIXELS = int(dataset.Rows) * int(dataset.Columns)  # a stream that says more isn't decoded
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    for frame in frames:
        yield _picture(dataset, frame)


def _picture(dataset: Dataset, frame: int) -> Image.Image:
    import numpy as np
    from PIL import Image
    from pydicom.pixels.utils import pixel_array

    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        raise ValueError("PALETTE COLOR")
    samples = pixel_array(dataset, index=frame)
    if int(dataset.BitsStored) != _BYTE:
        wide = samples.astype(np.float32) - samples.min()
        samples = (wide * (255 / max(float(wide.max()), 1))).astype(np.uint8)
    picture = Image.fromarray(samples).convert("RGB")
    if picture.size != (int(dataset.Columns), int(dataset.Rows)):
        raise ValueError("size")
    return picture


def _refuse_sockets(event: str, _: object) -> None:
    if event.startswith("socket."):
        raise PermissionError(event)


def main(request: Request, content: bytes, answers: IO[bytes]) -> int:
    """Answer one request; return the exit code."""
    sys.addaudithook(_refuse_sockets)
    module, _, name = request["finder"].partition(":")
    finder: Finder = getattr(import_module(module), name)
    try:
        decoded = list(pictures(content, request["frames"]))
    except Exception:  # noqa: BLE001 - whatever a decoder says, it is no picture
        return UNDECODABLE
    boxes = [box for picture in decoded for box in finder(picture)]
    outer = [[floor(left), floor(top), ceil(right), ceil(bottom)] for left, top, right, bottom in boxes]
    answers.write(json.dumps(outer).encode())
    return 0


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1].split(os.pathsep)
    with os.fdopen(os.dup(1), "wb") as own:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries that print must not print into the answers
        code = main(json.loads(sys.argv[2]), sys.stdin.buffer.read(), own)
    sys.exit(code)
