"""Whether anybody else has written into the trail since a line was decided on: only then may something have changed.

Knows numbers and digests of entries. Must not know what they say. An execution writes entries of its own while it
destroys; each of its transactions says between which two heads its entries lie, so that these are told from others'.

Source: requirements 4, step 6 (re-check at execution).
"""

from __future__ import annotations

from typing import Final

Head = tuple[int, str]
KEPT: Final = 64  # transactions: a line is destroyed a few after it was marked


class Followed:
    """The transactions of one execution, by the trail's head before each; one thread writes, another reads.

    Args:
        last: the trail's head before the first of them.
    """

    def __init__(self, last: Head) -> None:
        self._after: dict[Head, Head] = {}
        self._last = last

    def alone(self, newest: Head) -> bool:
        """Tell whether nobody else has written since our last transaction."""
        return newest == self._last

    def wrote(self, before: Head, after: Head) -> None:
        """Remember a transaction of ours, which must still hold the write lock; one that is undone changes nothing.

        For its last digest is then nobody's.
        """
        self._last = after
        if before != after:
            self._after[before] = after
        while len(self._after) > KEPT:
            self._after.pop(next(iter(self._after)), None)

    def quiet(self, since: Head, newest: Head) -> bool:
        """Tell whether nobody but ourselves has written between two heads."""
        while since != newest:
            following = self._after.get(since)
            if following is None:
                return False
            since = following
        return True
