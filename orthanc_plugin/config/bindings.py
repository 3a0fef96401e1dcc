"""Who is bound to what: DICOM nodes and users, and what each may see or do.

Knows the bindings of policy.toml, one by one. Must not know the rest of the file, nor decide.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum, unique
from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from dicomwrap.terms import Audience, Form, Purpose

STRICT = ConfigDict(extra="forbid")
AETitle = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,16}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
Words = Annotated[str, StringConstraints(max_length=256, strip_whitespace=True)]


@unique
class Role(StrEnum):
    """What a signed-in user may ask for at all, before consent is asked."""

    VIEW = "view"
    LIST = "list"
    STORE = "store"
    ADMIN = "admin"
    BREAK_GLASS = "break-glass"
    CONSENT = "consent"
    TASKS = "tasks"
    SEND = "send"
    REVIEW = "review"
    REQUEST_EXPORT = "request-export"
    REJECT = "reject"
    FACTS = "facts"


@unique
class Verb(StrEnum):
    """What a DICOM node may do."""

    STORE = "store"
    MOVE = "move"
    RECEIVE = "receive"
    FIND = "find"
    REQUEST_EXPORT = "request-export"
    REJECT = "reject"


@unique
class SignsIn(StrEnum):
    """How a user signs in: with a password that Orthanc verifies, or at the identity provider behind the proxy."""

    ORTHANC = "orthanc"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A purpose, with the audience and the form that go with it.

    ``may_view_intimate``: one of the named roles that intimate pictures are shown to (requirements 003-62a).
    """

    purpose: Purpose
    audience: Audience
    form: Form = Form.IDENTIFIABLE
    profile: str | None = None
    secure_channel: bool = False
    may_view_intimate: bool = False

    @property
    def secured(self) -> bool:
        """Tell whether whatever reaches it comes by a secure channel: somebody says so, or nothing else reaches it."""
        return self.secure_channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Use):
    """The use that a node or a user is bound to by name."""

    name: Name


@unique
class Recall(StrEnum):
    """How what a recipient holds is called back: a rejection note, a deletion by us, or a letter to its owner."""

    KOS = "kos"
    DELETE = "delete"
    LETTER = "letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Binding):
    """Where pictures are sent to.

    Attributes:
        owner: who answers for it (requirements 001-8).
        expires: the last day on which anything may leave to it; None when nobody set one.
        recall: how what it holds is called back.
        letter_to: whom a letter of recall goes to.
        tls_required: nothing leaves but by TLS (requirements 001-19a).
    """

    owner: Words = ""
    expires: date | None = None
    recall: Recall = Recall.LETTER
    letter_to: Words = ""
    tls_required: bool = False

    @property
    def secured(self) -> bool:
        """Tell whether it is called secure, or sent to by TLS alone."""
        return self.needs_tls

    @property
    def needs_tls(self) -> bool:
        """Tell whether policy demands TLS: outright, or because it calls the channel secure."""
        return self.tls_required or self.secure_channel

    def expired(self, today: date) -> bool:
        """Tell whether nothing may leave to it any more."""
        return self.expires is not None and today > self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomNode(Destination):
    """A DICOM node, known by AE title and host together.

    ``commitment``: it is asked whether it vouches for what the courier sent it (PS3.4 annex J).
    """

    __pydantic_config__ = STRICT
    aet: AETitle
    host: Annotated[str, StringConstraints(min_length=1)]
    may: frozenset[Verb]
    recall: Recall = Recall.KOS
    commitment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherUse(Use):
    """Another use of the same user, with roles of its own: nothing of one use is lent to another."""

    __pydantic_config__ = STRICT
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Binding):
    """A user of the HTTP doors; Orthanc has verified the password (RegisteredUsers), or a trusted proxy the person.

    A request may choose one of the uses in ``also`` by naming its purpose; one that names none has the user's own. Who
    calls themselves like a system at the identity provider isn't that system: each signs in one way only.
    ``patient_supplied``: what it sends may say that the patient supplied it (requirements 003-61). ``person``: whose
    account it is, where somebody has several or is known by another name.
    """

    __pydantic_config__ = STRICT
    roles: frozenset[Role]
    also: tuple[OtherUse, ...] = ()
    signs_in: SignsIn = SignsIn.ORTHANC
    patient_supplied: bool = False
    person: str = ""

    def uses(self) -> tuple[User, ...]:
        """Return the user as bound to each purpose, its own first."""
        if not self.also:
            return (self,)
        own = replace(self, also=())
        others = ({each.name: getattr(other, each.name) for each in fields(OtherUse)} for other in self.also)
        return (own, *(replace(own, **other) for other in others))
