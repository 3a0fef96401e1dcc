"""``[review]`` of policy.toml: who may confirm that a picture leaves anonymised, and what is proposed to them.

Knows the settings. Must not know reviews nor detectors. Source: requirements 002-58.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import ConfigDict, Field, StringConstraints

LONGEST_OPEN: Final = 8 * 60  # minutes: a day's work
Detector = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9\-]{0,31}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """How pictures are reviewed.

    Attributes:
        second_person: whoever asked for a copy may not confirm the picture themselves.
        open_minutes: how long a picture that somebody opened is theirs alone.
        detectors: which are asked for proposals.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    second_person: bool = True
    open_minutes: Annotated[int, Field(strict=True, ge=1, le=LONGEST_OPEN)] = 60
    detectors: tuple[Detector, ...] = ("face", "text")
