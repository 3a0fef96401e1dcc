"""Cases as JSON: read one, and write the answer to it.

Knows the case format of requirements 2.8. Must not decide. Reading is strict about types and words and tells every
problem at once; it leaves two things to the decision, which denies them (R0): an unknown purpose, and a recipient of
an unknown type, read as ``UNKNOWN_AE``. Fields it doesn't know (``expected``, ``description``, ``source``) it ignores;
``giver.has_pr`` alone may be left out. A consent has one day for what is withdrawn of it, or ``withdrawn``, a day for
each purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from dicomwrap.terms import Audience, Competence, ConsentLevel, ConsentState, Form, GiverType, Purpose, PurposeGroup
from orthanc_plugin.policy.model import (
    Anonymisable,
    Authority,
    AuthorityType,
    BreakGlass,
    Capacity,
    Case,
    Consent,
    Content,
    Decision,
    Gillick,
    Giver,
    Image,
    ImageSource,
    ImageStatus,
    ImageType,
    MadeFor,
    Patient,
    Recipient,
    Request,
    SecondaryUseRule,
    Switches,
    Tests,
    WithdrawnPurpose,
)

Word = TypeVar("Word", bound=StrEnum)
ISO_DATE_LENGTH: Final = len("2026-11-20")
PURPOSE_NAMES: Final[dict[str, Purpose | PurposeGroup]] = {word.value: word for word in (*Purpose, *PurposeGroup)}
AUDIENCE_NAMES: Final[dict[str, Audience]] = {word.value: word for word in Audience}


class CaseError(ValueError):
    """A case can't be read; ``problems`` has every fault with its place."""

    remedy = "Correct the places that are named; requirements 2.8 describes the format."

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(f"The case can't be read: {'; '.join(problems)}.")
        self.problems = problems

    def __str__(self) -> str:
        return f"{self.args[0]} {self.remedy}"


def parse_case(value: object, place: str = "case") -> Case:
    """Return the case that ``value`` (decoded JSON, requirements 2.8) describes.

    Args:
        value: one object of the case format; every field is written out, nothing is defaulted.
        place: how problems name the object, such as ``cases[3]``.

    Raises:
        CaseError: something is missing or is not what it should be; every problem is told.
    """
    problems: list[str] = []
    fields = _Fields(value, place, problems)
    request = _request(fields.child("request"))
    case = Case(
        id=fields.text("id"),
        patient=_patient(fields.child("patient")),
        image=_image(fields.child("image")),
        consents=tuple(_consent(each, request.as_of) for each in fields.children("consents")),
        authorities=tuple(_authority(each) for each in fields.children("authorities")),
        switches=_switches(fields.child("policy")),
        request=request,
    )
    if problems:
        raise CaseError(tuple(problems))
    return case


def answer(case_id: str, decision: Decision) -> dict[str, str | list[str]]:
    """Return the answer to one case, ready for JSON: id, decision, obligations, reasons, rules."""
    return {
        "id": case_id,
        "decision": decision.effect.value,
        "obligations": [obligation.value for obligation in decision.obligations],
        "reasons": list(decision.reasons),
        "rules": list(decision.rules),
    }


