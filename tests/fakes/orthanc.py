"""The ``orthanc`` module as the hooks use it: a typed stub, and a double that a test can drive.

A contract test holds its names against the module of the running Orthanc.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import IntEnum
from typing import Any


class ChangeType(IntEnum):
    """Changes the plugin is told of; values of orthanc-python 4.0."""

    DELETED = 1
    STABLE_SERIES = 8
    ORTHANC_STARTED = 10
    ORTHANC_STOPPED = 11


class ReceivedInstanceAction(IntEnum):
    """What may become of a received object."""

    KEEP_AS_IS = 1
    MODIFY = 2
    DISCARD = 3


class InstanceOrigin(IntEnum):
    """Where an object came from."""

    UNKNOWN = 1
    DICOM_PROTOCOL = 2
    REST_API = 3
    PLUGIN = 4
    LUA = 5
    WEB_DAV = 6


class RestOutput:
    """Takes the answer to a REST call, as orthanc-python 4.0 does: an error's body only with its size."""

    def __init__(self) -> None:
        self.status = 0
        self.body: str | bytes = ""
        self.headers: dict[str, str] = {}

    def AnswerBuffer(self, body: str | bytes, media: str) -> None:  # noqa: N802
        self.status, self.body = 200, body
        self.headers["Content-Type"] = media

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        self.headers[name] = value

    def SendHttpStatus(self, status: int, body: str, *size: int) -> None:  # noqa: N802
        if size != (len(body.encode()),):
            raise TypeError("Bad types for the arguments (3 arguments expected)")
        self.status, self.body = status, body


class StreamOutput(RestOutput):
    """Takes an answer in pieces, as orthanc-python 5.0 does; the client may go after some of them."""

    def __init__(self, gone_after: int | None = None) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.gone_after = gone_after

    def StartStreamAnswer(self, media: str) -> None:  # noqa: N802
        self.status, self.body = 200, b""
        self.headers["Content-Type"] = media

    def SendStreamChunk(self, piece: bytes) -> None:  # noqa: N802
        if len(self.pieces) == self.gone_after:
            raise OrthancException(9, "Error in the network protocol")
        self.pieces.append(piece)
        self.body = b"".join(self.pieces)


class FindQuery:
    """The identifier of a C-FIND request, by tag."""

    def __init__(self, elements: dict[int, str]) -> None:
        self.elements = tuple(elements.items())

    def GetFindQuerySize(self) -> int:  # noqa: N802
        return len(self.elements)

    def GetFindQueryTagGroup(self, at: int) -> int:  # noqa: N802
        return self.elements[at][0] >> 16

    def GetFindQueryTagElement(self, at: int) -> int:  # noqa: N802
        return self.elements[at][0] & 0xFFFF

    def GetFindQueryValue(self, at: int) -> str:  # noqa: N802
        tag, value = self.elements[at]
        if tag == 0x00280010 and not value:  # Orthanc has none to give of an empty number
            raise OrthancException("Bad type for a parameter")
        return value


class FindAnswers:
    """Takes the matches of a C-FIND request."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def FindAddAnswer(self, dicom: bytes) -> None:  # noqa: N802
        self.given.append(dicom)


class OrthancException(Exception):  # noqa: N818 - the SDK's name
    """What a failed call raises."""


configuration: dict[str, Any] = {}
answers: dict[str, bytes | OrthancException] = {}
hooks: dict[str, Callable[..., Any]] = {}
log: list[str] = []
arguments: list[str] = []
properties: dict[int, str] = {}


def reset() -> None:
    """Forget what a test has set."""
    for each in (configuration, answers, hooks, properties):
        each.clear()
    log.clear()
    arguments.clear()


def GetConfiguration() -> str:  # noqa: N802
    return json.dumps(configuration)


def CheckVersionAdvanced(major: int, minor: int, revision: int) -> int:  # noqa: N802
    return int((major, minor, revision) <= (1, 10, 1))


def GetCommandLineArgumentsCount() -> int:  # noqa: N802
    return len(arguments)


def GetCommandLineArgument(at: int) -> str:  # noqa: N802
    return arguments[at]


def LogWarning(message: str) -> None:  # noqa: N802
    log.append(message)


def _answered(uri: str, otherwise: bytes | None = None) -> bytes:
    """Return what a test has said of ``uri``, or raise it."""
    answer: bytes | OrthancException = answers[uri] if otherwise is None else answers.get(uri, otherwise)
    if isinstance(answer, OrthancException):
        raise answer
    return answer


def RestApiGet(uri: str) -> bytes:  # noqa: N802
    return _answered(uri)


def RestApiPost(uri: str, body: bytes) -> bytes:  # noqa: N802
    log.append(f"POST {uri} {len(body)}")
    return _answered(uri, b"")


def GetGlobalProperty(number: int, default: str) -> str:  # noqa: N802
    return properties.get(number, default)


def SetGlobalProperty(number: int, value: str) -> None:  # noqa: N802
    properties[number] = value


def GetDicomForInstance(instance: str) -> bytes:  # noqa: N802
    return _answered(f"/instances/{instance}/file")


def RegisterIncomingHttpRequestFilter(hook: Callable[..., bool]) -> None:  # noqa: N802
    hooks["http"] = hook


def RegisterRestCallback(pattern: str, hook: Callable[..., None]) -> None:  # noqa: N802
    hooks[f"rest {pattern}"] = hook


def RegisterMoveCallback(hook: Callable[..., None]) -> None:  # noqa: N802
    hooks["move"] = hook


def RegisterFindCallback(hook: Callable[..., None]) -> None:  # noqa: N802
    hooks["find"] = hook


def RegisterWorklistCallback(hook: Callable[..., None]) -> None:  # noqa: N802
    hooks["worklist"] = hook


def RegisterReceivedInstanceCallback(hook: Callable[..., Any]) -> None:  # noqa: N802
    hooks["received"] = hook


def RegisterIncomingCStoreInstanceFilter(hook: Callable[..., int]) -> None:  # noqa: N802
    hooks["cstore"] = hook


def RegisterOnStoredInstanceCallback(hook: Callable[..., None]) -> None:  # noqa: N802
    hooks["stored"] = hook


def RegisterOnChangeCallback(hook: Callable[..., None]) -> None:  # noqa: N802
    hooks["change"] = hook


def RegisterStorageArea(  # noqa: N802
    create: Callable[..., None], read: Callable[..., bytes], remove: Callable[..., None]
) -> None:
    hooks.update({"create": create, "read": read, "remove": remove})
