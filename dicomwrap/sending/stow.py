"""Send objects by STOW-RS.

Knows the store transaction (PS3.18 section 10.5) as its user, one object a request, so that each has an answer of its
own. Must not know what becomes of the files. The photographs go straight to the address: no proxy, no redirection.
"""

from __future__ import annotations

import errno
import json
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from dicomwrap.durable import reason_of
from dicomwrap.errors import PeerError
from dicomwrap.sending.node import SECONDS
from dicomwrap.sending.parcel import Parcel
from dicomwrap.sending.storescu import Stored
from dicomwrap.sending.words import failure_words, http_words, status_words

_CHUNK: Final = 1 << 16
_REFERENCED, _FAILED = "00081199", "00081198"
_INSTANCE, _FAILURE, _WARNING = "00081155", "00081197", "00081196"
_OURSELVES: Final = ("127.0.0.1", "::1", "localhost")
_LARGEST_ANSWER: Final = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A STOW-RS service.

    Attributes:
        url: its base, such as ``https://pacs.example/dicom-web``; with or without ``/studies``.
        user: whom we log in as; "" for nobody.
        password: that user's.
        token: a bearer token, in place of a user.
        ca: certificates that the service's must come from; None trusts what the system trusts.
        seconds: how long to wait for each answer.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: Path | None = None
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise PeerError("The address of the STOW-RS service is none", _WRITE_IT_AS) from error
        if url.scheme not in ("http", "https") or not url.host or url.query or url.userinfo:
            raise PeerError("The address of the STOW-RS service is none", _WRITE_IT_AS)
        if url.scheme == "http" and url.host not in _OURSELVES and (self.user or self.token):
            raise PeerError("A password or token would be sent in the clear", "Give an address with https.")

    @property
    def target(self) -> str:
        """Where instances are posted."""
        base = self.url.rstrip("/")
        return base if base.endswith("/studies") else f"{base}/studies"


_WRITE_IT_AS: Final = "Write it as https://HOST/dicom-web, with the user in --stow-user."


def stow(parcels: Sequence[Parcel], service: Service) -> tuple[Stored, ...]:
    """Send objects, in their order; one that is refused doesn't stop the others.

    Raises:
        PeerError: the service can't be reached for the first one, or the certificates can't be used.
    """
    found: list[Stored] = []
    with _client(service) as client:
        for parcel in parcels:
            try:
                found.append(_posted(client, service, parcel))
            except httpx.TransportError as error:
                if not found:
                    raise PeerError(f"{service.url} can't be reached ({_why(error)})") from error
                found.append(Stored(parcel=parcel, stored=False, reason=f"no answer ({_why(error)})"))
    return tuple(found)


def answered(parcel: Parcel, status: int, body: bytes) -> Stored:
    """Judge an answer to one instance in a file."""
    stored, number, reason = outcome(parcel.sop_instance_uid, status, body)
    return Stored(parcel=parcel, stored=stored, status=number, reason=reason)


def outcome(uid: str, status: int, body: bytes) -> tuple[bool, int, str]:
    """Judge an answer to one instance by its HTTP status and its body in DICOM JSON (PS3.18 section 10.5.3).

    Returns:
        Whether it was stored, the status that says so, and in words what else was said.
    """
    referenced, failed = _outcomes(body)
    if uid in failed:
        reason = failed[uid]
        return False, reason or status, failure_words(reason)
    if status not in (200, 202):
        return False, status, http_words(status)
    if uid not in referenced:
        if status == 200:
            return True, status, "stored, but the answer doesn't list it"
        return False, status, "the answer doesn't say that it was stored"
    warning = referenced[uid]
    return True, status, status_words(warning) if warning else ""


def is_listed(uid: str, body: bytes) -> bool:
    """Tell whether an answer can be read to its end, and says that this instance was stored."""
    referenced, failed = _outcomes(body)
    return uid in referenced and uid not in failed


def _client(service: Service) -> httpx.Client:
    try:
        verify = ssl.create_default_context(cafile=service.ca)
    except OSError as error:
        raise PeerError(f"The certificates can't be used ({reason_of(error)})", "Give a PEM file.") from error
    headers = {"Authorization": f"Bearer {service.token}"} if service.token else {}
    auth = (service.user, service.password) if service.user else None
    return httpx.Client(verify=verify, headers=headers, auth=auth, timeout=service.seconds, trust_env=False)


def _posted(client: httpx.Client, service: Service, parcel: Parcel) -> Stored:
    boundary = f"dicomwrap-{parcel.sha256[:40]}"  # which a file can't hold: nothing holds its own digest
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Content-Length": str(len(head) + parcel.size + len(tail)),
        "Accept": "application/dicom+json",
    }
    try:
        with client.stream("POST", service.target, content=_body(parcel, head, tail), headers=headers) as answer:
            return answered(parcel, answer.status_code, _read(answer))
    except OSError as error:
        return Stored(parcel=parcel, stored=False, reason=f"not sent: the file can't be read ({reason_of(error)})")


def _body(parcel: Parcel, head: bytes, tail: bytes) -> Iterator[bytes]:
    """Give the multipart body in pieces, with the file as it stands and never more of it than was announced."""
    yield head
    with parcel.path.open("rb") as file:
        left = parcel.size
        while piece := file.read(min(_CHUNK, left)):
            left -= len(piece)
            yield piece
    if left:
        raise OSError(errno.EIO, "it became shorter")
    yield tail


def _read(answer: httpx.Response) -> bytes:
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _LARGEST_ANSWER:
            return b""
    return body


def _outcomes(body: bytes) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """Return the warning of each instance that was stored, and the reason of each that failed."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}, {}
    dataset = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(dataset, dict):
        return {}, {}
    return _items(dataset.get(_REFERENCED), _WARNING), _items(dataset.get(_FAILED), _FAILURE)


def _items(sequence: object, number: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for item in _values(sequence):
        if isinstance(item, dict):
            uid, reason = _values(item.get(_INSTANCE)), _values(item.get(number))
            first = reason[0] if reason else None
            found[str(uid[0]) if uid else ""] = first if isinstance(first, int) else None
    return found


def _values(element: object) -> list[object]:
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _why(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it doesn't answer in time"
    return str(error) or type(error).__name__