class _Fields:
    """One object's fields. A faulty one is noted with its place and a stand-in returned, which the error discards."""

    def __init__(self, value: object, place: str, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self.present = isinstance(value, Mapping)
        self.fields: dict[str, object] = (
            {str(name): field for name, field in value.items()} if isinstance(value, Mapping) else {}
        )
        if not self.present:
            problems.append(f"{place}: expected an object")

    def get(self, name: str) -> object:
        if self.present and name not in self.fields:
            self.problems.append(f"{self.place}.{name}: is missing")
        return self.fields.get(name)

    def fault(self, name: str, expected: str) -> None:
        """Note a fault, unless the field or the whole object is missing and that was noted already."""
        if name in self.fields:
            self.problems.append(f"{self.place}.{name}: expected {expected}")

    def none(self, name: str) -> bool:
        return name in self.fields and self.fields[name] is None

    def absent(self, name: str) -> bool:
        """Tell whether a field that not every case has is missing or null."""
        return self.fields.get(name) is None

    def text(self, name: str) -> str:
        value = self.get(name)
        if isinstance(value, str):
            return value
        self.fault(name, "text")
        return ""

    def text_or_none(self, name: str) -> str | None:
        return None if self.none(name) else self.text(name)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if isinstance(value, bool):
            return value
        self.fault(name, "true or false")
        return False

    def day(self, name: str) -> date:
        value = self.get(name)
        if isinstance(value, str) and len(value) == ISO_DATE_LENGTH:
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.fault(name, "a date such as 2026-11-20")
        return date.min

    def day_or_none(self, name: str) -> date | None:
        return None if self.none(name) else self.day(name)

    def word(self, name: str, kind: type[Word]) -> Word:
        value = self.get(name)
        for word in kind:
            if value == word.value:
                return word
        self.fault(name, f"one of {', '.join(kind)}")
        return next(iter(kind))

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.get(name)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.fault(name, "a list of text")
        return ()

    def texts_or_none(self, name: str) -> tuple[str, ...] | None:
        return None if self.none(name) else self.texts(name)

    def purposes(self, name: str) -> tuple[Purpose | PurposeGroup, ...]:
        words = self.texts(name)
        unknown = [word for word in words if word not in PURPOSE_NAMES]
        if unknown:
            self.fault(name, f"purposes, not {', '.join(unknown)}")
        return tuple(PURPOSE_NAMES[word] for word in words if word in PURPOSE_NAMES)

    def purpose(self, name: str) -> Purpose | PurposeGroup:
        word = self.text(name)
        if word not in PURPOSE_NAMES:
            self.fault(name, f"a purpose, not {word}")
        return PURPOSE_NAMES.get(word, PurposeGroup.ALL)

    def audience(self, name: str) -> tuple[Audience, ...]:
        words = self.texts(name)
        unknown = [word for word in words if word not in AUDIENCE_NAMES]
        if unknown:
            self.fault(name, f"audiences, not {', '.join(unknown)}")
        return tuple(AUDIENCE_NAMES[word] for word in words if word in AUDIENCE_NAMES)

    def child(self, name: str) -> _Fields:
        value = self.get(name)
        if name in self.fields:
            return _Fields(value, f"{self.place}.{name}", self.problems)
        return _Fields(value, f"{self.place}.{name}", [])  # its absence is noted once, not field by field

    def child_or_none(self, name: str) -> _Fields | None:
        return None if self.none(name) else self.child(name)

    def children(self, name: str) -> Iterator[_Fields]:
        value = self.get(name)
        if not isinstance(value, list):
            self.fault(name, "a list")
            return
        for number, each in enumerate(value):
            yield _Fields(each, f"{self.place}.{name}[{number}]", self.problems)


def _patient(fields: _Fields) -> Patient:
    return Patient(
        id=fields.text("id"),
        dob=fields.day_or_none("dob"),
        death_date=fields.day_or_none("death_date"),
        capacity=fields.word("capacity", Capacity),
        gillick=fields.word("gillick", Gillick),
        national_data_opt_out=fields.flag("national_data_opt_out"),
    )


def _image(fields: _Fields) -> Image:
    return Image(
        id=fields.text("id"),
        type=fields.word("type", ImageType),
        made_on=fields.day_or_none("made_on"),
        made_for=fields.word("made_for", MadeFor),
        source=fields.word("source", ImageSource),
        shows=fields.texts("shows"),
        anonymisable=fields.word("anonymisable", Anonymisable),
        intimate=fields.flag("intimate"),
        covert=fields.flag("covert"),
        familial=fields.flag("familial"),
        legacy=fields.flag("legacy"),
        status=fields.word("status", ImageStatus),
    )


def _consent(fields: _Fields, as_of: date) -> Consent:
    giver, state, purposes = fields.child("giver"), fields.word("state", ConsentState), fields.purposes("purposes")
    return Consent(
        id=fields.text("id"),
        level=fields.word("level", ConsentLevel),
        state=state,
        giver=Giver(
            type=giver.word("type", GiverType),
            id=giver.text("id"),
            competent_at_decision=giver.word("competent_at_decision", Competence),
            has_pr=None if giver.absent("has_pr") else giver.flag("has_pr"),
        ),
        decided_on=fields.day("decided_on"),
        valid_from=fields.day("valid_from"),
        valid_to=fields.day_or_none("valid_to"),
        withdrawn=_withdrawn(fields, state, purposes, as_of),
        purposes=purposes,
        max_form=fields.word("max_form", Form),
        audience=fields.audience("audience"),
        named_recipients=fields.texts_or_none("named_recipients"),
        named_publication=fields.text_or_none("named_publication"),
        tests=_tests(fields.child_or_none("tests")),
        evidence=fields.text_or_none("evidence"),
    )


def _withdrawn(
    fields: _Fields, state: ConsentState, purposes: tuple[Purpose | PurposeGroup, ...], as_of: date
) -> tuple[WithdrawnPurpose, ...]:
    """Read what was withdrawn. On one day: no purposes named means all, but of a consent that was replaced, none."""
    if not fields.absent("withdrawn"):
        each = fields.children("withdrawn")
        return tuple(WithdrawnPurpose(purpose=one.purpose("purpose"), on=one.day("on")) for one in each)
    on = fields.day_or_none("withdrawn_on")
    named = () if fields.none("withdrawn_purposes") else fields.purposes("withdrawn_purposes")
    whole = () if state is ConsentState.SUPERSEDED else purposes
    if on is None and state not in (ConsentState.WITHDRAWN, ConsentState.SUPERSEDED):
        return ()  # what is still in force is withdrawn from the day it bears
    return tuple(WithdrawnPurpose(purpose=word, on=on or as_of) for word in named or whole)


def _tests(fields: _Fields | None) -> Tests | None:
    if fields is None:
        return None
    return Tests(
        necessary=fields.flag("necessary"),
        best_interests=fields.flag("best_interests"),
        no_less_restrictive=fields.flag("no_less_restrictive"),
    )


def _authority(fields: _Fields) -> Authority:
    return Authority(
        type=fields.word("type", AuthorityType),
        verified=fields.flag("verified"),
        covers_image=fields.flag("covers_image"),
        approved_by=fields.text_or_none("approved_by"),
        requested_by=fields.text_or_none("requested_by"),
        notify_prohibited=fields.flag("notify_prohibited"),
    )


def _switches(fields: _Fields) -> Switches:
    name = "anonymised_secondary_use_of_care_photographs"
    return Switches(anonymised_secondary_use_of_care_photographs=fields.word(name, SecondaryUseRule))


def _request(fields: _Fields) -> Request:
    recipient, given = fields.child("recipient"), fields.child_or_none("break_glass")
    return Request(
        as_of=fields.day("as_of"),
        purpose=fields.text("purpose"),
        recipient=Recipient(
            type=AUDIENCE_NAMES.get(recipient.text("type"), Audience.UNKNOWN_AE),
            id=recipient.text("id"),
            verified=recipient.flag("verified"),
            approved_channel=recipient.flag("approved_channel"),
        ),
        identifiable=fields.flag("identifiable"),
        content=fields.word("content", Content),
        break_glass=None
        if given is None
        else BreakGlass(reason=given.text("reason"), by_clinician=given.flag("by_clinician")),
    )
