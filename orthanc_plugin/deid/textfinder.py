"""Find lettering: the text detector of RapidOCR; for the looking child only.

Knows its input and output. Nothing is read: what letters say is nobody's business here. Text is found turned by any
angle, so the picture is looked at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image
from rapidocr import RapidOCR

from orthanc_plugin.deid.detectorchild import Box

_SIDE: Final = 2000


def found(picture: Image.Image) -> list[Box]:
    """Return what may be lettering, as left, top, right, bottom."""
    look = RapidOCR(params={"Global.log_level": "critical", "Global.max_side_len": _SIDE})
    as_opencv_has_it = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
    outlines = getattr(look(as_opencv_has_it, use_det=True, use_cls=False, use_rec=False), "boxes", None)
    return [] if outlines is None else [_around(outline) for outline in outlines]


def _around(outline: np.ndarray) -> Box:
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    return float(left), float(top), float(right), float(bottom)
