"""Events as JSON: read one case, and write the outcome of it.

Knows the format of ``consent_event_cases.json``, and by which other words an event may be called. Must not say what
follows from an event. Reading is strict about types and words and tells every problem at once. What is left out is read
so that more is done: no purposes means all, a copy under no consent that is named is this one's. Fields it doesn't know
(``expected``, ``to``) it ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from dicomwrap.terms import (
    SECONDARY_PURPOSES,
    ConsentState,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
    WithdrawalPhase,
)
from orthanc_plugin.policy.casefields import PURPOSE_NAMES, CaseError
from orthanc_plugin.policy.eventmodel import Before, Copy, Event, Happening, ImageState, Outcome, Recall, Words
from orthanc_plugin.policy.model import MadeFor

Answer = dict[str, str | list[str] | None]
Word = TypeVar("Word", bound=StrEnum)

# Of one copy they speak: without its id nothing could be confirmed or marked.
NAMES_A_COPY: Final = frozenset({Happening.RECALL_CONFIRMED, Happening.PUBLISHED, Happening.KEY_DESTROYED})
# How the format names the one consent of a case.
THE_CONSENT: Final = "C1"
NO_CONSENT: Final = "NONE"
OTHER_WORDS: Final[Mapping[Happening, tuple[str, ...]]] = {
    Happening.WITHDRAW: ("WITHDRAWAL", "WITHDRAWN", "CONSENT_WITHDRAWN", "REVOKE", "REVOKED"),
    Happening.REFUSE: ("REFUSAL", "REFUSED"),
    Happening.DISTRESS_OR_OBJECTION: (
        "DISTRESS",
        "OBJECTION",
        "OBJECTS",
        "CHILD_DISTRESS",
        "CHILD_DISTRESSED",
        "CHILD_OBJECTS",
        "PATIENT_OBJECTS",
    ),
    Happening.APPROVED: ("APPROVE", "APPROVAL", "PATIENT_APPROVED", "PATIENT_APPROVES", "PATIENT_APPROVAL"),
    Happening.APPROVAL_WINDOW_ENDED: (
        "WINDOW_ENDED",
        "WINDOW_EXPIRED",
        "APPROVAL_TIMEOUT",
        "APPROVAL_WINDOW_END",
        "APPROVAL_WINDOW_EXPIRED",
    ),
    Happening.STORED_AND_VERIFIED: ("STORED", "VERIFIED", "DIGEST_OK", "DIGEST_MATCH", "STORAGE_VERIFIED"),
    Happening.DIGEST_MISMATCH: ("DIGEST_DIFFERS", "DIGEST_FAILED", "CHECKSUM_MISMATCH", "HASH_MISMATCH"),
    Happening.BIRTHDAY_16: ("TURNED_16", "TURNS_16", "SIXTEENTH_BIRTHDAY"),
    Happening.BIRTHDAY_18: ("TURNED_18", "TURNS_18", "EIGHTEENTH_BIRTHDAY"),
    Happening.COMPETENCE_FOUND: ("FOUND_COMPETENT", "GILLICK_COMPETENT", "COMPETENCE_GAINED"),
    Happening.CAPACITY_REGAINED: ("REGAINED_CAPACITY", "REGAINS_CAPACITY"),
    Happening.DEATH: ("DIED", "DECEASED", "PATIENT_DIED", "PATIENT_DIES"),
    Happening.EXPIRY: ("EXPIRED", "EXPIRES", "CONSENT_EXPIRED"),
    Happening.NEW_FORM_VERSION: ("FORM_VERSION", "FORM_CHANGED", "FORM_VERSION_CHANGED"),
    Happening.WRONG_RECIPIENT: ("SENT_TO_WRONG_RECIPIENT", "MISDIRECTED", "MISSENT"),
    Happening.RECALL_CONFIRMED: ("CONFIRM_RECALL", "RECIPIENT_CONFIRMED"),
    Happening.PUBLISHED: ("PUBLICATION",),
    Happening.KEY_DESTROYED: ("KEY_DESTRUCTION", "CODE_KEY_DESTROYED"),
    Happening.BREAK_GLASS_END: ("BREAK_GLASS_ENDED", "BREAK_GLASS_EXPIRED", "BREAK_GLASS_SESSION_END", "SESSION_ENDED"),
}
SYNONYMS: Final[Mapping[str, Happening]] = {word: known for known, words in OTHER_WORDS.items() for word in words}
WORDS: Final[Mapping[str, Happening]] = {**{word.value: word for word in Happening}, **SYNONYMS}
TAKES_BACK: Final = frozenset({Happening.WITHDRAW, Happening.REFUSE, Happening.DISTRESS_OR_OBJECTION})
# One word for two events, which ``age`` tells apart.
BIRTHDAY: Final = "BIRTHDAY"
BIRTHDAYS: Final[Mapping[object, Happening]] = {16: Happening.BIRTHDAY_16, 18: Happening.BIRTHDAY_18}
IMAGE_SYNONYMS: Final[Mapping[str, ImageState]] = {
    "FILED": ImageState.ACTIVE,
    "STORED": ImageState.ACTIVE,
    "AWAITING_APPROVAL": ImageState.AWAITING_PATIENT_APPROVAL,
}
# A picture may be said to be made for a purpose; the rules tell only care from other uses.
CARE_PURPOSES: Final = (Purpose.DIRECT_CARE, Purpose.SECOND_OPINION, Purpose.EMERGENCY_CARE)
MADE_FOR_WORDS: Final[Mapping[str, MadeFor]] = {
    **{word.value: word for word in MadeFor},
    **dict.fromkeys(CARE_PURPOSES, MadeFor.CARE),
    **dict.fromkeys((*SECONDARY_PURPOSES, PurposeGroup.ALL_SECONDARY), MadeFor.SECONDARY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCase:
    """One event on one consent; ``consent`` and ``image`` as ``before`` words them, for what nothing happens to."""

    id: str
    before: Before
    event: Event
    consent: str | None
    image: str | None


def parse_event_case(value: object, place: str = "case") -> EventCase:
    """Return the case that ``value`` (decoded JSON) describes.

    Args:
        value: one object with ``id``, ``before`` and ``event``.
        place: how problems name the object, such as ``case[3]``.

    Raises:
        CaseError: something is missing or is not what it should be; every problem is told.
    """
    problems: list[str] = []
    case = _case(_Fields(value, place, problems))
    if problems:
        raise CaseError(tuple(problems))
    return case


def _case(fields: _Fields) -> EventCase:
    was, happens = fields.child("before"), fields.child("event")
    case = EventCase(
        id=fields.text("id"),
        before=_before(was, happens.text_or_none("consent")),
        event=_event(happens),
        consent=was.written("consent"),
        image=was.written("image"),
    )
    if case.event.copy is None and case.event.type in NAMES_A_COPY:
        fields.problems.append(f"{happens.place}.disclosure: is missing")
    elif case.event.copy is not None and case.event.copy not in {copy.id for copy in case.before.copies}:
        fields.problems.append(f"{happens.place}.disclosure: expected the id of one of before.disclosures")
    return case


def event_answer(case: EventCase, outcome: Outcome) -> Answer:
    """Return the outcome of one case, ready for JSON; what nothing happened to keeps the word it was told by."""
    return {
        "id": case.id or None,
        "consent": case.consent if outcome.consent is case.before.consent else outcome.consent,
        "image": case.image if outcome.image is case.before.image else outcome.image,
        "recalls": list(outcome.recalls),
        "not_recallable": list(outcome.not_recallable),
        "tasks": [str(task) for task in outcome.tasks],
    }


def readable(value: object) -> EventCase:
    """Return what can be read of a case, the rest as if it were left out; what can't be was told before."""
    return _case(_Fields(value, "", []))


