"""What routes look at, read from a case: the object ``routing`` beside its other facts, for the rule tester.

Knows the fields. Must not match. What isn't said is not known, and meets no condition; why a picture was made, the case
itself says. Source: requirements 2.8 (the case format).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.casefields import CaseError, Fields
from orthanc_plugin.policy.model import Case
from orthanc_plugin.policy.routing import Routed, Trigger

SAID: Final = ("sop_class_uid", "body_site", "department", "trigger", "purpose")


def parse_routed(value: object, case: Case, place: str = "case") -> Routed:
    """Return what routes look at of a case.

    Args:
        value: the object that ``case`` was read from.
        case: the case.
        place: how problems name the object.

    Raises:
        CaseError: ``routing`` says something that can't be read; every problem is told.
    """
    told = value.get("routing") if isinstance(value, Mapping) else None
    problems: list[str] = []
    fields = Fields({} if told is None else told, f"{place}.routing", problems)
    problems += [f"{fields.place}.{name}: is not known" for name in sorted(fields.fields.keys() - set(SAID))]
    sop_class, site, department = ("" if fields.absent(name) else fields.text(name) for name in SAID[:3])
    found = Routed(
        sop_class_uid=sop_class,
        body_site=site,
        department=department,
        made_for=case.image.made_for,
        trigger=None if fields.absent("trigger") else fields.word("trigger", Trigger),
        purpose=None if fields.absent("purpose") else fields.word("purpose", Purpose),
    )
    if problems:
        raise CaseError(tuple(problems))
    return found
