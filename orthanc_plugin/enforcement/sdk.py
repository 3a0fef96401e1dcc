"""The part of the ``orthanc`` module the hooks use, as types; the one place where what it gives is untyped.

Names and meanings: orthanc-python 4.0, present in all later versions. ``tests/fakes/orthanc.py`` implements it, and a
contract test holds both against the module of the running Orthanc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

HttpFilterHook = Callable[..., bool]
MoveHook = Callable[..., None]
FindHook = Callable[[Any, Any, str, str], None]
ReceivedHook = Callable[[bytes, Any], tuple[Any, bytes | None]]
CStoreHook = Callable[[Any], int]
StoredHook = Callable[[Any, str], None]
ChangeHook = Callable[[Any, Any, str], None]
RestHook = Callable[..., None]


class Instance(Protocol):
    """What the SDK hands over of an instance being stored."""

    def GetInstanceRemoteAet(self) -> str:  # noqa: N802 - the SDK's name
        """Return the calling AE title."""

    def GetInstanceSimplifiedJson(self) -> str:  # noqa: N802 - the SDK's name
        """Return the header as JSON, by keyword."""


class RestOutput(Protocol):
    """Where the answer to a REST call goes."""

    def AnswerBuffer(self, body: str, media: str) -> None:  # noqa: N802
        """Answer with status 200."""

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        """Add a header to the answer."""

    def SendHttpStatus(self, status: int, body: str, size: int = ...) -> None:  # noqa: N802
        """Answer with another status; orthanc-python before 4.2 wants the body's size too."""


class Sdk(Protocol):
    """The functions and enumerations used."""

    ChangeType: Any
    ReceivedInstanceAction: Any
    InstanceOrigin: Any

    def GetConfiguration(self) -> str:  # noqa: N802
        """Return the merged configuration files as JSON, without defaults."""

    def LogWarning(self, message: str) -> None:  # noqa: N802
        """Write a line to Orthanc's log."""

    def RegisterIncomingHttpRequestFilter(self, hook: HttpFilterHook) -> None:  # noqa: N802
        """Ask ``hook`` before each HTTP request."""

    def RegisterRestCallback(self, pattern: str, hook: RestHook) -> None:  # noqa: N802
        """Answer the HTTP requests whose path fits ``pattern`` by ``hook``."""

    def RegisterMoveCallback(self, hook: MoveHook) -> None:  # noqa: N802
        """Replace the C-MOVE SCP."""

    def RegisterFindCallback(self, hook: FindHook) -> None:  # noqa: N802
        """Replace the C-FIND SCP."""

    def RegisterWorklistCallback(self, hook: FindHook) -> None:  # noqa: N802
        """Answer modality worklist queries."""

    def RegisterReceivedInstanceCallback(self, hook: ReceivedHook) -> None:  # noqa: N802
        """Ask ``hook`` about every incoming object. Fails open in Orthanc: the hook must never raise."""

    def RegisterIncomingCStoreInstanceFilter(self, hook: CStoreHook) -> None:  # noqa: N802
        """Ask ``hook`` for the status of each C-STORE."""

    def RegisterOnStoredInstanceCallback(self, hook: StoredHook) -> None:  # noqa: N802
        """Tell ``hook`` what was stored."""

    def RegisterOnChangeCallback(self, hook: ChangeHook) -> None:  # noqa: N802
        """Tell ``hook`` of changes."""
