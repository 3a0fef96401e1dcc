"""Whether pictures that have begun may still go, asked within the fence just before each does.

Knows that an answer holds for as long as nothing at all was committed to the registry, and asks about those that go
next in the same transaction; so of pictures that go together most are asked about by one look at that. Must not know
how anything is sent. What also counts is asked each time: whether the gate is shut or the claim at an end, and what
day it is. Answers that may change by the hour alone, such as under an emergency, are asked anew for each picture.
Source: docs/adr/0026, 0054, 0058.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import DecisionChangedError, Permits
from orthanc_plugin.lifecycle.policies import require_in_force
from orthanc_plugin.registry.fence import Passing
from orthanc_plugin.registry.standstill import Seen, seen
from orthanc_plugin.sending.packing import LOST, Packed, Packer
from orthanc_plugin.services import Services


class Objection(NamedTuple):
    """Why a picture stays; ``refused``: a decision says no by now."""

    words: str
    refused: bool = False


class LastQuestion:
    """Asks about the pictures of a group, one after the other.

    Args:
        services: the gate and the registry.
        packer: knows the claim on them.
        packed: those that have begun, in the order in which they go.
    """

    def __init__(self, services: Services, packer: Packer, packed: Iterable[Packed]) -> None:
        self.services = services
        self.packer = packer
        self._coming = {each.disclosure: each for each in packed}
        self._found: dict[str, Objection | None] = {}
        self._when: tuple[Seen, date] | None = None

    def objection(self, packed: Packed, passing: Passing) -> Objection | None:
        """Return why ``packed`` must not go, None when it may, as what ``passing`` is within the fence."""
        try:
            with self.services.database.reading(passing) as connection:
                now = seen(connection), hospital_day(self.services.clock())
                if now != self._when or packed.disclosure not in self._found or self._stopped:
                    self._ask(connection, packed)
                    self._when = now
        except ConsentgateError as error:
            return Objection(str(error.args[0]))
        del self._coming[packed.disclosure]
        return self._found[packed.disclosure]

    @property
    def _stopped(self) -> bool:
        """Tell whether something stops every picture that the registry doesn't know of."""
        claim = self.packer.claim
        return self.services.gate.closed is not None or (claim is not None and claim.over)

    def _ask(self, connection: Connection, packed: Packed) -> None:
        """Ask about it, and about those behind it whose answer lasts."""
        self._found.clear()
        asked = [each for each in self._coming.values() if each is packed or each.answer.standing is not None]
        require_in_force(connection, self.services.policy)
        held = self.packer.held(connection, [each.answer.request.sop_instance_uid for each in asked])
        permits = self.services.gate.permits.shelf(connection)
        for each in asked:
            self._found[each.disclosure] = self._answer(connection, each, permits, held)

    def _answer(self, connection: Connection, each: Packed, permits: Permits, held: frozenset[str]) -> Objection | None:
        try:
            self.services.holding(connection, each.answer, each.released, permits)  # also that it is made so still
        except ReleaseRefusedError as error:
            return Objection(str(error.args[0]), refused=isinstance(error, DecisionChangedError))
        return None if each.answer.request.sop_instance_uid in held else Objection(LOST.reasons[0])
