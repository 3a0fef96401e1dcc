"""What a kept attribute may say: closed vocabularies, so that no free text can ride along in an attribute that is kept.

Knows the terms of PS3.3 for VL Photographic Image, CID 4029 and the words of the consent block. A value outside them is
a refusal, not a repair.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import VLPhotographicImageStorage

from dicomwrap.anatomy import body_site
from dicomwrap.consenttags import ConsentStamp
from dicomwrap.errors import DicomwrapError
from dicomwrap.terms import PURPOSE_CODES, SECONDARY_USE
from orthanc_plugin.errors import DeidentificationError

_SMALL: Final = r"[0-9]{0,5}"
VALUES: Final[dict[str, re.Pattern[str]]] = {
    keyword: re.compile(pattern)
    for keyword, pattern in {
        "SOPClassUID": re.escape(VLPhotographicImageStorage),
        "ImageType": "ORIGINAL|DERIVED|PRIMARY|SECONDARY",
        "Modality": "XC",
        "SeriesNumber": r"[0-9]{0,3}",
        "InstanceNumber": r"[0-9]{0,3}",
        "PatientOrientation": "[APLRHF]{0,3}",
        "Laterality": "[RL]?",
        "ImageLaterality": "[RLUB]",
        "SamplesPerPixel": "[13]",
        "PhotometricInterpretation": "YBR_FULL_422|MONOCHROME2",
        "PlanarConfiguration": "0",
        "Rows": _SMALL,
        "Columns": _SMALL,
        "BitsAllocated": "8",
        "BitsStored": "8",
        "HighBit": "7",
        "PixelRepresentation": "0",
        "LossyImageCompression": "00|01",
        "LossyImageCompressionMethod": "ISO_10918_1|ISO_23008_2",
    }.items()
}

PURPOSES: Final = frozenset({SECONDARY_USE, *PURPOSE_CODES.values()})
BLOCK: Final = re.compile(
    r"1\|(active|rejected|proposed|inactive|entered-in-error|none)\|(OPTIN|OPTOUT|NOCONSENT|IMPLIED|EMRGONLY)\|"
    r"[ULMNRV]?\|(PATIENT|PARENT|PROXY|CLINICIAN)?"
)


def vocabulary(element: DataElement) -> DataElement:
    """Return the element, which says only what its vocabulary has.

    Raises:
        DeidentificationError: it is encoded otherwise than the standard says, or says something else.
    """
    vocabulary_of = VALUES.get(element.keyword)
    values = element.value if element.VM > 1 else [element.value]
    texts = ["" if value is None else str(value) for value in values]
    encoded = element.VR in dictionary_VR(element.tag).split(" or ")
    if vocabulary_of is None or not encoded or not all(vocabulary_of.fullmatch(text) for text in texts):
        raise DeidentificationError(f"{element.keyword} has a value outside its vocabulary.")
    return element


def region(items: list[Dataset]) -> list[Dataset]:
    """Return the anatomic region in the words of CID 4029; nothing when it isn't one of its codes."""
    found = []
    for item in items:
        try:
            site = body_site(str(item.get("CodeValue") or "-"))
        except DicomwrapError:
            continue
        if site.scheme == item.get("CodingSchemeDesignator"):
            code = Dataset()
            code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = site.value, site.scheme, site.meaning
            found.append(code)
    return found


def safe_half(known: ConsentStamp) -> ConsentStamp | None:
    """Return what the consent block says of purposes; never which consent it was, nor a date, nor any other word."""
    words = "|".join((known.schema, known.status, known.basis, known.confidentiality, known.given_by))
    purposes = {*known.permitted, *known.denied, known.capture_purpose}
    if not BLOCK.fullmatch(words) or not purposes <= PURPOSES:
        return None
    return replace(
        known,
        record_id="",
        record_version="",
        device_class="",
        device_reason="",
        decided_on=None,
        not_after=None,
        distributions=(),
    )
