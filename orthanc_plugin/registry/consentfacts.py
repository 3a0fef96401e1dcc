"""Read a stored consent the way the policy reads it.

Knows the text that ``consents`` stores. Must not decide. It reads only what a decision needs and only where the consent
speaks of the picture, for it is asked at every access; the text was checked whole when it was recorded. A word or key
that isn't known is an error, for it may be a limit or a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord, Giver, Scope, Tests, WithdrawnPurpose
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import (
    PURPOSE_GROUPS,
    Audience,
    Competence,
    ConsentLevel,
    ConsentState,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
)
from orthanc_plugin.policy.model import Consent
from orthanc_plugin.registry.stored import UnreadableRowError, unreadable

SCOPE_KEYS: Final = frozenset(field.name for field in fields(Scope))
RECORD_KEYS: Final = frozenset(
    {*(field.name for field in fields(ConsentRecord)), *SCOPE_KEYS, "purposes", "withdrawn_on", "withdrawn_purposes"}
) - {"purpose"}
GIVER_KEYS: Final = frozenset(field.name for field in fields(Giver))
WITHDRAWN_KEYS: Final = frozenset(field.name for field in fields(WithdrawnPurpose))
TESTS_KEYS: Final = frozenset(field.name for field in fields(Tests))

LEVELS: Final[Mapping[object, ConsentLevel]] = {each.value: each for each in ConsentLevel}
STATES: Final[Mapping[object, ConsentState]] = {each.value: each for each in ConsentState}
GIVERS: Final[Mapping[object, GiverType]] = {each.value: each for each in GiverType}
COMPETENCES: Final[Mapping[object, Competence]] = {each.value: each for each in Competence}
FORMS: Final[Mapping[object, Form]] = {each.value: each for each in Form}
AUDIENCES: Final[Mapping[object, Audience]] = {each.value: each for each in Audience}
PURPOSES: Final[Mapping[object, Purpose | PurposeGroup]] = {each.value: each for each in (*Purpose, *PurposeGroup)}

MOST_TEXTS: Final = 512
_FAULTS: Final = (KeyError, TypeError, ValueError, RecursionError)


class Place(NamedTuple):
    """Where a picture lies, and the consent it was filed under: what a consent or an authority may name."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    consent_id: str | None


class Columns(NamedTuple):
    """What a row says its record is; which decisions a row counts for hangs on these, and the record repeats them."""

    consent_id: object
    version: object
    patient_id: object
    issuer: object


def columns(record: ConsentRecord) -> Columns:
    """Return the columns that the record's row has."""
    return Columns(record.id, record.version, record.patient_id or "", record.issuer or "")


def covers(level: ConsentLevel, targets: Sequence[str], consent_id: str, place: Place) -> bool:
    """Tell whether a consent speaks of this picture.

    By its level and targets; one that names no targets speaks of the pictures that were filed under it.
    """
    if level is ConsentLevel.PATIENT:
        return True
    if not targets:
        return consent_id == place.consent_id
    if level is ConsentLevel.IMAGE:
        return place.sop_instance_uid in targets
    return (place.series_instance_uid if level is ConsentLevel.SERIES else place.study_instance_uid) in targets


def read(text: str, place: Place, row: Columns) -> tuple[Consent, ...]:
    """Return the consent once for each of its scopes, nothing when it doesn't speak of ``place``.

    Raises:
        UnreadableRowError: the text holds something this version doesn't know, or is another row's; names the fields.
    """
    try:
        level, targets, consent_id = _reach(text, row)
        return _scopes_of(text, row) if covers(level, targets, consent_id, place) else ()
    except _FAULTS:
        raise faulty(text) from None


# The same text always reads the same, and each of a patient's pictures is asked about it.
@lru_cache(maxsize=MOST_TEXTS)
def _reach(text: str, row: Columns) -> tuple[ConsentLevel, tuple[str, ...], str]:
    record = _of_row(json.loads(text), row)
    return LEVELS[record["level"]], tuple(_list(record["targets"])), str(record["id"])


@lru_cache(maxsize=MOST_TEXTS)
def _scopes_of(text: str, row: Columns) -> tuple[Consent, ...]:
    record = _of_row(json.loads(text), row)
    return tuple(_flattened(record, LEVELS[record["level"]]))


def whole(text: str, row: Columns) -> tuple[Consent, ...]:
    """Return the consent once for each of its scopes, whatever picture it speaks of.

    Raises:
        UnreadableRowError: the text holds something this version doesn't know, or is another row's; names the fields.
    """
    try:
        return _scopes_of(text, row)
    except _FAULTS:
        raise faulty(text) from None


