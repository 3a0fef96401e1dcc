"""How many pictures of a study a courier takes from the outbox at once, by route.

Knows how fast those it sent last by the same route went. Must not know what is sent. Each group costs an association,
and a start and an end in which nothing is made ready while something is sent; but what is more urgent waits for the end
of a group. So a group is as large as went in about a second. Source: docs/adr/0036.
"""

from __future__ import annotations

from typing import Final

FEWEST: Final = 64
MOST: Final = 512
SECONDS: Final = 1.0


class Pace:
    """How many are taken next.

    Attributes:
        by_route: of each route by which something went; of any other, ``FEWEST``.
    """

    def __init__(self) -> None:
        self.by_route: dict[str, int] = {}

    def took(self, route: str, delivered: int, seconds: float) -> None:
        """Take into account how long it took until so many pictures had arrived."""
        if delivered and seconds > 0:
            self.by_route[route] = max(FEWEST, min(MOST, round(delivered / seconds * SECONDS)))
