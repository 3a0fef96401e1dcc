"""Read a Consent's provisions as they stand, before anyone says what they mean.

Knows the elements of a provision in IHE PCF (Intermediate) and which of FHIR's are forbidden there. Must not know what
is agreed or refused by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.fhir.codes import AUDIENCE_SYSTEM, DICOM_UID, OID, RECIPIENT, Code
from orthanc_plugin.fhir.elements import LONGEST_URI, code_of, codings, objects, refuse, single
from orthanc_plugin.fhir.extensions import NARROWING, PLAIN, read

NOT_IN_PCF: Final = "is not allowed by IHE PCF; the purpose says it, leave this out"
FORBIDDEN: Final = {
    "action": NOT_IN_PCF,
    "class": NOT_IN_PCF,
    "code": NOT_IN_PCF,
    "securityLabel": "can't be kept: labels are not matched here; name the images in data instead",
    "dataPeriod": "can't be kept: times of authorship are not matched here; name the images in data instead",
}
_TYPES: Final = {"permit": True, "deny": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A recipient: a word of our audiences, or whatever else names one."""

    audience: bool
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object that the provision is about; ``study``: it is said to be a study."""

    uid: str
    study: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A provision. ``place`` is where it stands; ``terms`` are our extensions by the record's field names."""

    place: str
    permits: bool
    codes: tuple[Code, ...]
    actors: tuple[Actor, ...]
    start: object
    end: object
    targets: tuple[Target, ...]
    terms: dict[str, object]
    nested: tuple[Part, ...] = ()

    @property
    def narrowed(self) -> bool:
        """Tell whether it is about some recipients, images or days only."""
        return bool(self.actors or self.targets or self.start or self.end or self.terms)


def read_provision(holder: Fields, *, root: bool = True) -> Part:
    """Read one provision and, at the root, the exceptions to it."""
    refuse(holder, FORBIDDEN)
    holder.take("id")
    start, end = _period(holder)
    part = Part(
        place=holder.place,
        permits=_permits(holder),
        codes=tuple(code_of(each) for each in objects(holder, "purpose")),
        actors=tuple(_actor(each) for each in objects(holder, "actor")),
        start=start,
        end=end,
        targets=tuple(_target(each) for each in objects(holder, "data")),
        terms={**read(holder, "extension", PLAIN), **read(holder, "modifierExtension", NARROWING)},
        nested=_nested(holder, root=root),
    )
    holder.refuse_unknown()
    return part


def _nested(holder: Fields, *, root: bool) -> tuple[Part, ...]:
    if root:
        return tuple(read_provision(each, root=False) for each in objects(holder, "provision"))
    refuse(
        holder, {"provision": "must not be nested twice (IHE PCF); write the exceptions to the root, one level deep"}
    )
    return ()


def _permits(holder: Fields) -> bool:
    said = holder.text("type")
    if said not in _TYPES:
        holder.fault("type", "must be permit or deny")
    return _TYPES.get(said or "", False)


def _period(holder: Fields) -> tuple[object, object]:
    period = single(holder, "period", "")
    if period is None:
        return None, None
    start, end = period.day("start"), period.day("end")
    period.refuse_unknown()
    return (start and start.isoformat(), end and end.isoformat())


def _actor(holder: Fields) -> Actor:
    holder.take("id")
    role = single(holder, "role", "give the code IRCP")
    if role is not None and RECIPIENT not in codings(role):
        role.fault("coding", "must be IRCP of v3-ParticipationType (IHE PCF)")
    reference = single(holder, "reference", "say who may receive")
    holder.refuse_unknown()
    if reference is None:
        return Actor(audience=False, name="")
    system, value = identifier(reference)
    literal = reference.text("reference", LONGEST_URI)
    if not (value or literal):
        reference.fault("identifier", "is missing; give the recipient's identifier, a display is not enough")
    reference.refuse_unknown()
    return Actor(audience=system == AUDIENCE_SYSTEM, name=value or literal or "")


def identifier(reference: Fields) -> tuple[str, str]:
    """Return the system and the value of a logical reference, empty where it has none."""
    for name in ("type", "display"):
        reference.text(name, LONGEST_URI)
    inner = single(reference, "identifier", "")
    if inner is None:
        return "", ""
    for name in ("use", "type", "period", "assigner"):
        inner.take(name)
    found = inner.text("system", LONGEST_URI) or "", inner.text("value", LONGEST_URI) or ""
    inner.refuse_unknown()
    return found


def _target(holder: Fields) -> Target:
    holder.take("id")
    if holder.text("meaning") != "instance":
        holder.fault("meaning", "must be instance: what is related or authored by someone is not matched here")
    reference = single(holder, "reference", "say which images")
    holder.refuse_unknown()
    if reference is None:
        return Target(uid="", study=False)
    study = reference.text("type", LONGEST_URI) == "ImagingStudy"
    system, value = identifier(reference)
    literal = reference.text("reference", LONGEST_URI) or ""
    reference.refuse_unknown()
    uid = value.removeprefix(OID)
    if system != DICOM_UID or uid == value:
        reference.fault("identifier", f"must have the system {DICOM_UID} and a value of {OID} and the DICOM UID")
    return Target(uid=uid, study=study or literal.startswith("ImagingStudy/"))
