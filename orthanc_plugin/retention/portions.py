"""How many lines share a transaction, and how long the write lock is left alone after it.

Knows how long the lock was held, and when anybody else wrote last. Must not know what is written. Each commit is waited
for until it is on disk, so while nobody else writes many lines share one. A door writes an entry before it gives a
picture out, and waits for the lock: while doors are in use as few lines share a transaction as take a moment, and after
it the lock is left to others for several times as long as it was held. Source: docs/adr/0062.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.clock import Ticks

FEWEST: Final = 4
HELD: Final = 0.004  # seconds
LEFT: Final = 24  # times as long as it was held
SILENCE: Final = 1.0  # seconds without anybody else, after which nobody is waited for any more


class Portions:
    """The size of the next one.

    Args:
        most: how many lines share a transaction at most.
        ticks: gives seconds that pass.
        others: whether anybody else writes as it begins.
    """

    def __init__(self, most: int, ticks: Ticks, *, others: bool) -> None:
        self.most = most
        self.ticks = ticks
        self.lines = min(FEWEST, most) if others else most
        self._until = ticks() + SILENCE if others else None

    def held(self, lines: int, seconds: float, *, others: bool) -> float:
        """Take into account how long the lock was held for so many lines; return how long to leave it alone now."""
        now = self.ticks()
        if others:
            self._until = now + SILENCE
        if self._until is None or now >= self._until:
            self.lines, self._until = self.most, None
            return 0.0
        if lines and seconds > 0:
            self.lines = max(min(FEWEST, self.most), min(self.most, int(lines * HELD / seconds)))
        return LEFT * seconds
