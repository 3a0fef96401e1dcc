"""Words of disposition that tasks are named by."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class DisposalTask(StrEnum):
    """What somebody has to look into.

    UNPLANNED_DESTRUCTION: a picture is gone from the archive, and nobody had decided that. KEPT_BY_A_COPY: a record is
    past its date, but a copy of it in another record here isn't, or has no date.
    """

    UNPLANNED_DESTRUCTION = "UNPLANNED_DESTRUCTION"
    KEPT_BY_A_COPY = "KEPT_BY_A_COPY"
