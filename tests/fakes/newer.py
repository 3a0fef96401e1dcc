"""The ``orthanc`` module of orthanc-python 5.0: the double's, C-MOVE by sub-operations and storage commitment."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from tests.fakes.orthanc import (  # noqa: F401 - handed on
    ChangeType,
    GetConfiguration,
    GetDicomForInstance,
    InstanceOrigin,
    LogWarning,
    ReceivedInstanceAction,
    RegisterFindCallback,
    RegisterIncomingCStoreInstanceFilter,
    RegisterIncomingHttpRequestFilter,
    RegisterMoveCallback,
    RegisterOnChangeCallback,
    RegisterOnStoredInstanceCallback,
    RegisterReceivedInstanceCallback,
    RegisterRestCallback,
    RegisterStorageArea,
    RegisterWorklistCallback,
    RestApiGet,
    RestApiPost,
    hooks,
)


class StorageCommitmentFailureReason(IntEnum):
    """Orthanc's codes for the answers to storage commitment."""

    SUCCESS = 0
    PROCESSING_FAILURE = 1
    NO_SUCH_OBJECT_INSTANCE = 2
    RESOURCE_LIMITATION = 3
    REFERENCED_SOPCLASS_NOT_SUPPORTED = 4
    CLASS_INSTANCE_CONFLICT = 5
    DUPLICATE_TRANSACTION_UID = 6


def RegisterMoveCallback2(  # noqa: N802
    create: Callable[..., Any], size: Callable[[Any], int], apply: Callable[[Any], None], free: Callable[[Any], None]
) -> None:
    hooks.update({"move": create, "move size": size, "move apply": apply, "move free": free})


def RegisterStorageCommitmentScpCallback(  # noqa: N802
    create: Callable[..., Any], lookup: Callable[[str, str, Any], int]
) -> None:
    hooks.update({"commitment": create, "commitment lookup": lookup})
