"""A pace that keeps how long it would have waited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orthanc_plugin.enforcement.pace import Pace


@dataclass(kw_only=True)
class Waiting:
    """What a door waited for; ``meanwhile`` is done at every wait.

    ``seconds`` is the present moment, which a test moves on.
    """

    seconds: float = 100.0
    waited: list[float] = field(default_factory=list)
    meanwhile: Callable[[], object] = int

    def pace(self) -> Pace:
        """Return the pace."""
        return Pace(lambda: self.seconds, self._wait)

    def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.meanwhile()
