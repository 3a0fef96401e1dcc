"""What must be checked before somebody is given their own copy, by when, and when a check is the one that counts.

Knows the kinds of check, what each can find, and how long a request may take. Must not know rows; no clock, no I/O.

Sources: requirements 2.6 R3; UK GDPR 12(3) (one month), 12(6) (identity), 15(4) (the rights of others); Data Protection
Act 2018 schedule 3 part 2 (the serious harm test, in the opinion of a health professional).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from enum import StrEnum, unique
from typing import Final

from dicomwrap.terms import Audience
from orthanc_plugin.policy.model import ImageStatus, Obligation, Others
from orthanc_plugin.policy.reviewing import Shown

# Whoever may ask: the patient, for a child a holder of parental responsibility, after death the executor.
ASKERS: Final = (Audience.PATIENT, Audience.PR_HOLDER, Audience.EXECUTOR)


@unique
class AccessTask(StrEnum):
    """What somebody must do because of a request."""

    SUBJECT_ACCESS = "SUBJECT_ACCESS"


@unique
class Handover(StrEnum):
    """How the copy is handed over; by ordinary mail it goes to the patient alone, who may choose so."""

    IN_PERSON = "IN_PERSON"
    ENCRYPTED = "ENCRYPTED"
    POST = "POST"


SECURE: Final = frozenset({Handover.IN_PERSON, Handover.ENCRYPTED})


@unique
class CheckKind(StrEnum):
    """What is checked: who asks, once for a request; the others for each picture."""

    IDENTITY = "IDENTITY"
    THIRD_PARTIES = "THIRD_PARTIES"
    SERIOUS_HARM = "SERIOUS_HARM"


@unique
class Finding(StrEnum):
    """What a check found. Only CLEAR opens anything."""

    CLEAR = "CLEAR"
    NOT_CLEAR = "NOT_CLEAR"


MEETS: Final[Mapping[CheckKind, Obligation]] = {
    CheckKind.THIRD_PARTIES: Obligation.REDACT_THIRD_PARTIES,
    CheckKind.SERIOUS_HARM: Obligation.SERIOUS_HARM_CHECK,
}
EACH_PICTURE: Final = tuple(MEETS)
EVERY_CHECK: Final = frozenset(MEETS.values())  # opens somebody's own signed form to them, too


def met(findings: Mapping[CheckKind, Finding]) -> frozenset[Obligation]:
    """Return the obligations that the newest checks of a picture meet."""
    return frozenset(duty for kind, duty in MEETS.items() if findings.get(kind) is Finding.CLEAR)


def nobody_else(checked: frozenset[Obligation] | None, shown: Shown | None) -> bool:
    """Tell whether a picture shows nobody but the patient.

    Args:
        checked: what was checked for a request for subject access; None where none is released to, and a review counts.
        shown: what the newest review says of other people.
    """
    if checked is None:
        return shown is Shown.NOT_SHOWN
    return Obligation.REDACT_THIRD_PARTIES in checked and shown in (None, Shown.NOT_SHOWN)


def due(received_on: date) -> date:
    """Return the last day on which a request that came then may be answered: the same day of the next month.

    Where that month has no such day it is the month's last.
    """
    year, month = received_on.year + received_on.month // 12, received_on.month % 12 + 1
    return date(year, month, min(received_on.day, monthrange(year, month)[1]))


@unique
class LeftOut(StrEnum):
    """Why a picture isn't in somebody's own copy, in words that they may read."""

    OTHERS = "Other people can be recognised in it. You may ask for a copy in which they are hidden."
    NOT_NOW = "It can't be given with this copy. You may ask why, and ask for that to be looked at again."
    NOT_SURE = "It is not certain that it is yours. That is being looked into."
    DISPOSED = "It no longer exists. You may ask for the certificate that tells when and why it was destroyed."
    FORM = "It is a signed form. You may ask for a copy of it on paper."
    NO_FILE = "It can't be made into a picture that opens at home. You may ask to see it at the hospital."


def left_out(
    status: ImageStatus, findings: Mapping[CheckKind, Finding], *, form: bool, others: Others | None = None
) -> LeftOut:
    """Return why a picture that was refused is left out; what isn't for the patient to read is not told.

    Args:
        status: of the picture.
        findings: the newest of each kind of check.
        form: whether it is a document.
        others: what is said of other people in it: as long as two persons haven't agreed it is for their sake.
    """
    if status is ImageStatus.DISPOSED:
        return LeftOut.DISPOSED
    if status is ImageStatus.QUARANTINED:
        return LeftOut.NOT_SURE
    if form:
        return LeftOut.FORM
    if others in (Others.PROPOSED, Others.CHANGING):
        return LeftOut.OTHERS
    unhidden = others is None and findings.get(CheckKind.THIRD_PARTIES) is Finding.NOT_CLEAR
    return LeftOut.OTHERS if unhidden else LeftOut.NOT_NOW
