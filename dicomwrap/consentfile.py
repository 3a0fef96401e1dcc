"""Read a consent from a JSON file, and write one.

Knows the file's shape: one flat object, or ``scopes`` where the purposes differ in form or audience; one day of
withdrawal, or ``withdrawn`` where the days differ. The objects within it are ``consentdetails``'s. Must not know where
the file lies or what becomes of the consent. Empty never means yes: no default widens what was agreed. What an older
version wrote stays readable: keys are added, never renamed or dropped.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from typing import Final

from dicomwrap import consentdetails as details
from dicomwrap.consentdetails import PURPOSES, plain
from dicomwrap.consentfields import Fields
from dicomwrap.consentrecord import ConsentRecord, Giver, Scope, WithdrawnPurpose
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import (
    Audience,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
)

LONGEST_ID: Final = 256
_TERMS: Final = ("max_form", "audience", "named_recipients", "named_publication", "valid_from", "valid_to")
_LATER_TERMS: Final = ("conditions", "legal_basis")
_FLAT_KEYS: Final = ("purposes", *(key for key in (*_TERMS, *_LATER_TERMS) if key != "valid_from"))
# Added after the first records were written: left out when they say nothing, so that those are written as they were.
_LATER: Final = frozenset(
    {
        "previous_id",
        "capacity",
        "document",
        "retention_told",
        "support",
        "withdrawal",
        "source_system",
        "state_reason",
    }
)
# Where all is withdrawn on one day, the file says it by the state alone.
_SAID_BY_STATE: Final = frozenset({ConsentState.WITHDRAWN, ConsentState.ENTERED_IN_ERROR})
# Stand-ins for what was wrong, so that reading can go on to the next fault; a record is made only without any fault.
_NO_DAY: Final = date.min
_NOBODY: Final = Giver(type=GiverType.RELATIVE_NO_AUTHORITY)


def read_consent(text: str) -> ConsentRecord:
    """Read a consent file.

    Raises:
        ConsentFileError: names everything that is wrong, each with its place such as ``scopes[1].purpose``.
    """
    problems: list[str] = []
    parsed = _parsed(text, problems)
    if not isinstance(parsed, dict):
        raise ConsentFileError(("must be one JSON object",))
    record = _record(Fields(parsed, "", problems))
    if problems:
        raise ConsentFileError(problems)
    return record


def as_mapping(record: ConsentRecord) -> dict[str, object]:
    """Return the mapping whose JSON ``read_consent`` reads back as the same record."""
    mapping: dict[str, object] = {}
    for name in (field.name for field in fields(record) if field.name != "scopes"):
        value = getattr(record, name)
        if name == "withdrawn":
            mapping.update(_withdrawn_as_mapping(record))
        elif name not in _LATER or value not in ("", None):
            mapping[name] = plain(value)
    return {**mapping, **_scopes_as_mapping(record.scopes)}


def consent_json(record: ConsentRecord) -> str:
    """Return the text of a consent file for a record."""
    return json.dumps(as_mapping(record), ensure_ascii=False, indent=1)


def _withdrawn_as_mapping(record: ConsentRecord) -> dict[str, object]:
    days = list(dict.fromkeys(each.on for each in record.withdrawn))
    if len(days) > 1:
        return {"withdrawn": plain(record.withdrawn)}
    words = tuple(each.purpose for each in record.withdrawn)
    whole = record.state in _SAID_BY_STATE and words == _words(record.scopes)
    on, named = (days[0], words) if days else (None, None)
    return {"withdrawn_on": plain(on), "withdrawn_purposes": None if whole else plain(named)}


def _words(scopes: tuple[Scope, ...]) -> tuple[Purpose | PurposeGroup, ...]:
    return tuple(dict.fromkeys(scope.purpose for scope in scopes))


def _scopes_as_mapping(scopes: tuple[Scope, ...]) -> dict[str, object]:
    terms = [_terms(scope) for scope in scopes]
    words = [scope.purpose.value for scope in scopes]
    if all(term == terms[0] for term in terms) and len(set(words)) == len(words):
        return {"purposes": words, **terms[0]}
    return {"scopes": [{"purpose": word, **term} for word, term in zip(words, terms, strict=True)]}


def _terms(scope: Scope) -> dict[str, object]:
    terms = {key: plain(getattr(scope, key)) for key in _TERMS}
    return {**terms, **{key: plain(said) for key in _LATER_TERMS if (said := getattr(scope, key))}}


def _parsed(text: str, problems: list[str]) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        mapping = dict(pairs)
        names = [name for name, _ in pairs]
        problems.extend(f"{name!r}: is written twice" for name in mapping if names.count(name) > 1)
        return mapping

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ConsentFileError((f"line {error.lineno}, column {error.colno}: is no JSON ({error.msg})",)) from error
    except (RecursionError, ValueError) as error:
        raise ConsentFileError(("is no JSON that can be read",)) from error


def _record(top: Fields) -> ConsentRecord:
    top.must_have("id", "state", "giver", "decided_on")
    decided_on = top.day("decided_on")
    scopes = _scopes(top, decided_on or _NO_DAY)
    record = ConsentRecord(
        id=top.text("id", LONGEST_ID) or "",
        version=top.number("version", 1),
        patient_id=top.text("patient_id"),
        issuer=top.text("issuer"),
        level=top.word("level", ConsentLevel) or ConsentLevel.PATIENT,
        targets=_targets(top),
        state=top.word("state", ConsentState) or ConsentState.PROPOSED,
        giver=details.part(top, "giver", details.giver) or _NOBODY,
        decided_on=decided_on or _NO_DAY,
        scopes=scopes,
        withdrawn=_withdrawn(top, scopes),
        tests=details.part(top, "tests", details.tests),
        evidence=top.word("evidence", EvidenceType),
        explained=top.words("explained", Explained),
        discussion=details.part(top, "discussion", details.discussion),
        previous_id=top.text("previous_id", LONGEST_ID),
        capacity=details.part(top, "capacity", details.capacity),
        document=details.part(top, "document", details.document),
        retention_told=details.part(top, "retention_told", details.retention_told),
        support=details.part(top, "support", details.support),
        withdrawal=details.part(top, "withdrawal", details.withdrawal),
        source_system=top.text("source_system") or "",
        state_reason=top.note("state_reason", details.LONGEST_REMARK) or "",
    )
    top.refuse_unknown()
    _hold_together(top, record)
    return record


def _scopes(top: Fields, decided_on: date) -> tuple[Scope, ...]:
    if not top.has("scopes"):
        top.take("scopes")
        return _scopes_of(top, decided_on)
    for key in _FLAT_KEYS:
        if top.has(key):
            top.fault(key, "must not stand beside scopes; write it within each scope")
        top.take(key)
    start = top.day("valid_from") or decided_on
    items = top.take("scopes")
    if not isinstance(items, list) or not items:
        top.fault("scopes", "must be a list of at least one scope")
        return ()
    found: list[Scope] = []
    for number, item in enumerate(items):
        inner = Fields(item, top.at(f"scopes[{number}]"), top.problems)
        found.extend(_scopes_of(inner, start))
        inner.refuse_unknown()
    return tuple(found)


def _scopes_of(inner: Fields, start: date) -> tuple[Scope, ...]:
    """Read one group of purposes with the terms that they share."""
    inner.must_have("max_form", "audience")
    form = inner.word("max_form", Form)
    audience = inner.words("audience", Audience)
    if inner.has("audience") and not audience:
        inner.fault("audience", "must name at least one audience")
    recipients, publication = inner.texts("named_recipients"), inner.text("named_publication", 256)
    conditions, basis = details.remarks(inner, "conditions"), details.remarks(inner, "legal_basis")
    begins, ends = inner.day("valid_from") or start, inner.day("valid_to")
    if ends is not None and ends < begins:
        inner.fault("valid_to", "must not be before valid_from")
    return tuple(
        Scope(
            purpose=purpose,
            max_form=form or Form.ANONYMISED,
            audience=audience,
            named_recipients=recipients,
            named_publication=publication,
            valid_from=begins,
            valid_to=ends,
            conditions=conditions,
            legal_basis=basis,
        )
        for purpose in _purposes(inner)
    )


def _purposes(inner: Fields) -> tuple[Purpose | PurposeGroup, ...]:
    many = inner.words("purposes", PURPOSES)
    if not inner.place:
        if not inner.has("purposes"):
            inner.fault("purposes", "is missing; name at least one purpose")
        elif not many:
            inner.fault("purposes", "must name at least one purpose that is known")
        return many
    one = inner.word("purpose", PURPOSES)
    if inner.has("purpose") == inner.has("purposes"):
        inner.fault("purpose", "write either purpose or purposes")
    elif inner.has("purposes") and not many:
        inner.fault("purposes", "must name at least one purpose that is known")
    return many if one is None else (one,)


def _withdrawn(top: Fields, scopes: tuple[Scope, ...]) -> tuple[WithdrawnPurpose, ...]:
    """Read what was taken back: on one day (no purposes named means all), or each purpose on its own."""
    on, named = top.day("withdrawn_on"), top.words("withdrawn_purposes", PURPOSES)
    if not top.has("withdrawn"):
        top.take("withdrawn")
        if named and not top.has("withdrawn_on"):
            top.fault("withdrawn_on", "is missing although something is withdrawn")
        words = named or _words(scopes)
        return () if on is None else tuple(WithdrawnPurpose(purpose=word, on=on) for word in words)
    for key in ("withdrawn_on", "withdrawn_purposes"):
        if top.has(key):
            top.fault(key, "must not stand beside withdrawn; write each purpose with its day there")
    return details.withdrawn(top, "withdrawn")


def _targets(top: Fields) -> tuple[str, ...]:
    targets = top.texts("targets")
    for number, uid in enumerate(targets):
        if not details.UID.fullmatch(uid):
            top.fault(f"targets[{number}]", "must be a DICOM UID")
    return targets


def _hold_together(top: Fields, record: ConsentRecord) -> None:
    """Remember where dates and state contradict one another."""
    dated = top.has("withdrawn_on")
    if dated and not top.take("withdrawn_purposes") and record.state not in _SAID_BY_STATE:
        top.fault("withdrawn_on", "needs state WITHDRAWN or withdrawn_purposes")
    if any(each.on < record.decided_on for each in record.withdrawn):
        top.fault("withdrawn_on" if dated else "withdrawn", "must not be before decided_on")
    if not dated and not record.withdrawn:
        if record.state is ConsentState.WITHDRAWN:
            top.fault("withdrawn_on", "is missing although something is withdrawn")
        if record.withdrawal is not None:
            top.fault("withdrawal", "needs withdrawn_on, the day of the withdrawal")
    if record.level is ConsentLevel.PATIENT and record.targets:
        top.fault("targets", "must be empty when the level is PATIENT")
