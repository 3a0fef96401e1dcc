"""Events as JSON: read one case, and write the outcome of it.

Knows the format of ``consent_event_cases.json``. Must not say what follows from an event. Reading is strict about types
and words and tells every problem at once. What is left out is read so that more is done: no purposes means all, a copy
under no consent that is named is this one's. Fields it doesn't know (``expected``, ``to``) it ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from dicomwrap.terms import ConsentState, Form, GiverType, Purpose, PurposeGroup, WithdrawalPhase
from orthanc_plugin.policy.cases import PURPOSE_NAMES, CaseError
from orthanc_plugin.policy.eventmodel import Before, Copy, Event, Happening, ImageState, Outcome, Recall, Words
from orthanc_plugin.policy.model import MadeFor

Word = TypeVar("Word", bound=StrEnum)

# Of one copy they speak: without its id nothing could be confirmed or marked.
NAMES_A_COPY: Final = frozenset({Happening.RECALL_CONFIRMED, Happening.PUBLISHED, Happening.KEY_DESTROYED})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCase:
    """One event on one consent."""

    id: str
    before: Before
    event: Event


def parse_event_case(value: object, place: str = "case") -> EventCase:
    """Return the case that ``value`` (decoded JSON) describes.

    Args:
        value: one object with ``id``, ``before`` and ``event``.
        place: how problems name the object, such as ``case[3]``.

    Raises:
        CaseError: something is missing or is not what it should be; every problem is told.
    """
    problems: list[str] = []
    fields = _Fields(value, place, problems)
    case = EventCase(id=fields.text("id"), before=_before(fields.child("before")), event=_event(fields.child("event")))
    named = {copy.id for copy in case.before.copies}
    if case.event.copy is None and case.event.type in NAMES_A_COPY:
        problems.append(f"{place}.event.disclosure: is missing")
    elif case.event.copy is not None and case.event.copy not in named:
        problems.append(f"{place}.event.disclosure: expected the id of one of before.disclosures")
    if problems:
        raise CaseError(tuple(problems))
    return case


def event_answer(case_id: str, outcome: Outcome) -> dict[str, str | list[str] | None]:
    """Return the outcome of one case, ready for JSON."""
    return {
        "id": case_id,
        "consent": outcome.consent.value,
        "image": outcome.image.value if outcome.image else None,
        "recalls": list(outcome.recalls),
        "not_recallable": list(outcome.not_recallable),
        "tasks": [str(task) for task in outcome.tasks],
    }


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

    def word(self, name: str, kind: type[Word]) -> Word:
        value = self.fields.get(name)
        for word in kind:
            if value == word.value:
                return word
        self.fault(name, f"one of {', '.join(kind)}")
        return next(iter(kind))

    def word_or(self, name: str, otherwise: Word) -> Word:
        return otherwise if self.left_out(name) else self.word(name, type(otherwise))

    def word_or_none(self, name: str, kind: type[Word]) -> Word | None:
        return None if self.left_out(name) else self.word(name, kind)

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
        return tuple(PURPOSE_NAMES[word] for word in words if isinstance(word, str) and word in PURPOSE_NAMES)

    def child(self, name: str) -> _Fields:
        if name in self.fields:
            return _Fields(self.fields[name], f"{self.place}.{name}", self.problems)
        self.problems.append(f"{self.place}.{name}: is missing")
        return _Fields({}, f"{self.place}.{name}", [])  # its absence is noted once, not field by field

    def children(self, name: str) -> Iterator[_Fields]:
        for number, each in enumerate(self.list_(name)):
            yield _Fields(each, f"{self.place}.{name}[{number}]", self.problems)


def _before(fields: _Fields) -> Before:
    return Before(
        consent=fields.word("consent", ConsentState),
        consent_id=fields.text_or_none("consent_id"),
        giver=_giver(fields),
        purposes=fields.purposes("purposes") or (PurposeGroup.ALL,),
        image=fields.word_or_none("image", ImageState),
        made_for=fields.word_or("made_for", MadeFor.CARE),
        copies=tuple(_copy(each) for each in fields.children("disclosures")),
        jobs=_jobs(fields),
    )


def _giver(fields: _Fields) -> GiverType | None:
    """Return who gave the consent: the word alone, or an object with it as ``type``, as in cases of decisions."""
    if isinstance(fields.fields.get("giver"), Mapping):
        return fields.child("giver").word("type", GiverType)
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
        type=fields.word("type", Happening),
        phase=fields.word_or("phase", WithdrawalPhase.LATER),
        purposes=fields.purposes("purposes"),
        copy=fields.text_or_none("disclosure"),
        widens=fields.flag("widens", otherwise=True),
    )
