"""What a new policy.toml changes, in sentences that a data protection officer can sign.

Knows the parts of a policy and how they are told. Must not know what is decided under them (``consentgate policy
replay`` asks that).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Final

from orthanc_plugin.config.bindings import Binding, Destination, DicomNode, SignsIn, User
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.config.profiles import ProfileChoice
from orthanc_plugin.config.recipients import Recipient
from orthanc_plugin.config.routes import RouteChoice

# Told by their own words below, or by nothing: the digest differs whenever anything does.
NAMED: Final = frozenset({"dicom_nodes", "recipients", "routed", "users", "profiles", "sha256"})
EMPTY: Final = "nothing"


def differences(old: Policy, new: Policy) -> tuple[str, ...]:
    """Return what is different in ``new``, each difference one sentence; none when only words or comments changed."""
    return (
        *_parts("", {field.name: getattr(old, field.name) for field in fields(Policy) if field.name not in NAMED}, new),
        *_named("node", _by_name(old.dicom_nodes), _by_name(new.dicom_nodes)),
        *_named("recipient", _by_name(old.recipients), _by_name(new.recipients)),
        *_named("user", _by_name(old.users), _by_name(new.users)),
        *_named("route", _by_name(old.routed), _by_name(new.routed)),
        *_named("profile", old.profiles, new.profiles),
    )


def _by_name(bindings: Iterable[Binding | RouteChoice]) -> Mapping[str, object]:
    return {binding.name: binding for binding in bindings}


def _parts(place: str, old: Mapping[str, object], new: object) -> Iterator[str]:
    """Compare settings that are there exactly once."""
    for name, before in old.items():
        yield from _compared(f"{place}{name}", before, getattr(new, name))


def _compared(place: str, before: object, after: object) -> Iterator[str]:
    if before == after:
        return
    if is_dataclass(before) and type(before) is type(after):
        yield from _parts(f"{place}, ", {field.name: getattr(before, field.name) for field in fields(before)}, after)
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _named(place, before, after)
    else:
        yield f"{place}: was {told(before)}, becomes {told(after)}."


def _named(kind: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """Compare what each has a name of its own."""
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{kind} {name}: is taken away; it had {_summary(old[name])}."
        elif name not in old:
            yield f"{kind} {name}: is new; it has {_summary(new[name])}."
        else:
            yield from _compared(f"{kind} {name}", old[name], new[name])


def _summary(value: object) -> str:
    if isinstance(value, Binding):
        return f"{_where(value)}purpose {value.purpose}, audience {value.audience}, form {value.form}{_also(value)}"
    if is_dataclass(value):
        said = {field.name: getattr(value, field.name) for field in fields(value)}
        unsaid = isinstance(value, ProfileChoice)  # what it says nothing of is as in the profile that it extends
        return ", ".join(f"{name} {told(each)}" for name, each in said.items() if each or not unsaid)
    return told(value)


def _where(binding: Binding) -> str:
    """Tell where a destination is, and until when anything may leave to it."""
    if isinstance(binding, Recipient):
        place = f"{binding.kind} at {binding.url or binding.folder}, "
    else:
        place = f"AE title {binding.aet} at {binding.host}, " if isinstance(binding, DicomNode) else ""
    until = binding.expires if isinstance(binding, Destination) else None
    return place + (f"until {until}, " if until else "")


def _also(binding: Binding) -> str:
    """Tell what only a user can have."""
    if not isinstance(binding, User):
        return ""
    way = ", signs in at the proxy" if binding.signs_in is SignsIn.PROXY else ""
    believed = ", believed what patients supplied" if binding.patient_supplied else ""
    return f"{way}{believed}" + (f", also {told(binding.also)}" if binding.also else "")


def told(value: object) -> str:
    """Return a setting's value as words."""
    if value is None or value in ("", (), frozenset()):
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, frozenset | set):
        return ", ".join(sorted(told(each) for each in value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {told(each)}" for name, each in value.items())
    if isinstance(value, tuple | list):
        return ("; " if any(is_dataclass(each) for each in value) else ", ").join(told(each) for each in value)
    return _summary(value) if is_dataclass(value) else str(value)
