"""What can happen in the life of a consent, how things stand before and after, as far as an event needs it.

Knows words and shapes. Must not know what follows from an event (``events`` does); no clock, no log, no I/O.

Sources: requirements 2.4 (states), 2.9 (life cycle); the format of ``consent_event_cases.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from dicomwrap.terms import ConsentState, Form, GiverType, Purpose, PurposeGroup, WithdrawalPhase
from orthanc_plugin.policy.model import MadeFor

Words = tuple[Purpose | PurposeGroup, ...]


@unique
class Happening(StrEnum):
    """What can happen."""

    WITHDRAW = "WITHDRAW"
    REFUSE = "REFUSE"
    DISTRESS_OR_OBJECTION = "DISTRESS_OR_OBJECTION"
    APPROVED = "APPROVED"
    APPROVAL_WINDOW_ENDED = "APPROVAL_WINDOW_ENDED"
    STORED_AND_VERIFIED = "STORED_AND_VERIFIED"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    BIRTHDAY_16 = "BIRTHDAY_16"
    BIRTHDAY_18 = "BIRTHDAY_18"
    COMPETENCE_FOUND = "COMPETENCE_FOUND"
    CAPACITY_REGAINED = "CAPACITY_REGAINED"
    DEATH = "DEATH"
    EXPIRY = "EXPIRY"
    NEW_PURPOSE = "NEW_PURPOSE"
    NEW_AUDIENCE = "NEW_AUDIENCE"
    NEW_FORM_VERSION = "NEW_FORM_VERSION"
    WRONG_RECIPIENT = "WRONG_RECIPIENT"
    RECALL_CONFIRMED = "RECALL_CONFIRMED"
    PUBLISHED = "PUBLISHED"
    KEY_DESTROYED = "KEY_DESTROYED"
    BREAK_GLASS_END = "BREAK_GLASS_END"


@unique
class ImageState(StrEnum):
    """Where a picture stands; DELETED_NOT_FILED never became part of any record."""

    CAPTURING = "CAPTURING"
    AWAITING_PATIENT_APPROVAL = "AWAITING_PATIENT_APPROVAL"
    ACTIVE = "ACTIVE"
    QUARANTINED = "QUARANTINED"
    RESTRICTED = "RESTRICTED"
    REJECTED = "REJECTED"
    DISPOSED = "DISPOSED"
    DELETED_NOT_FILED = "DELETED_NOT_FILED"


@unique
class Recall(StrEnum):
    """Where the recall of one copy stands."""

    NONE = "NONE"
    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    NOT_RECALLABLE = "NOT_RECALLABLE"


@unique
class TaskKind(StrEnum):
    """Tasks that an event opens beside the obligations of decisions."""

    CONFIRM_RECALL = "CONFIRM_RECALL"
    TELL_PATIENT_NOT_RECALLABLE = "TELL_PATIENT_NOT_RECALLABLE"
    PROPOSE_DISPOSAL = "PROPOSE_DISPOSAL"
    BREACH_ASSESSMENT = "BREACH_ASSESSMENT"
    CANDOUR_CHECK = "CANDOUR_CHECK"
    NOTIFY_IG = "NOTIFY_IG"
    IG_REVIEW = "IG_REVIEW"
    SEEK_RECONSENT = "SEEK_RECONSENT"
    CONSIDER_FAMILY = "CONSIDER_FAMILY"
    RETROSPECTIVE_REVIEW = "RETROSPECTIVE_REVIEW"
    DELETE_FROM_DEVICE = "DELETE_FROM_DEVICE"


PUBLISHED: Final = "PUBLISHED"
DEPOSITED: Final = "DEPOSITED"  # at a place of deposit, which keeps it when the original is destroyed
GIVEN_UP: Final = "GIVEN_UP"  # was a place of deposit's to keep, and isn't: a copy that is out, like any other
AT_A_PLACE: Final = frozenset({DEPOSITED, GIVEN_UP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy that left. ``under`` and ``purpose`` unknown count as the consent's and the use's that is withdrawn."""

    id: str
    kind: str = "COPY"
    form: Form = Form.IDENTIFIABLE
    key_destroyed: bool = False
    under: str | None = None
    purpose: Purpose | None = None
    recall: Recall = Recall.NONE

    @property
    def recallable(self) -> bool:
        """Tell whether it can be had back: not what was published, nor what nobody can tie to the patient any more."""
        return self.kind != PUBLISHED and not (self.form is Form.ANONYMISED and self.key_destroyed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How things stand when it happens.

    Attributes:
        consent: state of the consent; None when there is none.
        consent_id: its id; None when every copy counts as its own.
        giver: who gave it; None when not said.
        purposes: what it still covers.
        image: where the picture stands, None when none is spoken of.
        made_for: why it was made.
        copies: what left.
        jobs: ids of sends that are queued.
    """

    consent: ConsentState | None
    consent_id: str | None = None
    giver: GiverType | None = None
    purposes: Words = (PurposeGroup.ALL,)
    image: ImageState | None = None
    made_for: MadeFor = MadeFor.CARE
    copies: tuple[Copy, ...] = ()
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happens.

    Attributes:
        type: what.
        phase: of a withdrawal.
        purposes: of a withdrawal; none means all.
        copy: id of the copy that is spoken of.
        widens: whether a new issue of the form allows more than the old one.
    """

    type: Happening
    phase: WithdrawalPhase = WithdrawalPhase.LATER
    purposes: Words = ()
    copy: str | None = None
    widens: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What somebody must do; ``subject`` is the copy it is about, empty for the consent itself."""

    kind: TaskKind
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.subject}" if self.subject else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How things stand afterwards, and what is to be done: ids of copies to recall, of those that can't be, tasks."""

    consent: ConsentState | None
    image: ImageState | None
    recalls: tuple[str, ...] = ()
    not_recallable: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    jobs_cancelled: tuple[str, ...] = ()
