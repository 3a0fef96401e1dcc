"""The vocabulary that both halves of Consentgate share.

Knows the words: purposes of use, forms, audiences, states of a consent. Must not know DICOM objects, the archive or any
library beyond the standard one, so that the policy can import it.

Sources: HL7 v3-ActReason (purpose of use), PS3.16 CID 7010 (export titles), GMC "Making and using visual and audio
recordings of patients" (forms and audiences).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique
from typing import Final


@unique
class Purpose(StrEnum):
    """Why a picture is asked for. Values are the words of consent forms; ``PURPOSE_CODES`` has their codes."""

    DIRECT_CARE = "DIRECT_CARE"
    SECOND_OPINION = "SECOND_OPINION"
    EMERGENCY_CARE = "EMERGENCY_CARE"
    LOCAL_AUDIT = "LOCAL_AUDIT"
    TEACHING = "TEACHING"
    RESEARCH = "RESEARCH"
    PUBLICATION = "PUBLICATION"
    PUBLIC_MEDIA = "PUBLIC_MEDIA"
    SUBJECT_ACCESS = "SUBJECT_ACCESS"
    LEGAL_DISCLOSURE = "LEGAL_DISCLOSURE"
    PUBLIC_INTEREST = "PUBLIC_INTEREST"
    RECORDS_MANAGEMENT = "RECORDS_MANAGEMENT"


@unique
class PurposeGroup(StrEnum):
    """Blanket words a consent may use in place of single purposes."""

    ALL_SECONDARY = "ALL_SECONDARY"
    ALL = "ALL"


SECONDARY_PURPOSES: Final = frozenset(
    {
        Purpose.LOCAL_AUDIT,
        Purpose.TEACHING,
        Purpose.RESEARCH,
        Purpose.PUBLICATION,
        Purpose.PUBLIC_MEDIA,
    }
)

PURPOSE_GROUPS: Final[dict[PurposeGroup, frozenset[Purpose]]] = {
    PurposeGroup.ALL_SECONDARY: SECONDARY_PURPOSES,
    PurposeGroup.ALL: frozenset(Purpose),
}

# HL7 v3-ActReason where a code exists; publication has none there and takes the DICOM export title (PS3.16 CID 7010).
PURPOSE_CODES: Final[dict[Purpose, str]] = {
    Purpose.DIRECT_CARE: "TREAT",
    Purpose.SECOND_OPINION: "COC",
    Purpose.EMERGENCY_CARE: "BTG",
    Purpose.LOCAL_AUDIT: "HQUALIMP",
    Purpose.TEACHING: "TRAIN",
    Purpose.RESEARCH: "HRESCH",
    Purpose.PUBLICATION: "DCM:128714",
    Purpose.PUBLIC_MEDIA: "99CONSENTGATE:PUBLIC_MEDIA",
    Purpose.SUBJECT_ACCESS: "PATRQT",
    Purpose.LEGAL_DISCLOSURE: "HLEGAL",
    Purpose.PUBLIC_INTEREST: "99CONSENTGATE:PUBLIC_INTEREST",
    Purpose.RECORDS_MANAGEMENT: "RECORDMGT",
}

# Made for other uses than care, nobody said for which: treated like the strictest of them.
SECONDARY_USE: Final = "99CONSENTGATE:SECONDARY"
SECONDARY_CODES: Final = frozenset({SECONDARY_USE, *(PURPOSE_CODES[purpose] for purpose in SECONDARY_PURPOSES)})


@unique
class Form(StrEnum):
    """The form in which a picture leaves."""

    IDENTIFIABLE = "IDENTIFIABLE"
    ANONYMISED = "ANONYMISED"


@unique
class Audience(StrEnum):
    """Who receives. The last three are never permitted."""

    CARE_TEAM = "CARE_TEAM"
    TRUST_CLINICIAN = "TRUST_CLINICIAN"
    TRUST_STUDENTS = "TRUST_STUDENTS"
    NAMED_COLLEAGUE = "NAMED_COLLEAGUE"
    PARTNER_ORG_CLINICIAN = "PARTNER_ORG_CLINICIAN"
    RESEARCH_TEAM = "RESEARCH_TEAM"
    EXTERNAL_AUDIENCE = "EXTERNAL_AUDIENCE"
    COMMERCIAL_PARTNER = "COMMERCIAL_PARTNER"
    JOURNAL = "JOURNAL"
    MEDIA = "MEDIA"
    PATIENT = "PATIENT"
    PR_HOLDER = "PR_HOLDER"
    EXECUTOR = "EXECUTOR"
    COURT = "COURT"
    CORONER = "CORONER"
    POLICE = "POLICE"
    RECORDS_OFFICER = "RECORDS_OFFICER"
    SOCIAL_MEDIA = "SOCIAL_MEDIA"
    PERSONAL_DEVICE = "PERSONAL_DEVICE"
    UNKNOWN_AE = "UNKNOWN_AE"


FORBIDDEN_AUDIENCES: Final = frozenset({Audience.SOCIAL_MEDIA, Audience.PERSONAL_DEVICE, Audience.UNKNOWN_AE})


@unique
class ConsentState(StrEnum):
    """Where a consent is in its life. EXPIRED by date is computed, never trusted from the record alone."""

    PROPOSED = "PROPOSED"
    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"
    ENTERED_IN_ERROR = "ENTERED_IN_ERROR"


@unique
class ConsentLevel(StrEnum):
    """What a consent speaks of, finest first."""

    IMAGE = "IMAGE"
    SERIES = "SERIES"
    STUDY = "STUDY"
    PATIENT = "PATIENT"


@unique
class GiverType(StrEnum):
    """Who gave, refused or withdrew."""

    PATIENT = "PATIENT"
    PR_HOLDER = "PR_HOLDER"
    LPA_HW = "LPA_HW"
    DEPUTY = "DEPUTY"
    COURT = "COURT"
    CONSULTEE = "CONSULTEE"
    BEST_INTERESTS = "BEST_INTERESTS"
    EXECUTOR = "EXECUTOR"
    RELATIVE_NO_AUTHORITY = "RELATIVE_NO_AUTHORITY"


@unique
class Competence(StrEnum):
    """Whether the giver was found competent for this decision."""

    YES = "YES"
    NO = "NO"
    NOT_ASSESSED = "NOT_ASSESSED"
    NA = "NA"


@unique
class EvidenceType(StrEnum):
    """How the decision is evidenced. Implied consent is no evidence for a photograph."""

    SIGNED_FORM = "SIGNED_FORM"
    PHOTO_OF_FORM = "PHOTO_OF_FORM"
    E_SIGNATURE = "E_SIGNATURE"
    WITNESSED_ORAL = "WITNESSED_ORAL"
    ORAL_NOTED = "ORAL_NOTED"
    MESSAGE = "MESSAGE"
    COURT_DOCUMENT = "COURT_DOCUMENT"


@unique
class CapacityResult(StrEnum):
    """What an assessment of capacity for one decision found."""

    HAS = "HAS"
    LACKS = "LACKS"


@unique
class WithdrawalPhase(StrEnum):
    """When a patient took back their word; what becomes of the pictures follows from it (requirements 2.1)."""

    DURING_CAPTURE = "DURING_CAPTURE"
    IMMEDIATELY_AFTER = "IMMEDIATELY_AFTER"
    LATER = "LATER"


@unique
class Explained(StrEnum):
    """What the patient was told before deciding."""

    WHY = "WHY"
    USE = "USE"
    FORMS = "FORMS"
    AUDIENCE = "AUDIENCE"
    TRANSMISSION = "TRANSMISSION"
    STORAGE = "STORAGE"
    RETENTION = "RETENTION"
    DISPOSAL = "DISPOSAL"
    WITHDRAWAL = "WITHDRAWAL"
    NO_EFFECT_ON_CARE = "NO_EFFECT_ON_CARE"
    PUBLICATION_IS_FINAL = "PUBLICATION_IS_FINAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """The person who decided, and on what authority. ``has_pr``: holds parental responsibility; None when not asked."""

    type: GiverType
    id: str = ""
    competent_at_decision: Competence = Competence.YES
    relationship: str = ""
    authority_document: str = ""
    competence_assessor: str = ""
    has_pr: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """The three tests a proxy's consent to secondary use must pass (GMC recordings guidance, paragraphs 28 to 32)."""

    necessary: bool
    best_interests: bool
    no_less_restrictive: bool
    consulted: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Tell whether all three hold."""
        return self.necessary and self.best_interests and self.no_less_restrictive


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnPurpose:
    """A use, or group of uses, that was taken back, and the day from which that counts (requirements 2.6, R6)."""

    purpose: Purpose | PurposeGroup
    on: date


def purposes_named(words: frozenset[str]) -> frozenset[Purpose]:
    """Return the single purposes that ``words`` (purposes and groups) cover.

    Raises:
        ValueError: a word is neither a purpose nor a group.
    """
    found: set[Purpose] = set()
    for word in words:
        if word in PURPOSE_GROUPS:
            found |= PURPOSE_GROUPS[PurposeGroup(word)]
        else:
            found.add(Purpose(word))
    return frozenset(found)
