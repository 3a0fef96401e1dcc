"""What the title of a key object asks for: an export for a purpose, or that pictures be held back.

Knows titles, and which rejections keep a picture out that is sent again. Must not know who may ask, nor decide: a
request only queues, and what is queued is decided on when it is sent.

Sources: PS3.16 CID 7010 (titles); IHE Teaching File and Clinical Trial Export (a key object is the request); IHE RAD
Imaging Object Change Management (rejection notes).
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final

from dicomwrap.terms import Purpose

SCHEME: Final = "DCM"
REQUESTS: Final[dict[str, Purpose]] = {
    "128710": Purpose.TEACHING,  # For Teaching File Export
    "128711": Purpose.RESEARCH,  # For Clinical Trial Export
    "128713": Purpose.RESEARCH,  # For Research Collection Export
    "128714": Purpose.PUBLICATION,  # For Publication Export
    "113002": Purpose.SECOND_OPINION,  # For Referring Provider
}


@unique
class Rejection(StrEnum):
    """Why another archive has taken a picture out of use, by the code of its note's title."""

    QUALITY = "113001"
    PATIENT_SAFETY = "113037"
    WRONG_WORKLIST_ENTRY = "113038"
    RETENTION_EXPIRED = "113039"


WORDS: Final[dict[Rejection, str]] = {
    Rejection.QUALITY: "rejected for quality reasons",
    Rejection.PATIENT_SAFETY: "rejected for patient safety reasons",
    Rejection.WRONG_WORKLIST_ENTRY: "made under a wrong worklist entry",
    Rejection.RETENTION_EXPIRED: "its retention has ended there",
}
# The object itself is wrong; that another archive keeps it no longer says nothing of it.
KEEPS_OUT: Final = frozenset(Rejection) - {Rejection.RETENTION_EXPIRED}


@unique
class KeyObjectTask(StrEnum):
    """What somebody must look into because of a key object.

    Attributes:
        EXPORT_REQUESTED: something that was asked for can't go, or waits for somebody.
        KEY_OBJECT_WITHOUT_EFFECT: it asks for what its sender may not ask, or can't be followed.
        REJECTED_ELSEWHERE: another archive has rejected pictures that are here.
        EXPIRED_ELSEWHERE: another archive no longer keeps pictures that are here.
    """

    EXPORT_REQUESTED = "EXPORT_REQUESTED"
    KEY_OBJECT_WITHOUT_EFFECT = "KEY_OBJECT_WITHOUT_EFFECT"
    REJECTED_ELSEWHERE = "REJECTED_ELSEWHERE"
    EXPIRED_ELSEWHERE = "EXPIRED_ELSEWHERE"


def requested(scheme: str, value: str) -> Purpose | None:
    """Return the purpose that a title asks an export for, None when it asks for none."""
    return REQUESTS.get(value) if scheme == SCHEME else None


def rejection(scheme: str, value: str) -> Rejection | None:
    """Return why a title rejects pictures, None when it rejects none."""
    return Rejection(value) if scheme == SCHEME and value in Rejection._value2member_map_ else None
