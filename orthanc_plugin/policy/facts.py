"""What can be read off a case at once.

Knows the questions that several rules ask of a case. Must not decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dicomwrap.terms import Audience, Purpose
from orthanc_plugin.policy.dates import PRESUMED_CAPABLE, age_of, has_died, under_18_when_made
from orthanc_plugin.policy.model import (
    Authority,
    AuthorityType,
    Capacity,
    Case,
    Gillick,
    ImageType,
    Obligation,
    Patient,
    Request,
)

PUBLIC_PURPOSES: Final = frozenset({Purpose.PUBLICATION, Purpose.PUBLIC_MEDIA})
PUBLIC_AUDIENCES: Final = frozenset({Audience.JOURNAL, Audience.MEDIA})
PURPOSE_NAMES: Final[dict[str, Purpose]] = {purpose.value: purpose for purpose in Purpose}  # every rule looks one up


def purpose_of(request: Request) -> Purpose | None:
    """Return the purpose asked for, or None when it is no purpose we know."""
    return PURPOSE_NAMES.get(request.purpose)


def is_specific(case: Case) -> bool:
    """Tell whether the picture needs specific consent (GMC recordings 10): every visible-light photograph does."""
    return case.image.type is ImageType.CLINICAL_PHOTO


def is_intimate_photograph(case: Case) -> bool:
    """Tell whether the picture is an intimate photograph (requirements 003-62a)."""
    return case.image.intimate and is_specific(case)


def is_public(request: Request) -> bool:
    """Tell whether the picture would enter the public domain; a journal or the media are public for any purpose."""
    return purpose_of(request) in PUBLIC_PURPOSES or request.recipient.type in PUBLIC_AUDIENCES


def deceased(case: Case) -> bool:
    """Tell whether the patient had died on the day of the request."""
    return has_died(case.patient, case.request.as_of)


def age(case: Case) -> int | None:
    """Return the patient's age on the day of the request (or at death); None when unknown."""
    return age_of(case.patient, case.request.as_of)


def made_under_18(case: Case) -> bool | None:
    """Tell whether the picture shows someone under 18; None when the dates don't say."""
    return under_18_when_made(case.patient, case.image, case.request.as_of)


def can_decide(patient: Patient, years: int | None) -> bool:
    """Tell whether the patient decides for themselves: capacity at 16 and over, competence below.

    Recorded capacity says nothing of a child (GMC Decision making and consent; requirements G-DM). At an unknown age
    either will do, for a patient who may be able to decide is asked.
    """
    able, competent = patient.capacity is Capacity.HAS, patient.gillick is Gillick.COMPETENT
    if years is None:
        return able or competent
    return able if years >= PRESUMED_CAPABLE else competent


def authorities(case: Case, *types: AuthorityType) -> Iterator[Authority]:
    """Yield the authorities of these types, verified or not."""
    return (authority for authority in case.authorities if authority.type in types)


def has_authority(case: Case, kind: AuthorityType) -> bool:
    """Tell whether a verified authority of this type covers the picture."""
    return any(authority.verified and authority.covers_image for authority in authorities(case, kind))


def ask_or_refer(case: Case) -> Obligation:
    """Return what to do when consent is missing: ask the patient, or information governance when they have died."""
    return Obligation.IG_REVIEW if deceased(case) else Obligation.SEEK_CONSENT
