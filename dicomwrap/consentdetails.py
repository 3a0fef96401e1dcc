"""Read and write the parts of a consent file that are objects of their own: giver, tests, evidence, what was said.

Knows each part's keys, which of them must be there, and how long each may be. Must not know the consent around them.
Source: requirements 2.1 (record). A key that holds its default is left out when written, so that a record from before
the key existed is written as it was then.

Limits, so that every column and every DICOM element holds them: names, codes and roles 64 characters; references and
record ids 256; remarks 1,000, at most 100 in a list; notes 10,000.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeVar

from dicomwrap.consentfields import Fields
from dicomwrap.consentrecord import (
    CapacityFinding,
    Discussion,
    EvidenceDocument,
    Giver,
    RetentionTold,
    Support,
    Tests,
    Withdrawal,
    WithdrawnPurpose,
)
from dicomwrap.terms import CapacityResult, Competence, GiverType, Purpose, PurposeGroup, WithdrawalPhase

Detail = TypeVar("Detail")

LONGEST_REFERENCE: Final = 256
LONGEST_REMARK: Final = 1_000
MOST_REMARKS: Final = 100
UID: Final = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DETAILS: Final = (
    Giver,
    Tests,
    Discussion,
    CapacityFinding,
    EvidenceDocument,
    RetentionTold,
    Support,
    Withdrawal,
    WithdrawnPurpose,
)
PURPOSES: Final[tuple[Purpose | PurposeGroup, ...]] = (*Purpose, *PurposeGroup)
# A stand-in for a day that was wrong, so that reading can go on; a record is made only without any fault.
_NO_DAY: Final = date.min


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, _DETAILS):
        return _said({field.name: getattr(value, field.name) for field in fields(value)})
    return value


def _said(values: dict[str, object]) -> dict[str, object]:
    """Leave out what says nothing; a False says something."""
    return {key: plain(value) for key, value in values.items() if value not in ("", None, ())}


def purposes_digest(words: Iterable[Purpose | PurposeGroup]) -> str:
    """Return the SHA-256 of the purposes' words, sorted, one a line: what ``purposes_sha256`` must be.

    Source: requirements 003-25c (the purposes shown to the patient equal the purposes stored).
    """
    return hashlib.sha256("\n".join(sorted(set(words))).encode()).hexdigest()


def part(top: Fields, key: str, read: Callable[[Fields], Detail]) -> Detail | None:
    """Return the object at ``key`` as ``read`` makes of it; None when there is none. Unknown keys are faults."""
    if not top.has(key):
        top.take(key)
        return None
    inner = Fields(top.take(key), top.at(key), top.problems)
    found = read(inner)
    inner.refuse_unknown()
    return found


def remarks(inner: Fields, key: str) -> tuple[str, ...]:
    """Return a list of short free texts."""
    return inner.notes(key, most=MOST_REMARKS, longest=LONGEST_REMARK)


def giver(inner: Fields) -> Giver:
    """Read who decided."""
    inner.must_have("type")
    return Giver(
        type=inner.word("type", GiverType) or GiverType.RELATIVE_NO_AUTHORITY,
        id=inner.text("id") or "",
        competent_at_decision=inner.word("competent_at_decision", Competence) or Competence.YES,
        relationship=inner.text("relationship") or "",
        authority_document=inner.text("authority_document", LONGEST_REFERENCE) or "",
        competence_assessor=inner.text("competence_assessor") or "",
        has_pr=_flag_or_none(inner, "has_pr"),
    )


def tests(inner: Fields) -> Tests:
    """Read the three tests of a proxy's consent."""
    return Tests(
        necessary=inner.flag("necessary"),
        best_interests=inner.flag("best_interests"),
        no_less_restrictive=inner.flag("no_less_restrictive"),
        consulted=remarks(inner, "consulted"),
    )


def discussion(inner: Fields) -> Discussion:
    """Read the note of the conversation."""
    inner.must_have("note", "author")
    return Discussion(
        note=inner.note("note") or "",
        author=inner.text("author") or "",
        role=inner.text("role") or "",
        at=inner.moment("at"),
    )


def capacity(inner: Fields) -> CapacityFinding:
    """Read an assessment of capacity."""
    inner.must_have("result", "decision", "assessor", "on")
    return CapacityFinding(
        result=inner.word("result", CapacityResult) or CapacityResult.LACKS,
        decision=inner.note("decision", LONGEST_REMARK) or "",
        assessor=inner.text("assessor") or "",
        on=inner.day("on") or _NO_DAY,
        method=inner.note("method", LONGEST_REMARK) or "",
    )


def document(inner: Fields) -> EvidenceDocument:
    """Read where the form is and what proves it."""
    uid = inner.text("object_uid") or ""
    if uid and not UID.fullmatch(uid):
        inner.fault("object_uid", "must be a DICOM UID")
    return EvidenceDocument(
        object_uid=uid,
        sha256=_digest(inner, "sha256"),
        form_id=inner.text("form_id") or "",
        form_version=inner.text("form_version") or "",
        purposes_sha256=_digest(inner, "purposes_sha256"),
        witness=inner.text("witness") or "",
    )


def retention_told(inner: Fields) -> RetentionTold:
    """Read how long the patient was told the picture is kept."""
    inner.must_have("text")
    return RetentionTold(text=inner.note("text", LONGEST_REMARK) or "", until=inner.day("until"))


def support(inner: Fields) -> Support:
    """Read what helped the patient to understand."""
    return Support(
        interpreter=inner.text("interpreter") or "",
        language=inner.text("language") or "",
        easy_read=_flag_or_none(inner, "easy_read") or False,
        carer=inner.text("carer") or "",
        aids=remarks(inner, "aids"),
    )


def withdrawal(inner: Fields) -> Withdrawal:
    """Read how the word was taken back."""
    return Withdrawal(
        by=inner.text("by") or "",
        phase=inner.word("phase", WithdrawalPhase) or WithdrawalPhase.LATER,
        reason=inner.note("reason", LONGEST_REMARK) or "",
        how_received=inner.note("how_received", LONGEST_REMARK) or "",
    )


def withdrawn(top: Fields, key: str) -> tuple[WithdrawnPurpose, ...]:
    """Read the uses that were taken back, each with its own day."""
    items = top.take(key)
    if not isinstance(items, list):
        top.fault(key, "must be a list")
        return ()
    found = [_withdrawn_purpose(top, f"{key}[{number}]", item) for number, item in enumerate(items)]
    if len({each.purpose for each in found}) != len(found):
        top.fault(key, "names a purpose twice")
    return tuple(found)


def _withdrawn_purpose(top: Fields, key: str, item: object) -> WithdrawnPurpose:
    inner = Fields(item, top.at(key), top.problems)
    inner.must_have("purpose", "on")
    purpose, on = inner.word("purpose", PURPOSES), inner.day("on")
    inner.refuse_unknown()
    return WithdrawnPurpose(purpose=purpose or PurposeGroup.ALL, on=on or _NO_DAY)


def _flag_or_none(inner: Fields, key: str) -> bool | None:
    if inner.has(key):
        return inner.flag(key)
    inner.take(key)
    return None


def _digest(inner: Fields, key: str) -> str:
    value = inner.text(key) or ""
    if value and not _SHA256.fullmatch(value):
        inner.fault(key, "must be a SHA-256 digest: 64 hexadecimal digits, the letters in lower case")
    return value
