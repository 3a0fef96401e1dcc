"""policy.toml: who may see what, for what, in which form. Owned by the data protection officer.

Knows bindings of DICOM nodes and users to purposes, and the anonymisation profiles. Never overridden by the
environment; its SHA-256 is in every entry of the audit trail.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from dicomwrap.terms import FORBIDDEN_AUDIENCES, Form
from orthanc_plugin.config.bindings import STRICT, Binding, Destination, DicomNode, Name, Role, User
from orthanc_plugin.config.disposition import Disposition, disposition_faults, signing_faults
from orthanc_plugin.config.forms import ConsentForm, form_faults
from orthanc_plugin.config.linkage import Linkage
from orthanc_plugin.config.load import parsed, read_toml, validated
from orthanc_plugin.config.places import place_faults
from orthanc_plugin.config.profiles import SHIPPED, ProfileChoice, Resolved, profile_faults, resolved
from orthanc_plugin.config.recallterms import RecallTerms
from orthanc_plugin.config.recipients import (
    Exports,
    Recipient,
    destination_faults,
    export_faults,
    receiving,
    recipient_faults,
)
from orthanc_plugin.config.reviewing import Reviewing
from orthanc_plugin.config.routes import RouteChoice, route_faults
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.policy.devices import NEVER, DeviceClass, ImageClass
from orthanc_plugin.policy.law import CLINICIANS
from orthanc_plugin.policy.model import SecondaryUseRule, Switches
from orthanc_plugin.policy.persons import everything
from orthanc_plugin.policy.routing import Route

MOST_MINUTES: Final = 240  # of emergency access
LONGEST_WINDOW: Final = 7 * 24 * 60  # minutes: a week to answer
LONGEST_DELAY: Final = 10 * 366 * 24  # hours: ten years, for a backlog
LONGEST_IMMEDIATE: Final = 24 * 60  # minutes
ASKING: Final = frozenset({Role.REQUEST_EXPORT, Role.REJECT})  # of a node the same words
STATE_DEVICES: Final = 'Write personal_device = "reject" (or "allow_with_reason") under [intake] in policy.toml.'


@unique
class ConsentReference(StrEnum):
    """What a photograph must bring to be filed: its own consent reference, or a patient whose consent is on record."""

    REQUIRED = "required"
    PATIENT = "patient"


@unique
class PersonalDevice(StrEnum):
    """What becomes of pictures taken with somebody's own device (requirements 001-12, 002-44a)."""

    REJECT = "reject"
    ALLOW_WITH_REASON = "allow_with_reason"


@unique
class Admission(StrEnum):
    """Whose pictures are filed: anybody's, or only those of whom and what is on the register (000-19b)."""

    ANY = "any"
    REGISTERED = "registered"


