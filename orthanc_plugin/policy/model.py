"""The facts a decision rests on, and the decision.

Knows the shape of a case: patient, image, consents, authorities, switches and the request. Must not know where any of
it is kept; no clock, no log, no I/O. One ``Case`` is one picture asked for once.

Sources: GMC "Making and using visual and audio recordings of patients"; XACML 3.0 (permit, deny, obligation).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique

from dicomwrap.terms import (
    Audience,
    ConsentLevel,
    ConsentState,
    Form,
    Purpose,
    PurposeGroup,
)
from dicomwrap.terms import Giver as Giver
from dicomwrap.terms import Tests as Tests
from dicomwrap.terms import WithdrawnPurpose as WithdrawnPurpose


@unique
class Effect(StrEnum):
    """What a decision comes to."""

    PERMIT_IDENTIFIABLE = "PERMIT_IDENTIFIABLE"
    PERMIT_ANONYMISED = "PERMIT_ANONYMISED"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    DENY = "DENY"


@unique
class Obligation(StrEnum):
    """What must be done along with a decision; a permit whose obligation can't be met is a no."""

    ANONYMISE = "ANONYMISE"
    VERIFY_RESIDUAL_ID = "VERIFY_RESIDUAL_ID"
    RECORD_DISCLOSURE = "RECORD_DISCLOSURE"
    TAG_PURPOSE = "TAG_PURPOSE"
    SECURE_CHANNEL = "SECURE_CHANNEL"
    MINIMUM_NECESSARY = "MINIMUM_NECESSARY"
    RECORD_JUSTIFICATION = "RECORD_JUSTIFICATION"
    NOTIFY_PATIENT = "NOTIFY_PATIENT"
    NOTIFY_IG = "NOTIFY_IG"
    RETROSPECTIVE_REVIEW = "RETROSPECTIVE_REVIEW"
    SEEK_CONSENT = "SEEK_CONSENT"
    SEEK_RECONSENT = "SEEK_RECONSENT"
    ASSESS_COMPETENCE = "ASSESS_COMPETENCE"
    ENCOURAGE_PARENT_INVOLVEMENT = "ENCOURAGE_PARENT_INVOLVEMENT"
    CONSULT_FAMILY = "CONSULT_FAMILY"
    CONSIDER_FAMILY = "CONSIDER_FAMILY"
    LEGAL_REVIEW = "LEGAL_REVIEW"
    CALDICOTT_REVIEW = "CALDICOTT_REVIEW"
    IG_REVIEW = "IG_REVIEW"
    SAFEGUARDING_REVIEW = "SAFEGUARDING_REVIEW"
    VERIFY_IDENTITY = "VERIFY_IDENTITY"
    REDACT_THIRD_PARTIES = "REDACT_THIRD_PARTIES"
    SERIOUS_HARM_CHECK = "SERIOUS_HARM_CHECK"
    APPLY_OPT_OUT = "APPLY_OPT_OUT"
    RESTRICT_VIEW = "RESTRICT_VIEW"
    QUARANTINE = "QUARANTINE"
    RECONCILE_IDENTITY = "RECONCILE_IDENTITY"
    METADATA_ONLY = "METADATA_ONLY"
    PROVIDE_DESTRUCTION_CERTIFICATE = "PROVIDE_DESTRUCTION_CERTIFICATE"


@unique
class Capacity(StrEnum):
    """Whether the patient can decide for themselves; presumed at 16 and over."""

    HAS = "HAS"
    LACKS = "LACKS"
    UNKNOWN = "UNKNOWN"
    NA = "NA"


@unique
class Gillick(StrEnum):
    """Whether a child was found competent."""

    COMPETENT = "COMPETENT"
    NOT_COMPETENT = "NOT_COMPETENT"
    NOT_ASSESSED = "NOT_ASSESSED"
    NA = "NA"


@unique
class ImageType(StrEnum):
    """What kind of picture it is; only CLINICAL_PHOTO needs specific consent (GMC paragraph 10)."""

    CLINICAL_PHOTO = "CLINICAL_PHOTO"
    XRAY = "XRAY"
    CT = "CT"
    MR = "MR"
    ULTRASOUND = "ULTRASOUND"
    ENDOSCOPY = "ENDOSCOPY"
    PATHOLOGY_SLIDE_IMAGE = "PATHOLOGY_SLIDE_IMAGE"
    ORGAN_FUNCTION = "ORGAN_FUNCTION"
    KEY_OBJECT = "KEY_OBJECT"


@unique
class MadeFor(StrEnum):
    """Why a picture was made."""

    CARE = "CARE"
    SECONDARY = "SECONDARY"


@unique
class ImageSource(StrEnum):
    """Who made it."""

    DEPARTMENT = "DEPARTMENT"
    PATIENT_SUPPLIED = "PATIENT_SUPPLIED"


@unique
class Anonymisable(StrEnum):
    """Whether a named person found nothing identifying left once the tags are cleaned."""

    YES = "YES"
    NO = "NO"
    UNKNOWN = "UNKNOWN"


