"""The REST door inside Orthanc, for Consentgate's own calls and for the core's that it answers instead of the core.

Knows Orthanc's REST callback, accounts and errors. Must not know what the endpoints do (``endpoints``, ``overrides``).
The HTTP filter has let the request through by its row in ``exits`` and has written it down; here the account's role is
asked again, because this hook would also answer where the filter is missing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Final, cast
from urllib.parse import unquote_plus

from dicomwrap.errors import DicomwrapError
from orthanc_plugin.config.policyfile import Role, User
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.exits import Match, classify, normalised
from orthanc_plugin.enforcement.requester import Asker
from orthanc_plugin.enforcement.route import pattern
from orthanc_plugin.enforcement.sdk import RestOutput, StreamOutput
from orthanc_plugin.enforcement.worker import Worker
from orthanc_plugin.errors import (
    ConfigurationError,
    ConsentgateError,
    IllegalTransitionError,
    RegistryError,
    UnknownImageError,
    UnknownRecordError,
)
from orthanc_plugin.gate import Requester
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

BASE: Final = "/consentgate"
JSON: Final = "application/json"
FHIR: Final = "application/fhir+json"
BODY_BYTES: Final = 256 * 1024
COLLECTED_BYTES: Final = 32 * 1024 * 1024  # of a stream, where it can't leave in pieces (``sdk.can_stream``)
UNSURE: Final = "See Orthanc's log, and ask what is on record before the call is sent again."

OK: Final = 200
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
NOT_ALLOWED: Final = 405
CONFLICT: Final = 409
TOO_LARGE: Final = 413
UNPROCESSABLE: Final = 422
FAILED: Final = 500
UNAVAILABLE: Final = 503

# The first kind that an error is of says the status.
STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (UnknownRecordError, NOT_FOUND),
    (UnknownImageError, NOT_FOUND),
    (IllegalTransitionError, CONFLICT),
    (RegistryError, UNAVAILABLE),
    (ConsentgateError, UNPROCESSABLE),
    (DicomwrapError, UNPROCESSABLE),
)


class CallError(ConsentgateError):
    """The call itself is wrong, whatever is on record."""

    remedy = f"See {BASE}/openapi.json for what each call takes."

    def __init__(self, message: str, *, status: int = BAD_REQUEST, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


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
            CallError: it is none, or has fields that are not ``known``.
        """
        try:
            value: object = json.loads(self.body or b"{}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an endpoint answers: ``payload`` as JSON, or else ``content``, or else the pieces of ``stream``.

    Attributes:
        filename: what a browser shall call the content.
    """

    status: int = OK
    payload: object = None
    media: str = JSON
    content: bytes | None = None
    stream: Iterator[bytes] | None = None
    filename: str = ""


Handler = Callable[[Services, Call], Reply]


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
        waits: whether it waits for other systems, and so must not hold up decisions.
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
    waits: bool = False


def text(values: Mapping[str, object], name: str, *, needed: bool = True, most: int = 2000) -> str:
    """Return a text field of a body; '' when it is missing and not ``needed``.

    Raises:
        CallError: it is no text, too long, or missing though needed.
    """
    value = values.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise CallError(f"{name}: must be text of at most {most} characters.")
    if needed and not value.strip():
        raise CallError(f"{name}: is missing.")
    return value.strip()


def act(services: Services, call: Call) -> Act:
    """Return the act of the account that calls; nobody acts in another's name."""
    return services.act(call.user.name, call.door)


def fault(error: Exception) -> Reply:
    """Return the answer to a call that failed: what is wrong, every place of it, and the remedy."""
    status = getattr(error, "status", None)
    if not isinstance(status, int):
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), FAILED)
    problems = getattr(error, "problems", ())
    payload = {
        "error": str(error.args[0]) if error.args and status != FAILED else "The call failed.",
        "problems": [str(problem) for problem in problems] if isinstance(problems, Sequence) else [],
        "remedy": str(getattr(error, "remedy", UNSURE)),
    }
    return Reply(status=status, payload=payload)


