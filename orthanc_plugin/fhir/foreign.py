"""What a Consent of another system comes to here, read as narrowly as it can be meant.

Knows what PCF leaves unsaid and how it is taken: empty never means yes. Must not know JSON nor the registry. A resource
of both permits and refusals comes to one record for each, so that no refusal is lost; a refusal counts for every
recipient. Source: docs/fhir.md; requirements 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dicomwrap.terms import Audience, Form, Purpose
from orthanc_plugin.fhir.codes import PERMITTED_BY, REFUSED_BY, Code
from orthanc_plugin.fhir.provisions import Part

Fault = Callable[[str, str], None]

# Care is impossible with an anonymised picture, so a permit for treatment is one for the picture as it is.
CARE: Final = frozenset({Purpose.DIRECT_CARE, Purpose.SECOND_OPINION, Purpose.EMERGENCY_CARE})
INACTIVE: Final = "inactive"
_PERMIT_STATES: Final = {
    "draft": "PROPOSED",
    "proposed": "PROPOSED",
    "active": "GIVEN",
    "rejected": "REFUSED",
    INACTIVE: "WITHDRAWN",
    "entered-in-error": "ENTERED_IN_ERROR",
}
_DENY_STATES: Final = {"active": "REFUSED", "rejected": "REFUSED", "entered-in-error": "ENTERED_IN_ERROR"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one provision comes to: the keys of a consent file that it decides, and where its scopes stand.

    ``number`` is its place among the provisions, whatever the others come to: the record's id is made of it.
    """

    number: int
    place: str
    keys: dict[str, object]


def meanings(root: Part, status: str, level: object, fault: Fault) -> list[Meaning]:
    """Return what each provision comes to, the root first.

    Args:
        root: the root provision.
        status: the resource's status.
        level: the level that our extension names, if any.
        fault: remembers what is wrong, by place and problem.
    """
    parts = tuple(enumerate((root, *(_inherited(nested, root) for nested in root.nested)), start=1))
    if status == INACTIVE and any(part.permits for _, part in parts):
        parts = tuple(each for each in parts if each[1].permits)  # they end; what was refused stays refused
    return [
        Meaning(number=number, place=part.place, keys={"state": state, "scopes": scopes, **_about(part, level, fault)})
        for number, part in parts
        if (state := _state(part, part is not root and root.permits, status, fault)) is not None
        and (scopes := _scopes(part, root, state, fault))
    ]


def _inherited(part: Part, root: Part) -> Part:
    """Return an exception with what it takes from the root; only a permit ends with the root's period."""
    whole = replace(part, codes=part.codes or root.codes, targets=part.targets or root.targets)
    return replace(whole, start=part.start or root.start, end=part.end or root.end) if part.permits else whole


def _state(part: Part, within_permit: bool, status: str, fault: Fault) -> str | None:
    if part.permits and within_permit:
        fault(f"{part.place}.type", "must be deny: a permit within a permit says nothing, or too much")
        return None
    state = (_PERMIT_STATES if part.permits else _DENY_STATES).get(status)
    if state is None:
        fault(f"{part.place}.type", f"deny can't be kept with status {status}; send the decision as it stands now")
    return state


def _about(part: Part, level: object, fault: Fault) -> dict[str, object]:
    if not part.targets:
        return {"level": "PATIENT"}
    if level is None and not all(target.study for target in part.targets):
        fault(f"{part.place}.data", "must say type ImagingStudy, or give the level in our extension")
    return {"level": level or "STUDY", "targets": [target.uid for target in part.targets]}


def _scopes(part: Part, root: Part, state: str, fault: Fault) -> list[dict[str, object]]:
    if state in ("REFUSED", "ENTERED_IN_ERROR"):
        return [_refusal(purpose, part) for purpose in _refused(part, root, fault)]
    purposes = _permitted(part, fault)
    if state != "WITHDRAWN":
        _must_name_an_audience(purposes, part, fault)
    return [_permit(purpose, part) for purpose in purposes]


def _meant(part: Part, table: Mapping[Code, tuple[Purpose, ...]], fault: Fault) -> list[Purpose]:
    for number, code in enumerate(part.codes):
        if code not in table:
            place = f"{part.place}.purpose[{number}].code"
            fault(place, "is no purpose known here; see docs/fhir.md, or record this consent by hand")
    return list(dict.fromkeys(purpose for code in part.codes for purpose in table.get(code, ())))


def _permitted(part: Part, fault: Fault) -> list[Purpose]:
    purposes = _meant(part, PERMITTED_BY, fault)
    if not part.codes:
        fault(f"{part.place}.purpose", "is missing; a permit must name each purpose")
    elif not purposes and all(code in PERMITTED_BY for code in part.codes):
        fault(f"{part.place}.purpose", "names no single use of photographs; name each, such as TREAT or TRAIN")
    return purposes


def _refused(part: Part, root: Part, fault: Fault) -> list[Purpose]:
    purposes = _meant(part, REFUSED_BY, fault) if part.codes else list(Purpose)
    return [purpose for purpose in purposes if part is not root or purpose not in _excepted(root)]


def _excepted(root: Part) -> frozenset[Purpose]:
    """Return the purposes that a refusal's exceptions permit without any limit of their own."""
    plain = (nested for nested in root.nested if nested.permits and not nested.narrowed)
    return frozenset(purpose for nested in plain for code in nested.codes for purpose in PERMITTED_BY.get(code, ()))


def _refusal(purpose: Purpose, part: Part) -> dict[str, object]:
    everybody = [audience.value for audience in Audience]
    return {"purpose": purpose.value, "max_form": Form.ANONYMISED.value, "audience": everybody, **_days(part)}


def _must_name_an_audience(purposes: Sequence[Purpose], part: Part, fault: Fault) -> None:
    """Take nobody for the care team who isn't: only a permit for care that names no recipient at all is for it."""
    for purpose in purposes:
        if not any(each.audience for each in part.actors) and (part.actors or purpose not in CARE):
            problem = f"must name an audience of ours for {purpose}; without one nobody may receive"
            fault(f"{part.place}.actor", problem)


def _permit(purpose: Purpose, part: Part) -> dict[str, object]:
    form = Form.IDENTIFIABLE if purpose in CARE else Form.ANONYMISED
    audience = [actor.name for actor in part.actors if actor.audience]
    named = part.terms.get("named_recipients")
    recipients = [
        *(named if isinstance(named, list) else []),
        *(each.name for each in part.actors if not each.audience),
    ]
    terms = {key: value for key, value in part.terms.items() if key != "purpose_group"}
    return {
        "max_form": form.value,
        **terms,
        "purpose": purpose.value,
        "audience": audience or [Audience.CARE_TEAM.value],
        "named_recipients": recipients,
        **_days(part),
    }


def _days(part: Part) -> dict[str, object]:
    return {"valid_from": part.start, "valid_to": part.end}
