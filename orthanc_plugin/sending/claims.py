"""A hold on pictures that are to be sent, such as a courier's on rows of the outbox.

Knows what is asked of one. Must not know how it is kept. Source: architecture 4 (outbox); docs/adr/0036.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from sqlalchemy import Connection

from orthanc_plugin.gate import Answer, DecisionChangedError


class ClaimLostError(DecisionChangedError):
    """What is to be sent is somebody else's by now, or nobody's."""

    remedy = "Nothing is to be done: whoever has it now sends it."


class Claim(Protocol):
    """A hold on pictures that are to be sent, which can be lost at any time: until a release is on record."""

    @property
    def over(self) -> bool:
        """Tell whether it has ended, whatever the registry says."""

    def held(self, connection: Connection, uids: Collection[str]) -> frozenset[str]:
        """Return which of these pictures it still holds."""

    def begun(self, connection: Connection, releases: Iterable[tuple[Answer, str]]) -> None:
        """Note, in the transaction that records them, that releases have begun: each with its disclosure."""