class RestDoor:
    """Answers every call to the paths of its endpoints; a method that none of them has is refused.

    Args:
        services: registry, gate and policy.
        endpoints: the table.
        worker: runs the endpoints, because Orthanc's HTTP threads have a stack of 100 KiB.
        streams: whether what is sent piece by piece can leave so (``sdk.can_stream``).
    """

    def __init__(
        self, services: Services, endpoints: Sequence[Endpoint], worker: Worker, *, streams: bool = False
    ) -> None:
        self.services = services
        self.endpoints = tuple((pattern(each.path), each) for each in endpoints)
        self.worker = worker
        self.streams = streams

    def hook(self, output: RestOutput, uri: str, **request: object) -> None:
        """Answer Orthanc; whatever goes wrong is told as an error."""
        try:
            reply = self.worker.run(self.answer, uri, request)
            if reply.stream is not None and self.streams:
                self._stream(cast("StreamOutput", output), reply, reply.stream)
                return
            reply = self._collected(reply)
        except BaseException:
            logger.exception("a call of the REST door failed")
            reply = fault(RuntimeError())
        send(output, reply)

    def _stream(self, output: StreamOutput, reply: Reply, stream: Iterator[bytes]) -> None:
        """Send each piece when it is made. What breaks off can't be told any more, and ends the connection.

        A piece is made on a thread of the worker and sent on Orthanc's, so a slow client holds up nobody else.
        """
        try:
            _name(output, reply)
            output.StartStreamAnswer(reply.media)
            with closing(self._pieces(stream)) as pieces:
                for piece in pieces:
                    output.SendStreamChunk(piece)
        except BaseException:
            logger.exception("an answer broke off while it was sent")

    def _collected(self, reply: Reply) -> Reply:
        """Return the reply with its stream as content, where Orthanc's plugin can't stream."""
        if reply.stream is None:
            return reply
        collected = bytearray()
        with closing(self._pieces(reply.stream)) as pieces:
            for piece in pieces:
                collected += piece
                if len(collected) > COLLECTED_BYTES:
                    return fault(too_much())
        return replace(reply, content=bytes(collected), stream=None)

    def _pieces(self, stream: Iterator[bytes]) -> Generator[bytes, None, None]:
        """Give the pieces, each made on a thread of the worker; the stream is closed whatever comes between."""
        try:
            while (piece := self.worker.run(_next, stream)) is not None:
                yield piece
        finally:
            self.worker.run(_close, stream)

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


def _next(stream: Iterator[bytes]) -> bytes | None:
    return next(stream, None)


def _close(stream: Iterator[bytes]) -> None:
    if isinstance(stream, Generator):
        stream.close()


def too_much() -> CallError:
    """Return the error for an answer that is too large to be collected."""
    return CallError(
        f"The answer has more than {COLLECTED_BYTES} bytes, and this version of Orthanc's Python plugin can't send it"
        " piece by piece.",
        status=TOO_LARGE,
        remedy="Ask for less at a time, such as one series.",
    )


def _name(output: RestOutput, reply: Reply) -> None:
    if reply.filename:
        output.SetHttpHeader("Content-Disposition", f'attachment; filename="{reply.filename}"')


def send(output: RestOutput, reply: Reply) -> None:
    """Hand the answer to Orthanc; the JSON is ASCII, so that its length in characters is that in bytes.

    What is good has status 200, because only then can a plugin say the media type in every version of Orthanc.
    """
    said = json.dumps(reply.payload, ensure_ascii=True)
    if reply.status == OK:
        _name(output, reply)
        output.AnswerBuffer(said if reply.content is None else reply.content, reply.media)
        return
    try:
        output.SendHttpStatus(reply.status, said)
    except TypeError:  # orthanc-python before 4.2 wants the size, and leaves the media type to us
        output.SetHttpHeader("Content-Type", reply.media)
        output.SendHttpStatus(reply.status, said, len(said))