def faulty(text: str) -> UnreadableRowError:
    """Have the strict reader find the places; what stands there isn't told."""
    try:
        read_consent(text)
    except ConsentFileError as error:
        places = (place for place, colon, _ in (problem.partition(":") for problem in error.problems) if colon)
        return unreadable(", ".join(f"consents.record.{place}" for place in places) or "consents.record")
    return unreadable("consents.record")


def _of_row(value: object, row: Columns) -> dict[str, object]:
    """Return the record, which must be the row's own: a row that was moved may have been a refusal, or another's."""
    record = _object(value, RECORD_KEYS)
    if named(record) != row:
        raise ValueError
    return record


def named(record: Mapping[str, object]) -> Columns:
    """Return the columns that a stored record names.

    Raises:
        KeyError: it lacks one.
    """
    return Columns(record["id"], record["version"], record["patient_id"] or "", record["issuer"] or "")


def _meant(word: Purpose | PurposeGroup, state: ConsentState) -> tuple[Purpose | PurposeGroup, ...]:
    """Return what a scope speaks of; a refusal of a group refuses each use in it by name (requirements 002-20b).

    Otherwise an older consent that names one of them would outrank it.
    """
    if state is ConsentState.REFUSED and isinstance(word, PurposeGroup):
        return tuple(sorted(PURPOSE_GROUPS[word]))
    return (word,)


def _flattened(record: Mapping[str, object], level: ConsentLevel) -> Iterator[Consent]:
    state, giver, tests = STATES[record["state"]], _giver(record["giver"]), _tests(record["tests"])
    withdrawn = _withdrawn(record)
    for purpose, terms in _scopes(record):
        yield Consent(
            id=str(record["id"]),
            level=level,
            state=state,
            giver=giver,
            decided_on=_day(record["decided_on"]),
            valid_from=_day(terms["valid_from"]),
            valid_to=_day_or_none(terms["valid_to"]),
            withdrawn=withdrawn,
            purposes=_meant(purpose, state),
            max_form=FORMS[terms["max_form"]],
            audience=tuple(map(AUDIENCES.__getitem__, _list(terms["audience"]))),
            named_recipients=tuple(_list(terms["named_recipients"])) or None,
            named_publication=_text(terms["named_publication"]),
            tests=tests,
            evidence=_text(record["evidence"]),
        )


def _withdrawn(record: Mapping[str, object]) -> tuple[WithdrawnPurpose, ...]:
    """Return what was taken back: on one day (no purposes named means all), or each purpose on its own."""
    if "withdrawn" in record:
        each = (_object(one, WITHDRAWN_KEYS) for one in _list(record["withdrawn"]))
        return tuple(WithdrawnPurpose(purpose=PURPOSES[one["purpose"]], on=_day(one["on"])) for one in each)
    on, named = record["withdrawn_on"], record["withdrawn_purposes"]
    words = [] if named is None else [PURPOSES[word] for word in _list(named)]
    if on is None:
        if words:
            raise ValueError
        return ()
    day = _day(on)
    return tuple(
        WithdrawnPurpose(purpose=word, on=day)
        for word in words or dict.fromkeys(purpose for purpose, _ in _scopes(record))
    )


def _scopes(record: Mapping[str, object]) -> Iterator[tuple[Purpose | PurposeGroup, Mapping[str, object]]]:
    """Give each purpose with the terms that hold for it: one flat set, or a list of scopes."""
    if "scopes" not in record:
        for name in _list(record["purposes"]):
            yield PURPOSES[name], record
        return
    for each in _list(record["scopes"]):
        terms = _object(each, SCOPE_KEYS)
        yield PURPOSES[terms["purpose"]], terms


def _giver(value: object) -> Giver:
    giver = _object(value, GIVER_KEYS)
    return Giver(
        type=GIVERS[giver["type"]],
        id=_text(giver.get("id")) or "",
        competent_at_decision=COMPETENCES[giver["competent_at_decision"]],
        has_pr=_flag(giver["has_pr"]) if "has_pr" in giver else None,
    )


def _tests(value: object) -> Tests | None:
    if value is None:
        return None
    tests = _object(value, TESTS_KEYS)
    return Tests(
        necessary=_flag(tests["necessary"]),
        best_interests=_flag(tests["best_interests"]),
        no_less_restrictive=_flag(tests["no_less_restrictive"]),
    )


def _object(value: object, keys: frozenset[str]) -> dict[str, object]:
    """Return the object; a key that isn't known may be a limit that this version doesn't keep."""
    if not isinstance(value, dict) or not value.keys() <= keys:
        raise TypeError
    return value


def _list(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise TypeError
    return date.fromisoformat(value)


def _day_or_none(value: object) -> date | None:
    return None if value is None else _day(value)
