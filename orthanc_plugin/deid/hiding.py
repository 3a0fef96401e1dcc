"""Make the identifiable copy of a picture in which other people are hidden: regions blanked, the patient's own kept.

Knows DICOM objects. Must not know who agreed on the regions. The copy says whose picture it is and claims nothing
anonymous; it is an object of its own, which names the one that it was made from. Whatever else in an object could show
the picture as it was is left out: icons, overlays, binary values, and private elements; of ours the consent stamp is
written anew. Read back, all that remains must be what it was.

Sources: UK GDPR 15(4); PS3.3 C.7.6.1.1.2, C.7.6.1.1.4, C.12.1.1.5; PS3.16 CID 7202, 7203.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag

from dicomwrap.consentcopy import made_from
from dicomwrap.consenttags import read_stamp, stamp
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.uids import derived_uid
from orthanc_plugin.deid.apply import Derived
from orthanc_plugin.deid.regions import Region, redacted
from orthanc_plugin.deid.streams import clean_pixels, syntax_of
from orthanc_plugin.errors import DeidentificationError

REMEDY: Final = "Nothing was released. Look at the object with dicomwrap verify, or leave the picture out."
BLANKED: Final = ("113047", "DCM", "Pixel by pixel mask")
SOURCE: Final = ("121322", "DCM", "Source image for image processing operation")
WHY: Final = "other people are hidden"
LONGEST_DERIVATION: Final = 1024
PIXELS: Final = 0x7FE00010
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
# How a picture is drawn, and no picture: its colour profile, and the tables of a palette.
DRAWN_BY: Final = frozenset({0x00282000, *range(0x00281201, 0x00281205), *range(0x00281221, 0x00281225)})
SHOWING: Final = frozenset({"IconImageSequence", "PixelDataProviderURL", "EncapsulatedDocument"})
DRAWINGS: Final = (range(0x5000, 0x5100), range(0x6000, 0x6100))  # curves and overlays, by their groups
PADDING: Final = "DataSetTrailingPadding"
# What the copy says otherwise than the object that it was made from.
SAID_ANEW: Final = frozenset(
    {
        "SOPInstanceUID", "ImageType", "DerivationDescription", "DerivationCodeSequence", "SourceImageSequence",
        "ContributingEquipmentSequence", "PixelData", "LossyImageCompressionRatio", "ClinicalTrialTimePointID",
        "ConsentForClinicalTrialUseSequence", "PrivateDataElementCharacteristicsSequence",
    }
)  # fmt: skip


def without_others(content: bytes, regions: Sequence[Region]) -> Derived:
    """Return the copy with ``regions`` blanked; the same object and regions give the same copy.

    Raises:
        DeidentificationError: the object is no picture in which regions can be blanked without loss elsewhere, or what
            is left of the copy could not be proven to be what it was.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom; the object was accepted as it is
            return _hidden(content, regions)
    except InvalidDicomError as error:
        raise DeidentificationError("The bytes are no DICOM object (PS3.10).", remedy=REMEDY) from error
    except DicomwrapError as error:
        raise DeidentificationError(f"Nobody can be hidden in it: {error.reason}.", remedy=REMEDY) from error
    except UNREADABLE as error:
        raise DeidentificationError(f"Nobody can be hidden in it ({type(error).__name__}).", remedy=REMEDY) from error


def _hidden(content: bytes, regions: Sequence[Region]) -> Derived:
    original, copy = pydicom.dcmread(BytesIO(content)), pydicom.dcmread(BytesIO(content))
    if "PixelData" not in original:
        raise DeidentificationError("The object has no picture in which anybody could be hidden.", remedy=REMEDY)
    syntax = syntax_of(original)
    redacted(copy, regions)
    copy.DerivationDescription = f"{copy.DerivationDescription}; {WHY}"[-LONGEST_DERIVATION:]
    clean_pixels(copy, syntax, blanked=True, rewrite=_unchanged)
    _leave_out(copy)
    if (known := read_stamp(original)) is not None:
        stamp(copy, known)  # written anew, as every word that is known; without its seal, which is the original's
    copy.DerivationCodeSequence = [*copy.get("DerivationCodeSequence", []), _code(*BLANKED)]
    corners = json.dumps([each.corners for each in regions])
    made_from(copy, derived_uid(str(original.SOPInstanceUID), "others hidden", corners))
    copy.SourceImageSequence[-1].PurposeOfReferenceCodeSequence = [_code(*SOURCE)]
    buffer = BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    made = Derived(content=buffer.getvalue(), sop_instance_uid=str(copy.SOPInstanceUID))
    _require_same(pydicom.dcmread(BytesIO(made.content)), original, copy.PixelData)
    return made


def _unchanged(stream: bytes) -> bytes:
    return stream


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _leave_out(dataset: Dataset, *, outermost: bool = True) -> None:
    """Take out, at whatever depth, what could show the picture as it was."""
    dataset.pop(PADDING, None)  # bytes that mean nothing, which might hide anything
    for tag in tuple(dataset.keys()):
        if _may_show(dataset, tag, outermost=outermost):
            del dataset[tag]
        elif dataset[tag].VR == "SQ":
            for item in dataset[tag].value or ():
                _leave_out(item, outermost=False)


def _may_show(dataset: Dataset, tag: BaseTag, *, outermost: bool) -> bool:
    if outermost and tag == PIXELS:
        return False
    drawn = any(tag.group in groups for groups in DRAWINGS)
    said = dataset[tag]
    return tag.is_private or drawn or said.keyword in SHOWING or (said.VR in BINARY and tag not in DRAWN_BY)


def _require_same(made: Dataset, original: Dataset, pixels: bytes) -> None:
    """Refuse a copy that, read back, has other pixels than were proven, or says anything else that the original didn't.

    Raises:
        DeidentificationError: it has, or does.
    """
    _leave_out(original)
    before, now = _said(original), _said(made)
    other = sorted(tag for tag in {*before, *now} if before.get(tag) != now.get(tag))
    if other or made.PixelData != pixels:
        words = f"the elements {', '.join(map(str, other))}" if other else "the pixels"
        raise DeidentificationError(f"The copy in which others are hidden does not keep {words}.", remedy=REMEDY)


def _said(dataset: Dataset) -> dict[BaseTag, object]:
    return {
        each.tag: each.to_json_dict(None, 0) if each.VR == "SQ" else each.value
        for each in dataset
        if each.keyword not in SAID_ANEW and not each.tag.is_private
    }