def takes_back(value: object) -> bool:
    """Tell whether the event of a case takes a word back, whatever else can be read of it."""
    word = _Fields(value, "", []).child("event").written("type")
    return WORDS.get(word or "") in TAKES_BACK


class _Fields:
    """One object's fields. A faulty one is noted with its place and a stand-in returned, which the error discards."""

    def __init__(self, value: object, place: str, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self.fields: Mapping[str, object] = value if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            problems.append(f"{place}: expected an object")

    def fault(self, name: str, expected: str) -> None:
        here = f"{self.place}.{name}"
        self.problems.append(f"{here}: expected {expected}" if name in self.fields else f"{here}: is missing")

    def left_out(self, name: str) -> bool:
        return self.fields.get(name) is None

    def written(self, name: str) -> str | None:
        """Return the text as it stands, whatever it says; None when it is no text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if isinstance(value, str) and value:
            return value
        self.fault(name, "text")
        return ""

    def text_or_none(self, name: str) -> str | None:
        return None if self.left_out(name) else self.text(name)

    def flag(self, name: str, *, otherwise: bool) -> bool:
        value = self.fields.get(name, otherwise)
        if isinstance(value, bool):
            return value
        self.fault(name, "true or false")
        return otherwise

    def word_or(self, name: str, otherwise: Word) -> Word:
        found = self.word_or_none(name, type(otherwise))
        return otherwise if found is None else found

    def mapped(self, name: str, words: Mapping[str, Word], otherwise: Word) -> Word:
        value = self.fields.get(name)
        if isinstance(value, str) and value in words:
            return words[value]
        self.fault(name, f"one of {', '.join(words)}")
        return otherwise

    def word_or_none(self, name: str, kind: type[Word]) -> Word | None:
        if self.left_out(name):
            return None
        value = self.fields.get(name)
        found = next((word for word in kind if value == word.value), None)
        if found is None:
            self.fault(name, f"one of {', '.join(kind)}")
        return found

    def list_(self, name: str) -> list[object]:
        value = self.fields.get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.fault(name, "a list")
        return []

    def purposes(self, name: str) -> Words:
        words = self.list_(name)
        if unknown := [str(word) for word in words if not isinstance(word, str) or word not in PURPOSE_NAMES]:
            self.fault(name, f"purposes, not {', '.join(unknown)}")
            return (PurposeGroup.ALL,)
        return tuple(PURPOSE_NAMES[word] for word in words if isinstance(word, str))

    def purpose(self, name: str) -> Words:
        return () if self.left_out(name) else (self.mapped(name, PURPOSE_NAMES, PurposeGroup.ALL),)

    def child(self, name: str) -> _Fields:
        if name in self.fields:
            return _Fields(self.fields[name], f"{self.place}.{name}", self.problems)
        self.problems.append(f"{self.place}.{name}: is missing")
        return _Fields({}, f"{self.place}.{name}", [])  # its absence is noted once, not field by field

    def children(self, name: str) -> Iterator[_Fields]:
        for number, each in enumerate(self.list_(name)):
            yield _Fields(each, f"{self.place}.{name}[{number}]", self.problems)


def _before(fields: _Fields, of_event: str | None) -> Before:
    copies = tuple(copy for copy in map(_copy, fields.children("disclosures")) if copy.id)
    convention = THE_CONSENT if any(copy.under == THE_CONSENT for copy in copies) else None
    return Before(
        consent=_consent(fields),
        consent_id=fields.text_or_none("consent_id") or of_event or convention,
        giver=_giver(fields),
        purposes=fields.purposes("purposes") or (PurposeGroup.ALL,),
        image=_image(fields),
        made_for=_made_for(fields),
        copies=copies,
        jobs=_jobs(fields),
    )


def _consent(fields: _Fields) -> ConsentState | None:
    return None if fields.written("consent") == NO_CONSENT else fields.word_or_none("consent", ConsentState)


def _image(fields: _Fields) -> ImageState | None:
    """Return where the picture stands; to one in a state that isn't known nothing can happen here."""
    word = fields.text_or_none("image")
    return next((state for state in ImageState if state.value == word), IMAGE_SYNONYMS.get(word or ""))


def _made_for(fields: _Fields) -> MadeFor:
    if fields.left_out("made_for"):
        return MadeFor.CARE
    return fields.mapped("made_for", MADE_FOR_WORDS, MadeFor.CARE)


def _giver(fields: _Fields) -> GiverType | None:
    """Return who gave the consent: the word alone, or an object with it as ``type``, as in cases of decisions."""
    if isinstance(fields.fields.get("giver"), Mapping):
        giver = fields.child("giver")
        if giver.left_out("type"):
            giver.fault("type", f"one of {', '.join(GiverType)}")
        return giver.word_or_none("type", GiverType)
    return fields.word_or_none("giver", GiverType)


def _jobs(fields: _Fields) -> tuple[str, ...]:
    """Return the ids of queued sends, each written with where it goes, such as ``JOB1:TEACH1``."""
    queued = fields.list_("queue")
    if not all(isinstance(each, str) for each in queued):
        fields.fault("queue", "a list of text such as JOB1:TEACH1")
    return tuple(str(each).partition(":")[0] for each in queued)


def _copy(fields: _Fields) -> Copy:
    return Copy(
        id=fields.text("id"),
        kind=fields.text_or_none("kind") or "COPY",
        form=fields.word_or("form", Form.IDENTIFIABLE),
        key_destroyed=fields.flag("key_destroyed", otherwise=False),
        under=fields.text_or_none("under"),
        purpose=fields.word_or_none("purpose", Purpose),
        recall=fields.word_or("recall", Recall.NONE),
    )


def _event(fields: _Fields) -> Event:
    return Event(
        type=_happening(fields),
        phase=fields.word_or("phase", WithdrawalPhase.LATER),
        purposes=(*fields.purpose("purpose"), *fields.purposes("purposes"), *fields.purposes("withdrawn_purposes")),
        copy=fields.text_or_none("disclosure"),
        widens=fields.flag("widens", otherwise=True),
    )


def _happening(fields: _Fields) -> Happening:
    word = fields.written("type") or ""
    if word == BIRTHDAY:
        age = fields.fields.get("age")
        if isinstance(age, int) and age in BIRTHDAYS:
            return BIRTHDAYS[age]
        fields.fault("age", "16 or 18")
        return Happening.BIRTHDAY_16
    if word not in WORDS:
        fields.fault("type", f"one of {', '.join(Happening)}")
    return WORDS.get(word, Happening.WITHDRAW)
