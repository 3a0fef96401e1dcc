"""How many lines share a transaction, and how long the write lock is left alone before the next.

Knows how long the lock was held, and when anybody else wrote last. Must not know what is written. Each commit is waited
for until it is on disk, and much is asked about all lines together, so while nobody else writes many share one: few at
first, since some are to be deleted soon while the next are decided on, and then ever twice as many. A door writes an
entry before it gives a picture out, and waits for the lock: while anybody else writes as few lines share a transaction
as take a moment, and then the lock is left to others for many times as long as it was held. Source: docs/adr/0062,
docs/adr/0063.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.clock import Ticks

FEWEST: Final = 4
HELD: Final = 0.004  # seconds of work in a transaction; its commit comes on top
LEFT: Final = 24  # times as long as it was held
LONGEST: Final = 2.0  # seconds that it is left alone, however long it was held
SILENCE: Final = 1.0  # seconds without anybody else, after which nobody is waited for any more


class Portions:
    """The size of the next one, and how long to wait before it.

    Args:
        most: how many lines share a transaction at most.
        ticks: gives seconds that pass.
        others: whether anybody else writes as it begins.
    """

    def __init__(self, most: int, ticks: Ticks, *, others: bool) -> None:
        self.most = most
        self.ticks = ticks
        self.lines = min(FEWEST, most)
        self._until = ticks() + SILENCE if others else None
        self._free = ticks()
        self._each = 0.0

    @property
    def wait(self) -> float:
        """Return for how many seconds the lock is to be left alone from now on."""
        return max(0.0, self._free - self.ticks())

    def held(self, lines: int, worked: float, seconds: float, *, others: bool) -> None:
        """Take into account for how long the lock was held, until now: ``worked`` for so many lines, then committed."""
        now = self.ticks()
        each, self._each = self._each, worked / lines if lines else 0.0
        if others:
            self._until = now + SILENCE
        if self._until is None or now >= self._until:
            self.lines, self._until = min(self.most, 2 * self.lines), None
            return
        if slowest := max(each, self._each):  # of marking and writing down, which take turns
            self.lines = max(min(FEWEST, self.most), min(self.most, int(HELD / slowest)))
        self._free = now + min(LONGEST, LEFT * seconds)
