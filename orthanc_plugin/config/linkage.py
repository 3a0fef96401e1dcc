"""The section [linkage] of policy.toml: how many studies of one patient may leave anonymised before a person looks.

Knows numbers. Must not know how they are counted. Source: requirements 002-60.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from orthanc_plugin.policy.linkage import Limit

MOST_DAYS: Final = 10 * 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkage:
    """So many releases in so many days."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    releases: Annotated[int, Field(strict=True, ge=1)] = 5
    window_days: Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)] = 365

    @property
    def limit(self) -> Limit:
        """Return it as the rule takes it."""
        return Limit(releases=self.releases, window=timedelta(days=self.window_days))