@unique
class BeforeFiling(StrEnum):
    """Which photographs wait for the patient's approval before they are filed (requirements 003-98c)."""

    NEVER = "never"
    INTIMATE = "intimate"
    EVERY = "every"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The hospital's switches."""

    __pydantic_config__ = STRICT
    anonymised_secondary_use_of_care_photographs: SecondaryUseRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What a photograph must bring. ``default_issuer`` is taken when an object names no issuer of its patient ID.

    ``personal_device`` has no default: the hospital has to say (requirements 002-44a). ``immediate_upload_minutes`` is
    how soon an unencrypted device must have sent (000-21b); ``image_classes`` what each class of device may take
    (002-44b), anything where it says nothing, but nothing intimate by personal devices.
    """

    __pydantic_config__ = STRICT
    personal_device: PersonalDevice
    consent_reference: ConsentReference = ConsentReference.REQUIRED
    default_issuer: str = ""
    operators: Admission = Admission.ANY
    devices: Admission = Admission.ANY
    max_transfer_delay_hours: Annotated[int, Field(strict=True, ge=1, le=LONGEST_DELAY)] = 24
    immediate_upload_minutes: Annotated[int, Field(strict=True, ge=1, le=LONGEST_IMMEDIATE)] = 60
    image_classes: dict[DeviceClass, frozenset[ImageClass]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """Emergency access: how long one grant lasts unless less is asked for, and at most."""

    __pydantic_config__ = STRICT
    minutes: Annotated[int, Field(strict=True, ge=1, le=MOST_MINUTES)] = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The patient's approval before filing, and how long it is waited for."""

    __pydantic_config__ = STRICT
    before_filing: BeforeFiling = BeforeFiling.NEVER
    window_minutes: Annotated[int, Field(strict=True, ge=1, le=LONGEST_WINDOW)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole file, and the SHA-256 of its bytes."""

    __pydantic_config__ = STRICT
    decisions: Decisions
    intake: Intake
    break_glass: BreakGlass = field(default_factory=BreakGlass)
    approval: Approval = field(default_factory=Approval)
    review: Reviewing = field(default_factory=Reviewing)
    linkage: Linkage = field(default_factory=Linkage)
    disposition: Disposition = field(default_factory=Disposition)
    recall: RecallTerms = field(default_factory=RecallTerms)
    pseudonym_keys: dict[Name, Name] = field(default_factory=dict)
    dicom_nodes: tuple[DicomNode, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    exports: Exports = field(default_factory=Exports)
    routed: Annotated[tuple[RouteChoice, ...], Field(validation_alias="routes")] = ()
    users: tuple[User, ...] = ()
    profiles: dict[str, ProfileChoice] = field(default_factory=dict)
    forms: dict[Name, ConsentForm] = field(default_factory=dict)
    sha256: str = ""

    @property
    def switches(self) -> Switches:
        """Return the hospital's switches as the decision takes them."""
        chosen = self.decisions.anonymised_secondary_use_of_care_photographs
        return Switches(anonymised_secondary_use_of_care_photographs=chosen)

    def node(self, aet: str) -> DicomNode | None:
        """Return the node with this AE title; case counts."""
        return next((node for node in self.dicom_nodes if node.aet == aet.strip()), None)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """Return everything that is bound to a purpose, a user once for each."""
        return (*self.dicom_nodes, *self.recipients, *(use for user in self.users for use in user.uses()))

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Return everything that pictures may be sent to."""
        return (*receiving(self.dicom_nodes), *self.recipients)

    def recipient(self, name: str) -> Destination | None:
        """Return the node or recipient of this name that pictures may be sent to."""
        return next((each for each in self.destinations if each.name == name), None)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Return the routes as the policy takes them."""
        return tuple(each.route for each in self.routed)

    def profile(self, name: str) -> Resolved | None:
        """Return the profile of this name, with everything it extends; those that are shipped needn't be defined."""
        return resolved(name, self.profiles)

    def user(self, name: str) -> User | None:
        """Return the user with this name."""
        return next((user for user in self.users if user.name == name), None)

    def one_person(self, one: str, other: str) -> bool:
        """Tell whether two names may be one person's: however they are spelled, or two accounts of one person."""
        return not self._names(one).isdisjoint(self._names(other))

    def _names(self, name: str) -> frozenset[str]:
        """Return how all names of whoever bears this one may be read, through however many of their accounts."""
        users = ((user.name, user.person) for user in self.users if user.person)
        officers = ((each.person, *each.accounts) for each in self.disposition.officers)
        return everything(name, (*users, *officers))


def _repeated(values: Iterable[str], what: str) -> Iterator[str]:
    yield from (f"{what} {value!r} is there {count} times" for value, count in Counter(values).items() if count > 1)


def _binding_faults(policy: Policy) -> Iterator[str]:
    for binding in policy.bindings:
        if binding.audience in FORBIDDEN_AUDIENCES:
            yield f"{binding.name}: audience {binding.audience} may never receive"
        if binding.form is Form.ANONYMISED and binding.profile is None:
            yield f"{binding.name}: form ANONYMISED needs a profile"
        if binding.profile is not None and policy.profile(binding.profile) is None:
            known = ", ".join(sorted({*SHIPPED, *policy.profiles}))
            yield f"{binding.name}: profile {binding.profile!r} is not defined (defined: {known})"


def _use_faults(policy: Policy) -> Iterator[str]:
    """Say where a purpose would not tell which use is meant."""
    for user in policy.users:
        yield from (f"{user.name}: {each}" for each in _repeated((use.purpose.value for use in user.uses()), "purpose"))


def _sending_faults(policy: Policy) -> Iterator[str]:
    """Say whose word on what they send could never count, because they may send nothing."""
    for user in policy.users:
        if user.patient_supplied and all(Role.STORE not in use.roles for use in user.uses()):
            yield f"{user.name}: patient_supplied needs the role store beside it"
    for name, may in (*((each.name, each.may) for each in policy.dicom_nodes), *_roles(policy)):
        asked = () if Role.STORE in may else sorted(ASKING & may)
        yield from (f"{name}: {word} needs store beside it: a key object asks by being stored" for word in asked)


def _roles(policy: Policy) -> Iterator[tuple[str, frozenset[Role]]]:
    """Give each user with the roles of all of its uses: what it sends comes for none of them."""
    yield from ((user.name, frozenset().union(*(use.roles for use in user.uses()))) for user in policy.users)


def _device_faults(policy: Policy) -> Iterator[str]:
    for device_class, allowed in policy.intake.image_classes.items():
        for each in sorted(allowed):
            if (device_class, each) in NEVER:
                yield f"intake.image_classes: {each} may never be taken with a {device_class} device"


def _break_glass_faults(policy: Policy) -> Iterator[str]:
    """Say whose emergency access could never work: R7 opens pictures to clinicians, and the door asks for 'view'."""
    for use in (use for user in policy.users for use in user.uses()):
        if Role.BREAK_GLASS in use.roles and use.audience not in CLINICIANS:
            yield f"{use.name}: role break-glass is for clinicians, not for audience {use.audience}"
        if Role.BREAK_GLASS in use.roles and Role.VIEW not in use.roles:
            yield f"{use.name}: role break-glass needs the role view beside it"


def _names(policy: Policy) -> tuple[str, ...]:
    return tuple(each.name for each in (*policy.dicom_nodes, *policy.recipients, *policy.users))


def faults(policy: Policy) -> tuple[str, ...]:
    """Return what is wrong across the parts of ``policy``."""
    return (
        *_repeated((node.aet for node in policy.dicom_nodes), "AE title"),
        *_repeated(_names(policy), "name"),
        *_repeated((each.name for each in policy.routed), "route"),
        *profile_faults(policy.profiles, policy.pseudonym_keys),
        *_binding_faults(policy),
        *_use_faults(policy),
        *_break_glass_faults(policy),
        *_device_faults(policy),
        *_sending_faults(policy),
        *form_faults(policy.forms),
        *disposition_faults(policy.disposition),
        *place_faults(policy.disposition.places, exports=policy.exports.allowed, taken=_names(policy)),
        *signing_faults(policy.disposition, policy.one_person),
        *destination_faults(policy.destinations),
        *recipient_faults(policy.recipients, policy.exports),
        *export_faults(policy.exports, policy.one_person),
        *route_faults(policy.routed, policy.recipient),
    )


def load_policy(path: Path) -> Policy:
    """Return the policy at ``path``.

    Raises:
        ConfigurationError: with every fault and its place.
    """
    values, raw = read_toml(path)
    return _checked(values, raw, path.name)


def read_policy(text: str, name: str) -> Policy:
    """Return the policy of a file's text, such as one that was activated.

    Raises:
        ConfigurationError: with every fault and its place.
    """
    raw = text.encode()
    return _checked(parsed(raw, name), raw, name)


def _checked(values: dict[str, object], raw: bytes, name: str) -> Policy:
    if "sha256" in values:
        raise ConfigurationError(f"{name} has 1 fault(s).", problems=(f"{name}: sha256: unknown key",))
    policy = _policy({"intake": {}, **values, "sha256": hashlib.sha256(raw).hexdigest()}, name)
    if problems := faults(policy):
        raise ConfigurationError(
            f"{name} has {len(problems)} fault(s).", problems=tuple(f"{name}: {each}" for each in problems)
        )
    return policy


def _policy(values: dict[str, object], name: str) -> Policy:
    try:
        return validated(Policy, values, name)
    except ConfigurationError as error:
        if any(problem.startswith(f"{name}: intake.personal_device") for problem in error.problems):
            error.remedy = f"{STATE_DEVICES} {error.remedy}"
        raise
