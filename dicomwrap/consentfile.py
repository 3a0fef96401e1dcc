"""Read a consent from a JSON file, and write one.

Knows the file's shape: one flat object, or ``scopes`` where the purposes differ in form or audience. Must not know
where the file lies or what becomes of the consent. Empty never means yes: no default widens what was agreed.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import date
from enum import StrEnum
from typing import Final

from dicomwrap.consentfields import Fields
from dicomwrap.consentrecord import ConsentRecord, Discussion, Giver, Scope, Tests
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import (
    Audience,
    Competence,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
)

_FLAT_KEYS: Final = ("purposes", "max_form", "audience", "named_recipients", "named_publication", "valid_to")
_TERMS: Final = ("max_form", "audience", "named_recipients", "named_publication", "valid_from", "valid_to")
_UID: Final = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
_PURPOSES: Final[tuple[Purpose | PurposeGroup, ...]] = (*Purpose, *PurposeGroup)
# Stand-ins for what was wrong, so that reading can go on to the next fault; a record is made only without any fault.
_NO_DAY: Final = date.min


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
    mapping = {field.name: _plain(getattr(record, field.name)) for field in fields(record) if field.name != "scopes"}
    return {**mapping, **_scopes_as_mapping(record.scopes)}


def consent_json(record: ConsentRecord) -> str:
    """Return the text of a consent file for a record."""
    return json.dumps(as_mapping(record), ensure_ascii=False, indent=1)


def _scopes_as_mapping(scopes: tuple[Scope, ...]) -> dict[str, object]:
    terms = [{key: _plain(getattr(scope, key)) for key in _TERMS} for scope in scopes]
    words = [scope.purpose.value for scope in scopes]
    if all(term == terms[0] for term in terms) and len(set(words)) == len(words):
        return {"purposes": words, **terms[0]}
    return {"scopes": [{"purpose": word, **term} for word, term in zip(words, terms, strict=True)]}


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Giver | Tests | Discussion):
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {key: item for key, item in plain.items() if item != ""}
    return value


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
        id=top.text("id", 256) or "",
        version=top.number("version", 1),
        patient_id=top.text("patient_id"),
        issuer=top.text("issuer"),
        level=top.word("level", ConsentLevel) or ConsentLevel.PATIENT,
        targets=_targets(top),
        state=top.word("state", ConsentState) or ConsentState.PROPOSED,
        giver=_giver(top),
        decided_on=decided_on or _NO_DAY,
        scopes=scopes,
        withdrawn_on=top.day("withdrawn_on"),
        withdrawn_purposes=_withdrawn_purposes(top),
        tests=_tests(top),
        evidence=top.word("evidence", EvidenceType),
        explained=top.words("explained", Explained),
        discussion=_discussion(top),
    )
    top.refuse_unknown()
    _hold_together(top, record)
    return record


def _giver(top: Fields) -> Giver:
    if not top.has("giver"):
        top.take("giver")
        return Giver(type=GiverType.RELATIVE_NO_AUTHORITY)
    inner = Fields(top.take("giver"), top.at("giver"), top.problems)
    inner.must_have("type")
    giver = Giver(
        type=inner.word("type", GiverType) or GiverType.RELATIVE_NO_AUTHORITY,
        id=inner.text("id") or "",
        competent_at_decision=inner.word("competent_at_decision", Competence) or Competence.YES,
    )
    inner.refuse_unknown()
    return giver


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
        )
        for purpose in _purposes(inner)
    )


def _purposes(inner: Fields) -> tuple[Purpose | PurposeGroup, ...]:
    many = inner.words("purposes", _PURPOSES)
    if not inner.place:
        if not inner.has("purposes"):
            inner.fault("purposes", "is missing; name at least one purpose")
        elif not many:
            inner.fault("purposes", "must name at least one purpose that is known")
        return many
    one = inner.word("purpose", _PURPOSES)
    if inner.has("purpose") == inner.has("purposes"):
        inner.fault("purpose", "write either purpose or purposes")
    elif inner.has("purposes") and not many:
        inner.fault("purposes", "must name at least one purpose that is known")
    return many if one is None else (one,)


def _withdrawn_purposes(top: Fields) -> tuple[Purpose | PurposeGroup, ...] | None:
    named = top.words("withdrawn_purposes", _PURPOSES)
    return named if top.has("withdrawn_purposes") else None


def _targets(top: Fields) -> tuple[str, ...]:
    targets = top.texts("targets")
    for number, uid in enumerate(targets):
        if not _UID.fullmatch(uid):
            top.fault(f"targets[{number}]", "must be a DICOM UID")
    return targets


def _tests(top: Fields) -> Tests | None:
    if not top.has("tests"):
        top.take("tests")
        return None
    inner = Fields(top.take("tests"), top.at("tests"), top.problems)
    tests = Tests(
        necessary=inner.flag("necessary"),
        best_interests=inner.flag("best_interests"),
        no_less_restrictive=inner.flag("no_less_restrictive"),
    )
    inner.refuse_unknown()
    return tests


def _discussion(top: Fields) -> Discussion | None:
    if not top.has("discussion"):
        top.take("discussion")
        return None
    inner = Fields(top.take("discussion"), top.at("discussion"), top.problems)
    inner.must_have("note", "author")
    discussion = Discussion(note=inner.note("note") or "", author=inner.text("author") or "")
    inner.refuse_unknown()
    return discussion


def _hold_together(top: Fields, record: ConsentRecord) -> None:
    """Remember where dates and state contradict one another."""
    withdrawn = record.state is ConsentState.WITHDRAWN
    if record.withdrawn_on is not None:
        if not withdrawn and not record.withdrawn_purposes:
            top.fault("withdrawn_on", "needs state WITHDRAWN or withdrawn_purposes")
        if record.withdrawn_on < record.decided_on:
            top.fault("withdrawn_on", "must not be before decided_on")
    elif not top.has("withdrawn_on") and (withdrawn or record.withdrawn_purposes):
        top.fault("withdrawn_on", "is missing although something is withdrawn")
    if record.level is ConsentLevel.PATIENT and record.targets:
        top.fault("targets", "must be empty when the level is PATIENT")
