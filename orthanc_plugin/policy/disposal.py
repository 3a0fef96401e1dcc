"""Words of disposition that tasks are named by."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class DisposalTask(StrEnum):
    """UNPLANNED_DESTRUCTION: a picture is gone from the archive, and nobody had decided that."""

    UNPLANNED_DESTRUCTION = "UNPLANNED_DESTRUCTION"
