"""What a judgement of an object may say: stable codes, each with its meaning.

Knows the words of the answer. Must not know how anything is found out. A message names elements and numbers, never a
value that could be a person's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

FINDINGS: Final[dict[str, str]] = {
    # the file
    "CANT_READ": "the file can't be opened, is no ordinary file, or is too large",
    "NOT_DICOM": "the file is no DICOM file (PS3.10 section 7)",
    "TRUNCATED": "the file ends within an element",
    "UNREADABLE": "an element, or a whole part of the object, can't be decoded",
    "PREAMBLE": "the 128 bytes before the data set aren't empty (PS3.10 section 7.1)",
    "FILE_META": "the file meta information is incomplete or contradicts the data set (PS3.10 section 7.1)",
    "ELEMENT_ORDER": "elements aren't in ascending order (PS3.5 section 7.1)",
    "TRAILING_DATA": "bytes follow where the picture or the object has ended",
    # the object
    "NOT_A_PHOTOGRAPH": "the SOP class is none of the photographs and documents judged here",
    "TYPE_1_MISSING": "a required element is missing (PS3.5 section 7.4)",
    "TYPE_1_EMPTY": "a required element has no value (PS3.5 section 7.4)",
    "TYPE_2_MISSING": "an element that may be empty, but must be there, is missing (PS3.5 section 7.4)",
    "ENUMERATED_VALUE": "a value is none of those that the standard allows",
    "VALUE_REPRESENTATION": "a value breaks the rules of its VR (PS3.5 section 6.2)",
    "UID_FORM": "a UID isn't well formed (PS3.5 section 9.1)",
    "SINGLE_FRAME": "an object of a single-frame class has several frames",
    "ANATOMIC_REGION": "no coded site of CID 4029 says what part of the body is shown (PS3.16)",
    "UNIDENTIFIED": "nothing says whose picture it is, nor that this was removed",
    "CAPTURE_TIME": "nothing says when the picture was taken",
    "IMAGE_TYPE": "the picture says that it is derived, but not from what or how (PS3.3 section C.7.6.1.1.2)",
    "ORIENTATION": "the picture may not be upright, or its orientation isn't said as the standard has it",
    "LOSSY_HISTORY": "lossy compression isn't told, or told in part (PS3.3 section C.7.6.1.1.5)",
    # the picture
    "HEADER_BITSTREAM": "header and bitstream disagree",
    "TRANSFER_SYNTAX_STREAM": "the bitstream isn't what the transfer syntax says",
    "RETIRED_TRANSFER_SYNTAX": "the transfer syntax is retired; readers needn't know it (PS3.6 table A-1)",
    "UNKNOWN_TRANSFER_SYNTAX": "the transfer syntax isn't known here; the bitstream wasn't looked at",
    "ENCAPSULATION": "fragments or offset table break the rules (PS3.5 section A.4)",
    "PICTURE_DATA": "a decoder can't read the picture data to their end without a complaint",
    "SURPLUS": "the stream has tables or bytes that its picture doesn't need, where words could hide",
    "COLOUR_MODEL": "the photometric interpretation is one that readers don't expect in this transfer syntax",
    # what shouldn't be there
    "HIDDEN_METADATA": "metadata of the camera or of a program hide in the bitstream or in an opaque element",
    "SOUND": "a film with sound",
    "GPS_ATTRIBUTE": "elements say where the picture was taken (PS3.3 section C.8.12.12)",
    "OWNER_ATTRIBUTE": "an element says whose camera it was",
    "THUMBNAIL": "a second, smaller picture is in the object; what was cut or covered may be seen in it",
    "PRIVATE_ELEMENTS": "private elements of others, whose meaning isn't known here",
    # colour
    "ICC_PROFILE": "the colour profile is no ICC profile, or of another colour space than the picture",
    "ICC_CLASS": "the colour profile isn't of the input device class (PS3.3 section C.11.15)",
    "ICC_TEXT": "the colour profile has text of its own, which may name a device or a person",
    "ICC_MISSING": "a colour picture without a colour profile",
    # consent
    "CONSENT_STAMP_MISSING": "the object says nothing of its consent",
    "CONSENT_STAMP_UNDECLARED": "the consent stamp isn't declared in (0008,0300), so de-identifiers can't treat it",
    "CONSENT_STAMP_CHANGED": "the consent stamp isn't the one that was sealed",
    "CONSENT_STAMP_UNPROVEN": "nothing proves that the consent stamp is the one that was written",
    "CONSENT_STAMP_UNCHECKED": "the consent stamp is sealed with a key that wasn't given",
    # the answer itself
    "MORE": "more of the same, left out",
}


@unique
class Severity(StrEnum):
    """How bad it is. Only an error makes an object unfit."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found out about an object."""

    code: str
    severity: Severity
    message: str


def error(code: str, message: str) -> Finding:
    """Return a finding that makes the object unfit."""
    return Finding(code=code, severity=Severity.ERROR, message=message)


def warning(code: str, message: str) -> Finding:
    """Return a finding that a person should look at."""
    return Finding(code=code, severity=Severity.WARNING, message=message)


def note(code: str, message: str) -> Finding:
    """Return a finding worth knowing, no fault."""
    return Finding(code=code, severity=Severity.NOTE, message=message)
