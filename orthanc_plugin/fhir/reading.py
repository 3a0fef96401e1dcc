"""Read a FHIR R4 Consent as the records it comes to.

Knows how ours differ from others': a resource that our extension ``state`` marks is read back exactly, and refused
when its plain elements say anything else; every other one is read as narrowly as it can be meant. Must not know the
registry. Whether the values are good is for ``consentfile`` to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dicomwrap.consentfields import Fields
from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.errors import ConsentFileError
from orthanc_plugin.fhir.codes import BY_CODE
from orthanc_plugin.fhir.consent import STATUS, provision
from orthanc_plugin.fhir.elements import FhirError
from orthanc_plugin.fhir.extensions import url
from orthanc_plugin.fhir.foreign import meanings
from orthanc_plugin.fhir.heading import Reading, read_heading
from orthanc_plugin.fhir.provisions import Part

# Where the keys of a consent file stand in the resource; all others stand in extensions of ours.
_PLACES: Final = {
    "id": "Consent.identifier",
    "version": "Consent.meta.versionId",
    "patient_id": "Consent.patient.identifier.value",
    "issuer": "Consent.patient.identifier.system",
    "decided_on": "Consent.dateTime",
    "targets": "Consent.provision.data",
}
_SCOPE_PLACES: Final = {
    "purpose": "purpose",
    "audience": "actor",
    "valid_from": "period.start",
    "valid_to": "period.end",
}
_AT: Final = re.compile(r"(?P<key>\w+)(?:\[(?P<number>\d+)\])?(?:\.(?P<inner>\w+))?")


def from_fhir(resource: object) -> tuple[ConsentRecord, ...]:
    """Return the records that a Consent comes to: one, or several when it both permits and refuses.

    Raises:
        FhirError: with everything that is wrong, each with its place.
    """
    problems: list[str] = []
    found = read_heading(Fields(resource, "Consent", problems))
    records: tuple[ConsentRecord, ...] = ()
    if found is not None and not problems:
        own = isinstance(resource, dict) and "state" in found.details
        records = _own(found, resource, problems) if own else _foreign(found, problems)
    if problems:
        raise FhirError("The FHIR Consent can't be read.", problems=tuple(problems))
    return records


def _own(found: Reading, resource: object, problems: list[str]) -> tuple[ConsentRecord, ...]:
    scopes, places = [], []
    for part in found.root.nested or (found.root,):
        for purpose in _words(part, problems):
            scopes.append({**_terms(part), "purpose": purpose})
            places.append(part.place)
    targets = [target.uid for target in found.root.targets]
    record = _record({**_told(found), "targets": targets, "scopes": scopes}, places, problems)
    if record is None or not isinstance(resource, dict):
        return ()
    for element, expected in (("status", STATUS[record.state]), ("provision", provision(record))):
        if resource.get(element) != expected:
            problems.append(f"Consent.{element}: contradicts our extensions; change both, or leave out all of ours")
    return (record,)


def _words(part: Part, problems: list[str]) -> list[str]:
    if "purpose_group" in part.terms:
        return [str(part.terms["purpose_group"])]
    for number, code in enumerate(part.codes):
        if code not in BY_CODE:
            problems.append(f"{part.place}.purpose[{number}].code: is no purpose known here; see docs/fhir.md")
    return [BY_CODE[code].value for code in part.codes if code in BY_CODE]


def _terms(part: Part) -> dict[str, object]:
    terms = {key: value for key, value in part.terms.items() if key != "purpose_group"}
    audience = [actor.name for actor in part.actors]
    return {**terms, "audience": audience, "valid_from": part.start, "valid_to": part.end}


def _told(found: Reading) -> dict[str, object]:
    return {**found.keys, **{key: value for key, value in found.details.items() if key != "recorded_by"}}


def _foreign(found: Reading, problems: list[str]) -> tuple[ConsentRecord, ...]:
    def fault(place: str, problem: str) -> None:
        problems.append(f"{place}: {problem}")

    told = _told(found)
    records: list[ConsentRecord] = []
    for meaning in meanings(found.root, found.status, found.details.get("level"), fault):
        withdrawn = _withdrawn(found, fault) if meaning.keys["state"] == "WITHDRAWN" else {}
        own_id = {"id": f"{told['id']}#{meaning.number}"} if meaning.number > 1 else {}
        scopes = meaning.keys["scopes"]
        places = [meaning.place] * (len(scopes) if isinstance(scopes, list) else 0)
        record = _record({**withdrawn, **told, **own_id, **meaning.keys}, places, problems)
        records.extend([record] if record else [])
    if not records and not problems:
        fault("Consent.provision", "says nothing about a use of photographs")
    return tuple(records)


def _withdrawn(found: Reading, fault: Callable[[str, str], None]) -> dict[str, object]:
    if "withdrawn" in found.details:
        return {}
    if found.changed_on is None and "withdrawn_on" not in found.details:
        fault("Consent.meta.lastUpdated", "is missing; say when the consent ended")
    return {"withdrawn_on": found.changed_on}


def _record(keys: Mapping[str, object], places: Sequence[str], problems: list[str]) -> ConsentRecord | None:
    if problems:
        return None
    try:
        return read_consent(json.dumps(keys))
    except ConsentFileError as error:
        problems.extend(_placed(problem, places) for problem in error.problems)
        return None


def _placed(problem: str, places: Sequence[str]) -> str:
    """Turn the place in a consent file into the place in the resource."""
    place, _, said = problem.partition(": ")
    found = _AT.match(place)
    if found is None or not said:
        return f"Consent: {problem}"
    key, number, inner = found["key"], found["number"], found["inner"]
    if key == "scopes" and number is not None and int(number) < len(places):
        where = places[int(number)] + (f".{_SCOPE_PLACES.get(inner, _extension(inner))}" if inner else "")
    else:
        where = _PLACES.get(key) or f"Consent.{_extension(key)}" + (f".{inner}" if inner else "")
    return f"{where}: {said}"


def _extension(key: str) -> str:
    return f"extension('{url(key)}')"
