"""What an endpoint answers, and how Orthanc is told it: replies, errors and their statuses.

Knows Orthanc's ways of answering and the house's errors. Must not know who asks, nor for what.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

from dicomwrap.errors import DicomwrapError
from orthanc_plugin.enforcement.sdk import RestOutput
from orthanc_plugin.errors import (
    ConsentgateError,
    IllegalTransitionError,
    RegistryError,
    UnknownImageError,
    UnknownRecordError,
)
from orthanc_plugin.lifecycle.reviewing import SecondPersonError

BASE: Final = "/consentgate"
JSON: Final = "application/json"
FHIR: Final = "application/fhir+json"
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
    (SecondPersonError, FORBIDDEN),
    (UnknownRecordError, NOT_FOUND),
    (UnknownImageError, NOT_FOUND),
    (IllegalTransitionError, CONFLICT),
    (RegistryError, UNAVAILABLE),
    (ConsentgateError, UNPROCESSABLE),
    (DicomwrapError, UNPROCESSABLE),
)


class BusyError(ConsentgateError):
    """As many calls are being answered as may be."""

    remedy = "Ask again in a moment."
    status: Final = UNAVAILABLE


class CallError(ConsentgateError):
    """The call itself is wrong, whatever is on record."""

    remedy = f"See {BASE}/openapi.json for what each call takes."

    def __init__(self, message: str, *, status: int = BAD_REQUEST, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an endpoint answers: ``payload`` as JSON, or else ``content``, or else the pieces of ``stream``.

    Attributes:
        filename: what a browser shall call the content.
        held: whether it is held back like a refusal (``Endpoint.even``), because the time that it took would tell of
            pictures that it doesn't show.
        kept: whether caches on the way may keep the content.
    """

    status: int = OK
    payload: object = None
    media: str = JSON
    content: bytes | None = None
    stream: Generator[bytes, None, None] | None = None
    filename: str = ""
    held: bool = False
    kept: bool = True


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


def name_file(output: RestOutput, reply: Reply) -> None:
    """Tell a browser what to call the content."""
    if reply.filename:
        output.SetHttpHeader("Content-Disposition", f'attachment; filename="{reply.filename}"')


def send(output: RestOutput, reply: Reply) -> None:
    """Hand the answer to Orthanc; the JSON is ASCII, so that its length in characters is that in bytes.

    What is good has status 200, because only then can a plugin say the media type in every version of Orthanc.
    """
    said = json.dumps(reply.payload, ensure_ascii=True)
    if reply.status == OK:
        name_file(output, reply)
        if not reply.kept:
            output.SetHttpHeader("Cache-Control", "no-store")
        output.AnswerBuffer(said if reply.content is None else reply.content, reply.media)
        return
    try:
        output.SendHttpStatus(reply.status, said)
    except TypeError:  # orthanc-python before 4.2 wants the size, and leaves the media type to us
        output.SetHttpHeader("Content-Type", reply.media)
        output.SendHttpStatus(reply.status, said, len(said))
