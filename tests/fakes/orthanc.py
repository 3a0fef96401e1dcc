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
        self.body = ""
        self.headers: dict[str, str] = {}

    def AnswerBuffer(self, body: str, media: str) -> None:  # noqa: N802
        self.status, self.body = 200, body
        self.headers["Content-Type"] = media

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        self.headers[name] = value

    def SendHttpStatus(self, status: int, body: str, *size: int) -> None:  # noqa: N802
        if size != (len(body.encode()),):
            raise TypeError("Bad types for the arguments (3 arguments expected)")
        self.status, self.body = status, body


configuration: dict[str, Any] = {}
answers: dict[str, bytes] = {}
hooks: dict[str, Callable[..., Any]] = {}
log: list[str] = []


def reset() -> None:
    """Forget what a test has set."""
    for each in (configuration, answers, hooks):
        each.clear()
    log.clear()


def GetConfiguration() -> str:  # noqa: N802
    return json.dumps(configuration)


def LogWarning(message: str) -> None:  # noqa: N802
    log.append(message)


def RestApiGet(uri: str) -> bytes:  # noqa: N802
    return answers[uri]


def RestApiPost(uri: str, body: bytes) -> bytes:  # noqa: N802
    log.append(f"POST {uri} {len(body)}")
    return answers.get(uri, b"")


def GetDicomForInstance(instance: str) -> bytes:  # noqa: N802
    return answers[f"/instances/{instance}/file"]


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
