"""The REST door inside Orthanc, for Consentgate's own calls and for the core's that it answers instead of the core.

Knows Orthanc's REST callback, accounts and errors. Must not know what the endpoints do (``endpoints``, ``overrides``).
The HTTP filter has let the request through by its row in ``exits`` and has written it down; here the account's role is
asked again, because this hook would also answer where the filter is missing.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final, ParamSpec, cast
from urllib.parse import unquote_plus

from dicomwrap.errors import DicomwrapError
from orthanc_plugin.config.bindings import Role, User
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.exits import Match, classify, normalised
from orthanc_plugin.enforcement.pace import Pace
from orthanc_plugin.enforcement.reply import (
    FORBIDDEN,
    NOT_ALLOWED,
    NOT_FOUND,
    OK,
    TOO_LARGE,
    BusyError,
    CallError,
    Reply,
    fault,
    send,
)
from orthanc_plugin.enforcement.requester import Asker
from orthanc_plugin.enforcement.route import pattern
from orthanc_plugin.enforcement.sdk import RestOutput, StreamOutput
from orthanc_plugin.enforcement.streaming import Pieces, collected, send_stream
from orthanc_plugin.errors import ConfigurationError, ConsentgateError
from orthanc_plugin.gate import Requester
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

P = ParamSpec("P")

logger = logging.getLogger(__name__)

BODY_BYTES: Final = 256 * 1024
UNWRITABLE: Final = frozenset(map(chr, (0, *range(0xD800, 0xE000))))  # JSON can write them, no database keeps them


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to an endpoint; header names in lower case, ``names`` are the placeholders of its path."""

    user: User
    requester: Requester
    door: str
    names: Mapping[str, str]
    arguments: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def fields(self, *known: str) -> dict[str, object]:
        """Return the JSON object in the body.

        Raises:
            CallError: it is none, has fields that are not ``known``, or says one of them more than once.
        """
        try:
            value: object = json.loads(self.body or b"{}", object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise CallError("The body is no JSON.") from error
        if not isinstance(value, dict):
            raise CallError("The body must be one JSON object.")
        if unknown := sorted(set(value) - set(known)):
            raise CallError(f"Unknown fields: {', '.join(unknown)[:200]}.", remedy=f"Known are: {', '.join(known)}.")
        return value

    def wants(self, media: str) -> bool:
        """Tell whether the caller asks for this media type."""
        return media in self.headers.get("accept", "")

    def brings(self, media: str) -> bool:
        """Tell whether the body is of this media type."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == media


Handler = Callable[[Services, Call], Reply]


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; of a name that is there twice a reader takes one, and what the other says would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise CallError(f"Written more than once: {', '.join(twice)[:200]}.", remedy="Leave the true one alone.")
    return found


@unique
class Lane(StrEnum):
    """What an endpoint asks of the server, so that what is slow holds up nothing that is quick."""

    FINDS = "FINDS"  # quick, and DICOMweb asks it in the middle of a retrieval
    LISTS = "LISTS"
    ARCHIVES = "ARCHIVES"  # reads whole pictures, and waits for the client
    SENDS = "SENDS"  # waits for other systems


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: HTTP method.
        path: template, as in ``exits``.
        role: what the account must have (or ``also``, then the handler asks more); None where any account will do.
        summary: what it does, in a line.
        takes: name of the body's schema, or ''.
        gives: name of the schema of its answer.
        handler: does it.
        most: how many bytes the body may have. Orthanc's Python plugin 4.0 never frees a body, so little is taken.
        lane: what it is answered beside.
        even: whether it answers about names that can be made up from a patient's number, so that the time that a
            refusal takes would say who is a patient here.
    """

    method: str
    path: str
    role: Role | None
    also: Role | None = None
    summary: str
    takes: str = ""
    gives: str
    handler: Handler = field(repr=False)
    most: int = BODY_BYTES
    lane: Lane = Lane.ARCHIVES
    even: bool = False


def text(values: Mapping[str, object], name: str, *, needed: bool = True, most: int = 2000) -> str:
    """Return a text field of a body; '' when it is missing and not ``needed``.

    Raises:
        CallError: it is no text, too long, missing though needed, or holds what no text can.
    """
    value = values.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise CallError(f"{name}: must be text of at most {most} characters.")
    if not UNWRITABLE.isdisjoint(value):
        raise CallError(f"{name}: holds what no text can: half a character, or NUL.")
    if needed and not value.strip():
        raise CallError(f"{name}: is missing.")
    return value.strip()


def act(services: Services, call: Call) -> Act:
    """Return the act of the account that calls; nobody acts in another's name."""
    return services.act(call.user.name, call.door)


class RestDoor:
    """Answers every call to the paths of its endpoints; a method that none of them has is refused.

    Args:
        services: registry, gate and policy.
        endpoints: the table.
        worker: runs the endpoints, because Orthanc's HTTP threads have a stack of 100 KiB.
        streams: whether what is sent piece by piece can leave so (``sdk.can_stream``).
        pace: holds refusals back where they must be even.
    """

    def __init__(
        self,
        services: Services,
        endpoints: Sequence[Endpoint],
        worker: Worker,
        *,
        streams: bool = False,
        pace: Pace | None = None,
    ) -> None:
        self.services = services
        self.endpoints = tuple((pattern(each.path), each) for each in endpoints)
        self.worker = worker
        self.streams = streams
        self.pace = pace or Pace(services.ticks)
        self.even = any(each.even for each in endpoints)

    def hook(self, output: RestOutput, uri: str, **request: object) -> None:
        """Answer Orthanc; whatever goes wrong is told as an error."""
        came = self.pace.ticks()
        reply = self._attempt(self.worker.run, self.answer, uri, request)
        if reply.held or (self.even and reply.status != OK):
            reply = self._held(reply, came)
        if reply.stream is not None and self.streams:
            send_stream(cast("StreamOutput", output), reply, reply.stream, self.worker)
            return
        if reply.stream is not None:
            reply = self._attempt(collected, reply, reply.stream, self.worker)
        send(output, reply)

    def _attempt(self, work: Callable[P, Reply], *args: P.args, **kwargs: P.kwargs) -> Reply:
        try:
            return work(*args, **kwargs)
        except BaseException:
            logger.exception("a call of the REST door failed")
            return fault(RuntimeError())

    def _held(self, reply: Reply, came: float) -> Reply:
        """Return the reply, not before its time; another one where too many wait for theirs."""
        if self.pace.hold(came):
            return reply
        if reply.stream is not None:
            Pieces(reply.stream, self.worker).close()
        return fault(BusyError("Too many answers are held back at once."))

    def answer(self, uri: str, request: Mapping[str, object]) -> Reply:
        """Return the answer to one call."""
        try:
            endpoint, call = self._call(uri, request)
            return endpoint.handler(self.services, call)
        except (ConsentgateError, DicomwrapError, ConfigurationError) as error:
            return fault(error)

    def _call(self, uri: str, request: Mapping[str, object]) -> tuple[Endpoint, Call]:
        headers = {key.lower(): value for key, value in _texts(request.get("headers")).items()}
        path, method = normalised(uri), str(request.get("method", ""))
        found = [(each, match) for regex, each in self.endpoints if path and (match := regex.fullmatch(path))]
        if not found:
            raise CallError("There is no such endpoint.", status=NOT_FOUND)
        here = next(((each, match) for each, match in found if each.method == method), None)
        if here is None:
            raise CallError("The endpoint has no such method.", status=NOT_ALLOWED)
        endpoint, match = here
        arguments = {unquote_plus(name): unquote_plus(value) for name, value in _texts(request.get("get")).items()}
        asker = self._asker(classify(method, uri, arguments), headers, arguments)
        if asker.user is None or (endpoint.role and asker.user.roles.isdisjoint({endpoint.role, endpoint.also})):
            raise CallError(
                asker.reason or f"The account does not have the role '{endpoint.role}'.",
                status=FORBIDDEN,
                remedy="The data protection officer gives roles and purposes in policy.toml.",
            )
        raw = body if isinstance(body := request.get("body", b""), bytes) else str(body).encode()
        if len(raw) > endpoint.most:
            raise CallError(f"The body has more than {endpoint.most} bytes.", status=TOO_LARGE)
        return endpoint, Call(
            user=asker.user,
            requester=asker.requester,
            door=f"{endpoint.method} {endpoint.path}",
            names=match.groupdict(),
            arguments=arguments,
            headers=headers,
            body=raw,
        )

    def _asker(self, match: Match | None, headers: Mapping[str, str], arguments: Mapping[str, str]) -> Asker:
        """Return who calls; Consentgate's own processes may where the table of exits says so."""
        own = self.services.settings.orthanc.user
        if match is not None and match.route.internal and requesters.account(headers) == own:
            return requesters.ourselves(own)
        return requesters.of_request(self.services.policy, self.services.proxy, headers, arguments)


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}
