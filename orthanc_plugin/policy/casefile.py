"""Write a case as the JSON that ``cases`` reads.

Knows the case format of requirements 2.8. Must not decide. What a record says of a giver or of tests beyond what the
policy reads is no part of a case, so ``parse_case(case_as_mapping(case)) == case`` for all that decisions rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from enum import StrEnum
from typing import Final

from orthanc_plugin.policy.model import (
    Authority,
    BreakGlass,
    Case,
    Consent,
    Giver,
    Image,
    Patient,
    Recipient,
    Request,
    Switches,
    Tests,
    WithdrawnPurpose,
)

FACTS: Final = ("patient", "image", "consents", "authorities")
NOT_READ: Final[Mapping[type, frozenset[str]]] = {
    Giver: frozenset({"relationship", "authority_document", "competence_assessor"}),
    Tests: frozenset({"consulted"}),
}
PARTS: Final = (
    Authority,
    BreakGlass,
    Consent,
    Giver,
    Image,
    Patient,
    Recipient,
    Request,
    Switches,
    Tests,
    WithdrawnPurpose,
)
# What the policy reads of each part of a case.
NAMES: Final[Mapping[type, tuple[str, ...]]] = {
    part: tuple(field.name for field in fields(part) if field.name not in NOT_READ.get(part, ())) for part in PARTS
}
AS_IT_IS: Final = frozenset({str, bool, int, type(None)})
# Not in every case file: left out where nothing is known.
LATER: Final = frozenset({"has_pr", "others"})


def case_as_mapping(case: Case) -> dict[str, object]:
    """Return the object of the case format, ready for JSON."""
    return {"id": case.id, **facts_as_mapping(case), **question_as_mapping(case)}


def facts_as_mapping(case: Case) -> dict[str, object]:
    """Return what a case says of patient, picture, consents and authorities, whatever was asked."""
    return {name: plain(getattr(case, name)) for name in FACTS}


def question_as_mapping(case: Case) -> dict[str, object]:
    """Return what was asked, and the hospital's switches, whatever the facts."""
    return {"policy": plain(case.switches), "request": plain(case.request)}


def plain(value: object) -> object:
    """Return a part of a case, such as its request, as JSON has it."""
    if type(value) in AS_IT_IS:
        return value
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return _object(value)


def _object(value: object) -> dict[str, object]:
    """Return it with a look at each value here, because this is done at every access."""
    known = [(name, getattr(value, name)) for name in NAMES[type(value)]]
    return {
        name: each if type(each) in AS_IT_IS else plain(each)
        for name, each in known
        if each is not None or name not in LATER
    }
