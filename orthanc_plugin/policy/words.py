"""Plain English for the words of the model.

Knows how purposes, recipients and forms are told to a patient. Must not decide.
"""

from __future__ import annotations

from typing import Final
from unicodedata import category

from dicomwrap.terms import Audience, Purpose

# Categories of signs that break a line, steer a terminal or turn the direction of writing; and those that may stay.
STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS: Final = frozenset("\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
PURPOSE_WORDS: Final[dict[Purpose, str]] = {
    Purpose.DIRECT_CARE: "the patient's own care",
    Purpose.SECOND_OPINION: "a second opinion",
    Purpose.EMERGENCY_CARE: "emergency care",
    Purpose.LOCAL_AUDIT: "local audit",
    Purpose.TEACHING: "teaching",
    Purpose.RESEARCH: "research",
    Purpose.PUBLICATION: "publication",
    Purpose.PUBLIC_MEDIA: "the public media",
    Purpose.SUBJECT_ACCESS: "someone's access to the record",
    Purpose.LEGAL_DISCLOSURE: "disclosure required by law",
    Purpose.PUBLIC_INTEREST: "disclosure in the public interest",
    Purpose.RECORDS_MANAGEMENT: "records management",
}

AUDIENCE_WORDS: Final[dict[Audience, str]] = {
    Audience.CARE_TEAM: "the team that treats the patient",
    Audience.TRUST_CLINICIAN: "a clinician of the trust",
    Audience.TRUST_STUDENTS: "students in the trust",
    Audience.NAMED_COLLEAGUE: "a colleague asked by name",
    Audience.PARTNER_ORG_CLINICIAN: "a clinician of a partner organisation",
    Audience.RESEARCH_TEAM: "a research team",
    Audience.EXTERNAL_AUDIENCE: "an audience outside the trust",
    Audience.COMMERCIAL_PARTNER: "a commercial partner",
    Audience.JOURNAL: "a journal",
    Audience.MEDIA: "the media",
    Audience.PATIENT: "the patient",
    Audience.PR_HOLDER: "a holder of parental responsibility",
    Audience.EXECUTOR: "the executor",
    Audience.COURT: "a court",
    Audience.CORONER: "the coroner",
    Audience.POLICE: "the police",
    Audience.RECORDS_OFFICER: "a records officer",
    Audience.SOCIAL_MEDIA: "social media",
    Audience.PERSONAL_DEVICE: "a personal device",
    Audience.UNKNOWN_AE: "a destination that is not registered",
}


def purpose_words(purpose: str) -> str:
    """Return plain words for ``purpose``; an unknown one is quoted as it came."""
    known = next((word for word in Purpose if word.value == purpose), None)
    return f'"{purpose}"' if known is None else PURPOSE_WORDS[known]


def one_line(text: str) -> str:
    """Return text that people wrote as one line, with blanks for what would break the line or steer a terminal.

    The joiners without width stay: some scripts are not written without them.
    """
    return "".join(" " if category(sign) in STEERING and sign not in JOINERS else sign for sign in text)
