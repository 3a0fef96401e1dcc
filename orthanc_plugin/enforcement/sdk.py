"""The part of the ``orthanc`` module the hooks use, as types; the one place where what it gives is untyped.

Names and meanings: orthanc-python 4.0, present in all later versions. ``tests/fakes/orthanc.py`` implements it, and a
contract test holds both against the module of the running Orthanc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

HttpFilterHook = Callable[..., bool]
MoveHook = Callable[..., None]
FindHook = Callable[..., None]
ReceivedHook = Callable[[bytes, Any], tuple[Any, bytes | None]]
CStoreHook = Callable[[Any], int]
StoredHook = Callable[[Any, str], None]
CreateHook = Callable[[str, Any, bytes], None]
ReadHook = Callable[[str, Any], bytes]
RemoveHook = Callable[[str, Any], None]
ChangeHook = Callable[[Any, Any, str], None]
RestHook = Callable[..., None]
MoveFree = Callable[[Any], None]
CommitmentHook = Callable[[str, str, list[str], list[str], str, str], Any]
LookupHook = Callable[[str, str, Any], int]


class Instance(Protocol):
    """What the SDK hands over of an instance being stored."""

    def GetInstanceRemoteAet(self) -> str:  # noqa: N802 - the SDK's name
        """Return the calling AE title."""

    def GetInstanceAdvancedJson(self, form: int, flags: int, longest: int, /) -> str:  # noqa: N802
        """Return the header as JSON of this form; text that is longer is null."""

    def GetInstanceSimplifiedJson(self) -> str:  # noqa: N802 - the SDK's name
        """Return the header as JSON, by keyword."""


class RestOutput(Protocol):
    """Where the answer to a REST call goes."""

    def AnswerBuffer(self, body: str | bytes, media: str) -> None:  # noqa: N802
        """Answer with status 200."""

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        """Add a header to the answer."""

    def SendHttpStatus(self, status: int, body: str, size: int = ...) -> None:  # noqa: N802
        """Answer with another status; orthanc-python before 4.2 wants the body's size too."""


class StreamOutput(RestOutput, Protocol):
    """The same from orthanc-python 5.0 on, which can send an answer in pieces."""

    def StartStreamAnswer(self, media: str) -> None:  # noqa: N802
        """Begin an answer with status 200 whose length nobody knows yet; the connection's end is its end."""

    def SendStreamChunk(self, piece: bytes) -> None:  # noqa: N802
        """Send a piece; raises when the client has gone."""


class Connection(Protocol):
    """What orthanc-python 7.0 tells of an association."""

    def GetConnectionRemoteAet(self) -> str:  # noqa: N802
        """Return the calling AE title."""

    def GetConnectionRemoteIp(self) -> str:  # noqa: N802
        """Return the caller's address."""


class FindQuery(Protocol):
    """The identifier of a C-FIND request."""

    def GetFindQuerySize(self) -> int:  # noqa: N802
        """Return how many elements it has."""

    def GetFindQueryTagGroup(self, at: int) -> int:  # noqa: N802
        """Return the group of one."""

    def GetFindQueryTagElement(self, at: int) -> int:  # noqa: N802
        """Return its element number."""

    def GetFindQueryValue(self, at: int) -> str:  # noqa: N802
        """Return its value, '' for a sequence."""


class FindAnswers(Protocol):
    """Where the matches of a C-FIND request go."""

    def FindAddAnswer(self, dicom: bytes) -> None:  # noqa: N802
        """Add one; Orthanc sends it in its own default encoding."""


class Sdk(Protocol):
    """The functions and enumerations used."""

    ChangeType: Any
    ReceivedInstanceAction: Any
    InstanceOrigin: Any

    def GetConfiguration(self) -> str:  # noqa: N802
        """Return the merged configuration files as JSON, without defaults."""

    def CheckVersionAdvanced(self, major: int, minor: int, revision: int) -> int:  # noqa: N802
        """Return 1 when Orthanc is of this version or a later one, else 0."""

    def GetCommandLineArgumentsCount(self) -> int:  # noqa: N802
        """Return how many arguments Orthanc was started with."""

    def GetCommandLineArgument(self, at: int) -> str:  # noqa: N802
        """Return one of them."""

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

    def RegisterStorageArea(self, create: CreateHook, read: ReadHook, remove: RemoveHook) -> None:  # noqa: N802
        """Have files written, read whole and removed by hooks, by name and type of content."""

    def RegisterOnChangeCallback(self, hook: ChangeHook) -> None:  # noqa: N802
        """Tell ``hook`` of changes."""


class NewerSdk(Sdk, Protocol):
    """What later versions have beside; ask with ``hasattr`` first."""

    StorageCommitmentFailureReason: Any

    def RegisterMoveCallback2(  # noqa: N802
        self, create: Callable[..., Any], size: Callable[[Any], int], apply: Callable[[Any], None], free: MoveFree
    ) -> None:
        """Replace the C-MOVE SCP, with a sub-operation for each instance (orthanc-python 4.2)."""

    def RegisterMoveCallback3(  # noqa: N802
        self, create: Callable[..., Any], size: Callable[[Any], int], apply: Callable[[Any], None], free: MoveFree
    ) -> None:
        """Do the same, and tell ``create`` the association (orthanc-python 7.0)."""

    def RegisterStorageCommitmentScpCallback(  # noqa: N802
        self, create: CommitmentHook, lookup: LookupHook
    ) -> None:
        """Answer storage commitment (orthanc-python 4.1)."""


def can_stream(sdk: Sdk, configuration: Mapping[str, object]) -> bool:
    """Tell whether an answer can leave in pieces, and without holding up every hook while a slow client takes one.

    The first needs orthanc-python 5.0, the second ``AllowThreads``, or the interpreter lock is held meanwhile.
    """
    python = configuration.get("Python")
    lock_is_free = isinstance(python, dict) and python.get("AllowThreads") is True
    return lock_is_free and hasattr(getattr(sdk, "RestOutput", None), "StartStreamAnswer")
