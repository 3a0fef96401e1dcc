"""Which kind of picture a SOP class is (GMC paragraph 10: the list for which consent is implicit).

Knows UIDs. A class that isn't listed counts as a clinical photograph: it needs specific consent.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.policy.model import ImageType

_ROOT: Final = "1.2.840.10008.5.1.4.1.1."

IMPLICIT: Final[dict[ImageType, tuple[str, ...]]] = {
    ImageType.XRAY: ("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "12.1", "12.1.1", "12.2", "12.2.1", "13.1.3"),
    ImageType.CT: ("2", "2.1", "2.2"),
    ImageType.MR: ("4", "4.1", "4.2", "4.3", "4.4"),
    ImageType.ULTRASOUND: ("3.1", "6.1", "6.2"),
    ImageType.ENDOSCOPY: ("77.1.1", "77.1.1.1"),
    ImageType.PATHOLOGY_SLIDE_IMAGE: ("77.1.2", "77.1.2.1", "77.1.3", "77.1.6"),
    ImageType.ORGAN_FUNCTION: ("20", "128", "128.1", "130", "9.1.1", "9.1.2", "9.1.3", "9.2.1"),
    ImageType.KEY_OBJECT: ("88.59",),  # no picture: it says which pictures somebody picked out
}

_TYPES: Final[dict[str, ImageType]] = {_ROOT + tail: kind for kind, tails in IMPLICIT.items() for tail in tails}


def image_type(sop_class_uid: str) -> ImageType:
    """Return the kind of picture; CLINICAL_PHOTO for every class not listed."""
    return _TYPES.get(sop_class_uid, ImageType.CLINICAL_PHOTO)
