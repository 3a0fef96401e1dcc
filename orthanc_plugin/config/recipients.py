"""Recipients of pictures beside the DICOM nodes: STOW-RS servers, Orthanc peers and folders (``[[recipients]]``).

Knows what policy.toml says of one and what must be true of it before anything leaves. Must not know how it is sent to.
Whatever goes by HTTP goes by TLS, but to this machine itself. A folder is a medium that can be carried away: it is off
until two people have allowed exports (``[exports]``), who also answer for its encryption where it is called secure.

Sources: requirements 001-8 (owner, purposes and expiry of a destination), 001-19a and 003-77b (TLS with a pinned or
trust-issued certificate), 003-76 (export to media is off by default, and enabling it needs two people).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from ipaddress import ip_address
from pathlib import PurePath
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import StringConstraints

from orthanc_plugin.config.bindings import STRICT, Destination, DicomNode, Recall, Verb

OnePerson = Callable[[str, str], bool]
Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
Person = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
TWO: Final = 2


@unique
class Kind(StrEnum):
    """What a recipient is."""

    STOW = "stow"
    PEER = "peer"
    FOLDER = "folder"


BY_HTTP: Final = frozenset({Kind.STOW, Kind.PEER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(Destination):
    """A recipient that is no DICOM node. Files are named from where policy.toml is.

    Attributes:
        kind: what it is.
        url: of the STOW-RS service, or of the other Orthanc.
        folder: where the copies are written.
        ca: a PEM file of the certificates that its own must come from; those that the system trusts unless given.
        pin: the SHA-256 of its certificate (DER), in hexadecimal; then this one alone is believed.
        certificate: a PEM file that shows who we are.
        key: the PEM file of its key.
        account: who we are to it by HTTP.
        password_file: the file that has the account's password.
    """

    __pydantic_config__ = STRICT
    kind: Kind
    url: str = ""
    folder: str = ""
    ca: str = ""
    pin: Digest = ""
    certificate: str = ""
    key: str = ""
    account: str = ""
    password_file: str = ""

    @property
    def secured(self) -> bool:
        """Tell whether it is called secure, or sent to by TLS alone."""
        return self.needs_tls or self.url.startswith("https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """``[exports]``: whether anything may be written to a folder or a medium, and who allowed it."""

    __pydantic_config__ = STRICT
    allowed: bool = False
    approved_by: tuple[Person, ...] = ()


def export_faults(exports: Exports, one_person: OnePerson) -> Iterator[str]:
    """Say whether exports are allowed by fewer than two people."""
    named = exports.approved_by
    twice = any(one_person(one, other) for at, one in enumerate(named) for other in named[at + 1 :])
    if exports.allowed and (len(named) < TWO or twice):
        yield "exports.approved_by: allowing exports takes two different people; name both"


def recipient_faults(recipients: Iterable[Recipient], exports: Exports) -> Iterator[str]:
    """Say what is wrong with recipients, each by its name."""
    for each in recipients:
        yield from (f"{each.name}: {fault}" for fault in (*_faults(each), *_export_faults(each, exports)))


def destination_faults(destinations: Iterable[Destination]) -> Iterator[str]:
    """Say what is wrong with how copies are called back, of nodes and recipients alike."""
    for each in destinations:
        if each.recall is Recall.KOS and not (isinstance(each, DicomNode) or _kind(each) is Kind.STOW):
            yield f'{each.name}: recall = "kos" needs a DICOM node or a STOW-RS server'
        if each.recall is Recall.DELETE and _kind(each) is not Kind.PEER:
            yield f'{each.name}: recall = "delete" needs an Orthanc peer that is under our control'


def receiving(nodes: Iterable[DicomNode]) -> Iterator[DicomNode]:
    """Give the nodes that anything may leave to."""
    yield from (node for node in nodes if Verb.RECEIVE in node.may)


def _kind(destination: Destination) -> Kind | None:
    return destination.kind if isinstance(destination, Recipient) else None


def _faults(recipient: Recipient) -> Iterator[str]:
    if not recipient.owner:
        yield "owner is missing; somebody must answer for it"
    if recipient.kind in BY_HTTP:
        yield from _http_faults(recipient)
    elif not PurePath(recipient.folder).is_absolute():
        yield "folder is missing, or isn't a full path"
    if recipient.kind is Kind.FOLDER and recipient.tls_required:
        yield "a folder is not sent to, so tls_required can't be true of it"
    other = "folder" if recipient.kind in BY_HTTP else "url"
    if getattr(recipient, other):
        yield f"{other} is not for the kind {recipient.kind}"


def _http_faults(recipient: Recipient) -> Iterator[str]:
    try:
        parts = urlsplit(recipient.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not recipient.url.startswith(("http://", "https://")) or not host:
        yield "url is missing, or isn't one of http or https"
    elif parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        yield "url must have no account, query or fragment; name the account under account and password_file"
    elif parts.scheme == "http" and (recipient.needs_tls or not loopback(host)):
        yield "url must begin with https: pictures never cross a network in clear"
    elif parts.scheme == "http" and (recipient.ca or recipient.pin or recipient.certificate):
        yield "url must begin with https where ca, pin or certificate is given"
    if bool(recipient.certificate) != bool(recipient.key):
        yield "certificate and key belong together"
    if bool(recipient.account) != bool(recipient.password_file):
        yield "account and password_file belong together"


def _export_faults(recipient: Recipient, exports: Exports) -> Iterator[str]:
    if recipient.kind is Kind.FOLDER and not exports.allowed:
        yield "export to a folder is off; two people allow it under [exports] of policy.toml"


def loopback(host: str) -> bool:
    """Tell whether what goes to ``host`` stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