@unique
class Others(StrEnum):
    """What named persons have said of other people in a picture.

    Attributes:
        PROPOSED: one person says that others are shown; nobody else has looked yet.
        HIDDEN: two persons have agreed on what is hidden of them.
        CHANGING: so they had, and somebody wants it otherwise.
    """

    PROPOSED = "PROPOSED"
    HIDDEN = "HIDDEN"
    CHANGING = "CHANGING"


@unique
class ImageStatus(StrEnum):
    """Where a picture stands."""

    ACTIVE = "ACTIVE"
    CAPTURING = "CAPTURING"
    AWAITING_PATIENT_APPROVAL = "AWAITING_PATIENT_APPROVAL"
    QUARANTINED = "QUARANTINED"
    RESTRICTED = "RESTRICTED"
    REJECTED = "REJECTED"
    DISPOSED = "DISPOSED"


@unique
class AuthorityType(StrEnum):
    """Authorities that stand beside consent."""

    COURT_ORDER = "COURT_ORDER"
    STATUTE = "STATUTE"
    CORONER = "CORONER"
    PUBLIC_INTEREST = "PUBLIC_INTEREST"
    SECTION_251 = "SECTION_251"
    MCA_S30_APPROVAL = "MCA_S30_APPROVAL"
    COVERT_AUTHORISATION = "COVERT_AUTHORISATION"
    EXECUTOR = "EXECUTOR"


@unique
class SecondaryUseRule(StrEnum):
    """The hospital's switch for anonymised secondary use of care photographs; neither setting reaches publication."""

    REQUIRE_CONSENT = "REQUIRE_CONSENT"
    GMC17 = "GMC17"


@unique
class Content(StrEnum):
    """What is asked for."""

    PIXELS = "PIXELS"
    METADATA = "METADATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The patient as far as a decision needs. ``dob`` unknown counts as a child until it is known."""

    id: str
    dob: date | None
    death_date: date | None = None
    capacity: Capacity = Capacity.HAS
    gillick: Gillick = Gillick.NA
    national_data_opt_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The picture. ``shows`` are words such as FACE or TATTOO. ``others``: None where nobody has said any are shown."""

    id: str
    type: ImageType
    made_on: date | None
    made_for: MadeFor = MadeFor.CARE
    source: ImageSource = ImageSource.DEPARTMENT
    shows: tuple[str, ...] = ()
    anonymisable: Anonymisable = Anonymisable.UNKNOWN
    intimate: bool = False
    covert: bool = False
    familial: bool = False
    legacy: bool = False
    status: ImageStatus = ImageStatus.ACTIVE
    others: Others | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One scope group of one consent, flattened; it already covers the image asked for. ``valid_to`` is inclusive.

    ``withdrawn``: what was taken back of the consent, in whatever scope; each use with its own day (R6).
    """

    id: str
    level: ConsentLevel
    state: ConsentState
    giver: Giver
    decided_on: date
    valid_from: date
    valid_to: date | None = None
    withdrawn: tuple[WithdrawnPurpose, ...] = ()
    purposes: tuple[Purpose | PurposeGroup, ...]
    max_form: Form
    audience: tuple[Audience, ...]
    named_recipients: tuple[str, ...] | None = None
    named_publication: str | None = None
    tests: Tests | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A court order, statute, approval or the like."""

    type: AuthorityType
    verified: bool
    covers_image: bool
    approved_by: str | None = None
    requested_by: str | None = None
    notify_prohibited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The hospital's own choices, from policy.toml."""

    anonymised_secondary_use_of_care_photographs: SecondaryUseRule = SecondaryUseRule.REQUIRE_CONSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who would receive. ``verified``: identity proven; ``approved_channel``: an approved way to send."""

    type: Audience
    id: str
    verified: bool
    approved_channel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """The reason given for emergency access, and whether a signed-in clinician gave it."""

    reason: str
    by_clinician: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, by whom, when. ``purpose`` is free text: an unknown one is denied, not refused as malformed."""

    as_of: date
    purpose: str
    recipient: Recipient
    identifiable: bool
    content: Content = Content.PIXELS
    break_glass: BreakGlass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything one decision rests on."""

    id: str
    patient: Patient
    image: Image
    consents: tuple[Consent, ...]
    authorities: tuple[Authority, ...]
    switches: Switches
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, always with its reasons.

    Attributes:
        effect: permit (in which form), review or deny.
        obligations: what must be done along with it, sorted by name.
        reasons: sentences for a person.
        rules: ids of the rules that spoke, such as ``R9.e``.
        citations: the paragraph of guidance behind each rule, in the order of ``rules``.
        consents: ids of the consents that counted, for or against.
    """

    effect: Effect
    obligations: tuple[Obligation, ...] = ()
    reasons: tuple[str, ...]
    rules: tuple[str, ...]
    citations: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()

    @property
    def permits(self) -> bool:
        """Tell whether anything at all may be released."""
        return self.effect in (Effect.PERMIT_IDENTIFIABLE, Effect.PERMIT_ANONYMISED)
