"""The courier: takes what waits in the outbox and sends it, a study and route at a time.

Knows the outbox, the routes and in what order things happen. Must not know how anything is sent, nor decide: each
picture is decided on at the moment of sending, in the transaction that records its release and looks whether it is
still this courier's. What one that died had begun counts as sent, because nobody knows, and goes once more under the
same SOP Instance UID. Source: architecture 4 (outbox); enforcement 3.6; PS3.4 annexes B and J; docs/adr/0036.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.errors import ConsentgateError, UnknownRecordError
from orthanc_plugin.policy.routing import Route
from orthanc_plugin.registry import images, ledger, outbox, recalls, unended
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.outbox import Claimed, State
from orthanc_plugin.registry.outboxrows import ANYWHERE
from orthanc_plugin.sending import brokenoff
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.delivery import Courier, Handover
from orthanc_plugin.sending.errand import MOST_ATTEMPTS, STOPPED, Chance, RouteErrand, once_more, pause
from orthanc_plugin.sending.errand import Outcome as End
from orthanc_plugin.sending.lease import kept
from orthanc_plugin.sending.pace import FEWEST, Pace
from orthanc_plugin.sending.vouching import have_vouched
from orthanc_plugin.sending.ways import Ways
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

DOOR: Final = "courier"
LEASE: Final = timedelta(minutes=5)
LEFT: Final = "the recipient had failed before"
LATE: Final = "those before it took long, so others may go first"
CLOSED: Final = "the route's window is closed"
MISTAKEN: Final = "it went to this recipient by mistake before, as somebody has recorded"
WORN_OUT: Final = "given up: whoever had it in hand ended each time, and did not say how"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What became of the pictures of one study and route; nobody is named."""

    route: str
    recipient: str
    pictures: int
    delivered: int
    refused: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Goes from the outbox to the recipients and back.

    Attributes:
        services: gate, registry, release and policy.
        archive: reads.
        ways: gives the way to each recipient.
        readers: read the next pictures while some are sent.
        name: of this courier.
        chance: from 0 to 1, for back-off.
        stopping: whether it is to end.
        since: only what was due then is sent; None for whatever is due.
        place: the archive that it reads from, as the holdings call it: what others have their couriers send.
        renewing: every how many seconds the lease is renewed while pictures are sent.
        last: the rows that this courier had in hand last, in whichever of its rounds.
        pace: how many it takes at once, by how long those before took.
    """

    services: Services
    archive: ImageArchive
    ways: Ways
    readers: Worker
    name: str
    chance: Chance
    stopping: Callable[[], bool]
    since: datetime | None = None
    place: str = ANYWHERE
    renewing: float = LEASE.total_seconds() / 3
    last: list[int] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)

    def turn(self) -> Turn | None:
        """Send what is next; None when nothing is due.

        Raises:
            RegistryError: the outbox can't be asked.
        """
        claimed = self.services.database.write(self._claim)
        if not claimed:
            return None
        self.last[:] = (each.outbox_id for each in claimed)
        route = next((each for each in self.services.policy.routes if each.name == claimed[0].route), None)
        if route is None:
            return self._all_end(claimed, End(state=State.CANCELLED, reason="policy.toml has no such route any more"))
        if (end := self._objection(route, claimed)) is not None:
            return self._all_end(claimed, end)
        return self._sent(route, claimed)

    def due(self) -> bool:
        """Tell whether anything is due, by reading alone.

        Raises:
            RegistryError: the outbox can't be asked.
        """
        with self.services.database.reading() as connection:
            return outbox.is_due(connection, self.services.clock(), self.place)

    def take_back(self) -> None:
        """Have what this courier holds wait no longer for its own lease, after something failed; see ``unended``.

        Raises:
            RegistryError: the outbox can't be asked.
        """

        def later(attempts: int) -> timedelta:
            return pause(attempts, self.chance)

        def take(connection: Connection) -> None:
            for each in unended.take_back(connection, self.name, self.last, self.services.clock(), later):
                brokenoff.settle(connection, self.services, each, each.disclosure_id)

        self.services.database.write(take)

    def _claim(self, connection: Connection) -> tuple[Claimed, ...]:
        """Take what is next, and settle what a courier that died had begun of it."""
        at = self.services.clock()
        until = at + LEASE
        paces = self.pace.by_route
        claimed = outbox.claim(connection, self.name, at, until, FEWEST, self.since, archive=self.place, by_route=paces)
        for each in claimed:
            if each.disclosure_id and _unended(connection, each.disclosure_id):
                brokenoff.settle(connection, self.services, each, each.disclosure_id)
            if each.attempts > MOST_ATTEMPTS:  # a picture that ends couriers ends no more of them
                outbox.ended(connection, each, State.DEAD, at, reason=WORN_OUT)
        return tuple(each for each in claimed if each.attempts <= MOST_ATTEMPTS)

    def _objection(self, route: Route, claimed: Sequence[Claimed]) -> End | None:
        """Return why nothing goes by this route now."""
        at = self.services.clock()
        if not route.enabled or route.expired(at):
            return End(state=State.DEAD, reason="the route is switched off or over")
        opening = route.opening(at)
        if opening is None:
            return End(state=State.DEAD, reason="the route's window never opens")
        if opening > at:
            return End(state=State.WAITING, reason=CLOSED, next_try=opening, untried=True)
        if any(each.purpose != route.purpose for each in claimed):
            return End(state=State.CANCELLED, reason="the route is for another purpose by now")
        if self.services.policy.recipient(self._recipient(route, claimed)) is None:
            return once_more(claimed[0], route, "policy.toml has no such recipient", at, self.chance)
        return None

    @staticmethod
    def _recipient(route: Route, claimed: Sequence[Claimed]) -> str:
        """Return whose turn it is: the alternates' when the first one failed."""
        every = (route.recipient, *route.alternates)
        return every[(max(each.attempts for each in claimed) - 1) % len(every)]

    def _all_end(self, claimed: Sequence[Claimed], end: End) -> Turn:
        at, first = self.services.clock(), claimed[0]

        def note(connection: Connection) -> None:
            for each in claimed:
                outbox.ended(
                    connection, each, end.state, at, reason=end.reason, next_try=end.next_try, untried=end.untried
                )

        self.services.database.write(note)
        refused = 0 if end.state is State.WAITING else len(claimed)
        return Turn(
            route=first.route,
            recipient=first.recipient,
            pictures=len(claimed),
            delivered=0,
            refused=refused,
            waiting=len(claimed) - refused,
        )

    def _sent(self, route: Route, claimed: Sequence[Claimed]) -> Turn:
        """Send a group; what is left of it when something fails waits for another turn."""
        to = self.services.policy.recipient(self._recipient(route, claimed))
        assert to is not None  # noqa: S101 - none is an objection
        mistaken = self._mistaken(to, claimed)
        errand = RouteErrand(
            [each for each in claimed if each.sop_instance_uid not in mistaken],
            route,
            recipient=to.name,
            vouched=isinstance(to, DicomNode) and to.commitment,
            clock=self.services.clock,
            ticks=self.services.ticks,
            chance=self.chance,
            stopping=self.stopping,
        )
        handed: dict[str, Handover] = {}
        reason, began = "", self.services.ticks()
        try:
            with kept(lambda: self._renew(errand), self.renewing):
                self._hand(route, to, errand, handed)
        except ConsentgateError as error:
            reason = str(error.args[0])
        except Exception:  # the boundary: one group must not end the courier
            logger.exception("a group of pictures could not be sent")
            reason = "sending broke off"
        away = any(each.last for each in handed.values())
        reason = reason or (LATE if errand.late and not away else LEFT)
        self._put_back(errand, [each for each in errand.rows if each not in handed], reason)
        refused = len(mistaken) + sum(each.delivery is None and not each.undone for each in handed.values())
        delivered = sum(each.delivered for each in handed.values())
        if not errand.vouched:  # what is asked for together, and waited for, stays few
            self.pace.took(route.name, delivered, self.services.ticks() - began)
        return Turn(
            route=route.name,
            recipient=to.name,
            pictures=len(claimed),
            delivered=delivered,
            refused=refused,
            waiting=len(claimed) - delivered - refused,
        )

    def _mistaken(self, to: Destination, claimed: Sequence[Claimed]) -> frozenset[str]:
        """Return which pictures went to this recipient by mistake before: they don't go there again by themselves."""
        at = self.services.clock()

        with self.services.database.reading() as connection:
            found = recalls.mistaken(connection, to.name, [each.sop_instance_uid for each in claimed])

        def refuse(connection: Connection) -> None:
            for each in claimed:
                if each.sop_instance_uid in found:
                    outbox.ended(connection, each, State.REFUSED, at, reason=MISTAKEN)

        if found:
            self.services.database.write(refuse)
        return found

    def _hand(self, route: Route, to: Destination, errand: RouteErrand, handed: dict[str, Handover]) -> None:
        with self.services.database.reading() as connection:
            rows = images.find(connection, Subject.SOP_INSTANCE_UID, tuple(errand.rows))
        door = Courier(self.services, self.archive, {}, self.readers, errand)
        requester = bound(f"route {route.name}"[:64], to)
        with closing(door.hand(requester, rows, to, DOOR, self.ways.to(to))) as handovers:
            for each in handovers:
                handed[each.row.sop_instance_uid] = each
        if errand.vouched and isinstance(to, DicomNode):
            for uid in have_vouched(self.services, self.ways.peer(to), errand, handed, self.ways.heard):
                handed[uid] = replace(handed[uid], delivery=Delivery.SENT)

    def _renew(self, errand: RouteErrand) -> None:
        at = self.services.clock()
        mine = tuple(errand.rows.values())

        def renew(connection: Connection) -> None:
            outbox.renew(connection, mine, at, at + LEASE)
            unended.still_at_it(connection, mine, at)

        self.services.database.write(renew)

    def _put_back(self, errand: RouteErrand, uids: Sequence[str], reason: str) -> None:
        """Have what was not sent wait again."""
        why = STOPPED if self.stopping() else reason
        untried = End(state=State.WAITING, reason=why, untried=True)
        ends = {uid: untried if why in (STOPPED, LATE) else errand.later(uid, why) for uid in uids}
        if ends:
            self.services.database.write(lambda connection: errand.end(connection, ends))


def _unended(connection: Connection, disclosure_id: str) -> bool:
    """Tell whether nobody has written down how a release ended; one that isn't on record holds no other row up."""
    try:
        return ledger.get(connection, disclosure_id)["outcome"] == Delivery.BEGUN
    except UnknownRecordError:
        return False
