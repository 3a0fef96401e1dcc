"""Anonymisation profiles: those we ship, and what a policy.toml makes of them.

Knows the names of PS3.15's options and of attributes. Must not know what happens to an attribute: that is ``deid``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Annotated, Final

from pydantic import ConfigDict, StringConstraints
from pydicom.datadict import tag_for_keyword

from dicomwrap.confidentiality import Action, Option, PixelDuty

STRICT = ConfigDict(extra="forbid")
Domain = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]


@unique
class Override(StrEnum):
    """What a policy may say of one attribute."""

    D = "D"
    Z = "Z"
    X = "X"
    K = "K"
    U = "U"


# Nothing called anonymised keeps these, whatever a policy says: who it is, where it was, whose camera it was.
NEVER_KEPT: Final = frozenset({
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthName",
    "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers", "PatientMotherBirthName", "CameraOwnerName",
    "EncapsulatedDocument", "IssuerOfPatientID", "MakerNote",
})  # fmt: skip
PLACES: Final = range(0x00160070, 0x0016008F)
# The object's own identity and its picture have rules of their own.
FIXED: Final = frozenset({"PixelData", "SOPClassUID", "SOPInstanceUID", "SpecificCharacterSet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChoice:
    """An anonymisation profile: recipients that share a pseudonym domain can link a patient's pictures.

    Attributes:
        pseudonym_domain: never inherited: whoever extends a profile says who may link.
        extends: a profile whose options, overrides and pixel duty hold where this one says nothing.
        options: of PS3.15; in place of those of the profile it extends.
        overrides: action by keyword; added to those of the profile it extends.
        pixels: what must have happened to the picture.
        custodians: who can re-identify a copy, by the names that settings.toml gives their certificates.
        retain_safe_private: the option Retain Safe Private, as policies before 0.2 say it.
    """

    __pydantic_config__ = STRICT
    pseudonym_domain: Domain
    extends: str | None = None
    options: frozenset[Option] | None = None
    overrides: dict[str, Override] = field(default_factory=dict)
    pixels: PixelDuty | None = None
    custodians: tuple[Domain, ...] | None = None
    retain_safe_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A profile with everything it extends in it."""

    pseudonym_domain: str
    options: frozenset[Option]
    overrides: tuple[tuple[str, Action], ...]
    pixels: PixelDuty
    custodians: tuple[str, ...] = ()


_PICTURE: Final = (Option.CLEAN_PIXEL_DATA, Option.CLEAN_VISUAL_FEATURES)
_CLEAN: Final = (*_PICTURE, Option.CLEAN_DESCRIPTORS)


def _shipped(name: str, *options: Option, overrides: Mapping[str, Override] | None = None) -> ProfileChoice:
    return ProfileChoice(pseudonym_domain=name, options=frozenset(options), overrides=dict(overrides or {}))


SHIPPED: Final[dict[str, ProfileChoice]] = {
    # a colleague judges the case: age and sex, and how it changed over time, but neither who nor when
    "second-opinion": _shipped(
        "second-opinion", *_CLEAN, Option.RETAIN_MODIFIED_DATES, Option.RETAIN_PATIENT_CHARACTERISTICS
    ),
    "teaching": _shipped("teaching", *_CLEAN, Option.RETAIN_SAFE_PRIVATE),
    "research-longitudinal": _shipped(
        "research-longitudinal",
        *_CLEAN,
        Option.RETAIN_MODIFIED_DATES,
        Option.RETAIN_PATIENT_CHARACTERISTICS,
        Option.RETAIN_SAFE_PRIVATE,
    ),
    "publication": _shipped("publication", *_CLEAN),
    # the picture and nothing about it: not even where on the body it is
    "minimum": _shipped(
        "minimum",
        *_CLEAN,
        Option.CLEAN_GRAPHICS,
        Option.CLEAN_STRUCTURED_CONTENT,
        overrides={"AnatomicRegionSequence": Override.X, "PatientOrientation": Override.Z, "SeriesNumber": Override.Z},
    ),
}


def resolved(name: str, profiles: Mapping[str, ProfileChoice]) -> Resolved | None:
    """Return a profile of ``profiles``, or one that is shipped; None when there is none of that name."""
    known = {**SHIPPED, **profiles}
    if name not in known:
        return None
    chain = [known[each] for each in _chain(name, known)]
    options = next((choice.options for choice in chain if choice.options is not None), frozenset[Option]())
    overrides = {key: Action(each) for choice in reversed(chain) for key, each in choice.overrides.items()}
    safe = {Option.RETAIN_SAFE_PRIVATE} if any(choice.retain_safe_private for choice in chain) else set()
    return Resolved(
        pseudonym_domain=chain[0].pseudonym_domain,
        options=options | safe,
        overrides=tuple(sorted(overrides.items())),
        pixels=next((choice.pixels for choice in chain if choice.pixels is not None), PixelDuty.CONFIRMED),
        custodians=next((choice.custodians for choice in chain if choice.custodians is not None), ()),
    )


def _chain(name: str, known: Mapping[str, ProfileChoice]) -> Iterator[str]:
    """Yield the profile and what it extends, each once."""
    seen: set[str] = set()
    at: str | None = name
    while at is not None and at in known and at not in seen:
        seen.add(at)
        yield at
        at = known[at].extends


def domains(profiles: Mapping[str, ProfileChoice]) -> frozenset[str]:
    """Return every pseudonym domain, of the shipped profiles too."""
    return frozenset(choice.pseudonym_domain for choice in {**SHIPPED, **profiles}.values())


def profile_faults(profiles: Mapping[str, ProfileChoice], keys: Iterable[str]) -> Iterator[str]:
    """Say what is wrong with the profiles of a policy, and with the pseudonym domains that it names ``keys`` for."""
    known = {**SHIPPED, **profiles}
    named = domains(profiles)
    yield from (f"pseudonym_keys: no profile has the pseudonym domain {each!r}" for each in keys if each not in named)
    for name, choice in profiles.items():
        place = f"profiles.{name}"
        if choice.extends is not None and choice.extends not in known:
            yield f"{place}: extends {choice.extends!r}, which is not defined (defined: {', '.join(sorted(known))})"
        elif _goes_round(name, known):
            yield f"{place}: extends itself, directly or by way of others"
        found = resolved(name, profiles)
        if len(set(choice.custodians or ())) < len(choice.custodians or ()):
            yield f"{place}: a custodian is there more than once"
        if found and {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= found.options:
            yield f"{place}: dates can't both be kept and be shifted; name one of the two options"
        for keyword, action in choice.overrides.items():
            yield from (f"{place}.overrides: {fault}" for fault in _override_faults(keyword, action))


def _goes_round(name: str, known: Mapping[str, ProfileChoice]) -> bool:
    last = list(_chain(name, known))[-1]
    return known[last].extends is not None


def _override_faults(keyword: str, action: Override) -> Iterator[str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        yield f"{keyword!r} is no keyword of an attribute"
    elif keyword in FIXED:
        yield f"{keyword} has a rule of its own that no profile changes"
    elif action is Override.K and (keyword in NEVER_KEPT or tag in PLACES):
        yield f"{keyword} is never kept in a copy that is called anonymised"
