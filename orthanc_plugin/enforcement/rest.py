"""Consentgate's own REST door inside Orthanc: how a call becomes an answer.

Knows Orthanc's REST callback, accounts and errors. Must not know what the endpoints do (``endpoints``). The HTTP filter
has let the request through by its row in ``exits`` and has written it down; here the account's role is asked again,
because this hook would also answer where the filter is missing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dicomwrap.errors import DicomwrapError
from orthanc_plugin.config.policyfile import Role, User
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.exits import normalised, pattern
from orthanc_plugin.enforcement.sdk import RestOutput
from orthanc_plugin.enforcement.worker import Worker
from orthanc_plugin.errors import (
    ConfigurationError,
    ConsentgateError,
    IllegalTransitionError,
    RegistryError,
    UnknownImageError,
    UnknownRecordError,
)
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

BASE: Final = "/consentgate"
JSON: Final = "application/json"
FHIR: Final = "application/fhir+json"
BODY_BYTES: Final = 256 * 1024
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
    """What an endpoint answers; ``payload`` becomes JSON."""

    status: int = OK
    payload: object
    media: str = JSON


Handler = Callable[[Services, Call], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: HTTP method.
        path: template, as in ``exits``.
        role: what the account must have.
        summary: what it does, in a line.
        takes: name of the body's schema, or ''.
        gives: name of the schema of its answer.
        handler: does it.
    """

    method: str
    path: str
    role: Role
    summary: str
    takes: str = ""
    gives: str
    handler: Handler = field(repr=False)


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
    """Answers every call below ``/consentgate/``.

    Args:
        services: registry, gate and policy.
        endpoints: the table.
        worker: runs the endpoints, because Orthanc's HTTP threads have a stack of 100 KiB.
    """

    def __init__(self, services: Services, endpoints: Sequence[Endpoint], worker: Worker) -> None:
        self.services = services
        self.endpoints = tuple((pattern(each.path), each) for each in endpoints)
        self.worker = worker

    def hook(self, output: RestOutput, uri: str, **request: object) -> None:
        """Answer Orthanc; whatever goes wrong is told as an error."""
        try:
            reply = self.worker.run(self.answer, uri, request)
        except BaseException:
            logger.exception("a call of the REST door failed")
            reply = fault(RuntimeError())
        send(output, reply)

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
        user = self.services.policy.user(requesters.account(headers))
        if user is None or endpoint.role not in user.roles:
            raise CallError(
                f"The account does not have the role '{endpoint.role}'.",
                status=FORBIDDEN,
                remedy="The data protection officer gives roles in policy.toml.",
            )
        body = request.get("body", b"")
        raw = body if isinstance(body, bytes) else str(body).encode()
        if len(raw) > BODY_BYTES:
            raise CallError(f"The body has more than {BODY_BYTES} bytes.", status=TOO_LARGE)
        return endpoint, Call(
            user=user,
            door=f"{endpoint.method} {endpoint.path}",
            names=match.groupdict(),
            arguments=_texts(request.get("get")),
            headers=headers,
            body=raw,
        )


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}


def send(output: RestOutput, reply: Reply) -> None:
    """Hand the answer to Orthanc; the JSON is ASCII, so that its length in characters is that in bytes.

    What is good has status 200, because only then can a plugin say the media type in every version of Orthanc.
    """
    said = json.dumps(reply.payload, ensure_ascii=True)
    if reply.status == OK:
        output.AnswerBuffer(said, reply.media)
        return
    try:
        output.SendHttpStatus(reply.status, said)
    except TypeError:  # orthanc-python before 4.2 wants the size, and leaves the media type to us
        output.SetHttpHeader("Content-Type", reply.media)
        output.SendHttpStatus(reply.status, said, len(said))
