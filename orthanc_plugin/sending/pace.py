"""How many pictures of a study and route a courier takes from the outbox at once.

Knows how fast those it sent last went. Must not know what is sent. Each group costs an association, and a start and an
end in which nothing is made ready while something is sent; but what is more urgent waits for the end of a group. So a
group is as large as goes in about a second on the recipient's line. Source: docs/adr/0036.
"""

from __future__ import annotations

from typing import Final

FEWEST: Final = 64
MOST: Final = 512
SECONDS: Final = 1.0


class Pace:
    """How many are taken next."""

    def __init__(self) -> None:
        self.pictures = FEWEST

    def took(self, delivered: int, seconds: float) -> None:
        """Take into account how long it took until so many pictures had arrived."""
        if delivered and seconds > 0:
            self.pictures = max(FEWEST, min(MOST, round(delivered / seconds * SECONDS)))
