"""Pictures that are asked for again: who was given one by HTTP before has it again, for as long as the permit stands.

Knows by what an asking is the very same, and which permits leave nothing but their entry in the trail, whenever they
are given. Must not decide: whether one still stands is found out with the entry, and whatever isn't the same or isn't
sure is asked of the gate. Done on Orthanc's own threads, so with little stack. Source: docs/adr/0056.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from sqlalchemy import Connection

from dicomwrap.terms import Form
from orthanc_plugin.clock import hospital_day, hours_of
from orthanc_plugin.enforcement.ahead import Reach, Said
from orthanc_plugin.enforcement.exits import Match
from orthanc_plugin.gate import AccessRequest, Permits, Requester
from orthanc_plugin.policy.model import Case, Obligation
from orthanc_plugin.registry import snapshots
from orthanc_plugin.registry.atonce import AtOnce, Permit
from orthanc_plugin.registry.factversions import LOOK, Remembered
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.services import SETTLED, Services

# Met by the binding and the door, and leave neither a disclosure nor work for anybody.
BY_THE_ENTRY: Final = SETTLED - {Obligation.RECORD_DISCLOSURE}
# Names that are one picture's for good; they have different forms, so none is taken for another.
ONE: Final = (Subject.INSTANCE, Subject.SOP_INSTANCE_UID)
GET: Final = 1
MOST: Final = 1024  # ways of asking that are known at once
LONGEST: Final = 4096  # characters of one

Way = tuple[object, ...]


class Asking(NamedTuple):
    """One asking of which everything that counts is known: the path, and the way, which tells who asks."""

    uri: str
    way: Way


class _Given(NamedTuple):
    """What was given, and to whom."""

    permit: Permit
    requester: Requester
    door: str


class _Walk(NamedTuple):
    """Where somebody goes through a series: the picture that had to be decided on, and how many more to look for."""

    reach: Reach
    row: ImageRow
    subject: Subject
    uri: str
    case: Case
    most: int


class Again:
    """Gives again what was given.

    Args:
        services: gate and registry.
        later: has work done by a thread of our own, for which nobody waits.
        seconds: how long to wait; None for ever.
    """

    def __init__(self, services: Services, later: Callable[[Callable[[], None]], None], seconds: float | None) -> None:
        self.services = services
        self.later = later
        self.seconds = seconds
        self._given: Remembered[tuple[str, int], _Given] = Remembered(services.database.undone)
        self._reaches: Remembered[tuple[str, str, int], Reach] = Remembered(services.database.undone)
        self._ways: dict[Way, int] = {}
        self._numbers = 0
        gate = services.gate
        self._entries = AtOnce(services.database, services.clock, services.ids, lambda: gate.closed is not None)

    def give(self, uri: str, request: Mapping[str, object]) -> bool:
        """Record that a picture is given again; False when the request is to be decided on as usual.

        Raises:
            TimeoutError: it took too long, and nothing leaves.
        """
        headers = request.get("headers")
        if request.get("method") != GET or request.get("get") or not isinstance(headers, dict):
            return False
        way = self._ways.get((request.get("ip"), *headers.items()))
        found = None if way is None else self._given.newest.get((uri, way))
        return found is not None and self._entries.write(found.permit, self.seconds, lambda: self._tell_late(found))

    def note(
        self,
        connection: Connection,
        asking: Asking,
        match: Match,
        requester: Requester,
        row: ImageRow,
        permits: Permits,
    ) -> None:
        """Note what was given, in the write transaction that recorded it, if all that it leaves is its entry."""
        if permits.version is None or requester.form is Form.ANONYMISED:  # that such a one asked is noted each time
            return
        day = hospital_day(self.services.clock())
        asked = AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=match.door)
        standing = permits.get((requester, asked.sop_instance_uid, asked.content, day))
        stencil = None if standing is None else standing.stencils.get(match.door)
        if standing is None or stencil is None or not BY_THE_ENTRY.issuperset(standing.decision.obligations):
            return
        way, given, hours = self._number(asking.way), self._given.beside(permits), hours_of(day)
        noted = _Given(Permit(permits.version, *hours, stencil), requester, match.door)
        given.keep((asking.uri, way), noted)
        if match.subject in ONE and connection.dialect.name == "sqlite":
            key, reaches = (row.series_instance_uid, match.door, way), self._reaches.beside(permits)
            reach = reaches.get(key) or Reach()
            reaches.keep(key, reach)
            if most := reach.wanted():
                walk = _Walk(reach, row, match.subject, asking.uri, standing.case, most)
                with suppress(RuntimeError):  # at the stop nobody looks ahead any more
                    self.later(lambda: self._look_ahead(walk, way, noted))

    def _look_ahead(self, walk: _Walk, way: int, noted: _Given) -> None:
        """Note what holds of the pictures that are likely to be asked for next, while the facts are what they were."""
        permit, shelf = noted.permit, self._given.newest
        try:
            with self.services.database.reading() as connection:
                if shelf.version != permit.version or LOOK.rows(connection)[:1] != [permit.version[0]]:
                    return
                said = Said(walk.uri, permit.stencil, snapshots.of(walk.case))
                for each in walk.reach.look(connection, walk.row, walk.subject, said, walk.most):
                    if shelf.get((each.uri, way)) is None:
                        like = Permit(permit.version, permit.since, permit.until, each.entry, each.facts)
                        shelf.keep((each.uri, way), _Given(like, noted.requester, noted.door))
        finally:
            walk.reach.looked()

    def _number(self, way: Way) -> int:
        """Return the number of a way of asking, which no other has or will have."""
        if way not in self._ways:
            if len(self._ways) >= MOST:
                self._ways.clear()
            self._numbers += 1
            self._ways[way] = self._numbers
        return self._ways[way]

    def _tell_late(self, given: _Given) -> None:
        """Have it recorded that a permit opened nothing."""
        refuse, reason = self.services.gate.refuse, "the answer came too late, and nothing left"
        with suppress(RuntimeError):  # at the stop nothing else leaves by it either
            self.later(lambda: refuse(given.requester, given.door, reason, rule="TOO_LATE"))


def asking(uri: str, request: Mapping[str, object]) -> Asking | None:
    """Return by what the very same asking will be known; None when it won't be."""
    headers = request.get("headers")
    if request.get("method") != GET or request.get("get") or not isinstance(headers, dict):
        return None
    said = (request.get("ip"), *headers.items())
    return Asking(uri, said) if len(uri) + sum(map(len, map(str, said))) <= LONGEST else None
