"""Draw regions on a picture for whoever reviews it: what is set to be hidden, and what detectors proposed.

Knows the drawing child and its limits. Must not know who looks. What comes of it is looked at and never released.
Source: requirements 002-58 (a person confirms regions).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import PIL

from dicomwrap.errors import DicomwrapError
from dicomwrap.source.limits import Limits, run_limited
from orthanc_plugin.deid import outlinechild
from orthanc_plugin.deid.crops import Crop
from orthanc_plugin.deid.pixelproof import interpreter
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.errors import DeidentificationError

LIMITS: Final = Limits(memory=2 * 1024**3, seconds=60, answer=256 * 1024**2)
_CHILD: Final = str(Path(outlinechild.__file__).resolve())
_PILLOW: Final = str(Path(PIL.__file__).resolve().parent.parent)
_REMEDY: Final = "Look at the picture itself; regions are told by 'consentgate review propose' and 'redact'."


def outlined(stream: bytes, blanked: Sequence[Region], proposed: Sequence[Region], crop: Crop | None = None) -> bytes:
    """Return a JPEG with a line about each region that is blanked and about the crop, and a broken one about drafts.

    Raises:
        DeidentificationError: it can't be drawn on.
    """
    kept = () if crop is None else (Region.rectangle(crop.left, crop.top, crop.width, crop.height),)
    request = {"whole": [each.corners for each in (*blanked, *kept)], "broken": [each.corners for each in proposed]}
    command = (interpreter(sys.executable), "-IS", _CHILD, _PILLOW, json.dumps(request))
    try:
        with run_limited(command, stream, LIMITS) as (status, answer):
            drawn = answer.read() if status == 0 else b""
    except DicomwrapError as error:
        raise DeidentificationError(f"No outline can be drawn: {error.reason}.", remedy=error.remedy) from error
    if not drawn:
        raise DeidentificationError("No outline can be drawn on the picture.", remedy=_REMEDY)
    return drawn
