"""What a courier has in hand: rows of the outbox, and what becomes of each.

Knows the outbox, back-off and dead letters. Must not know how anything is sent, nor decide. A decision's no is no
failure: it is not asked again by the clock, but by the next trigger. Whatever else went wrong is tried again, later and
later and by chance within that time (full jitter), so that those who wait for one recipient don't come back together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.clock import Clock, Ticks
from orthanc_plugin.gate import Answer
from orthanc_plugin.policy.routing import Route
from orthanc_plugin.registry import outbox, recalls
from orthanc_plugin.registry.outbox import Claimed, State
from orthanc_plugin.sending.delivery import Handover

FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=6)
MOST_ATTEMPTS: Final = 24  # a day and a half at the least likely, a weekend on average
LONGEST_REASON: Final = 500
STOPPED: Final = "the courier was stopped"
LONGEST_TURN: Final = 10.0  # seconds after the first picture of a group, when what hasn't begun waits for another turn
Chance = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one row; ``untried``: nobody was called."""

    state: State
    reason: str = ""
    next_try: datetime | None = None
    untried: bool = False


def pause(attempts: int, chance: Chance) -> timedelta:
    """Return how long to wait after so many attempts; ``chance`` is from 0 to 1."""
    longest = min(LONGEST_PAUSE.total_seconds(), FIRST_PAUSE.total_seconds() * 2.0 ** min(attempts, 32))
    return timedelta(seconds=longest * chance())


def once_more(claimed: Claimed, route: Route, reason: str, at: datetime, chance: Chance) -> Outcome:
    """Return when it is tried again, or that it is given up."""
    later = at + pause(claimed.attempts, chance)
    if claimed.attempts >= MOST_ATTEMPTS:
        return Outcome(state=State.DEAD, reason=f"given up after {claimed.attempts} attempts: {reason}")
    if route.expired(later):
        return Outcome(state=State.DEAD, reason=f"the route ends before the next attempt: {reason}")
    return Outcome(state=State.WAITING, reason=reason, next_try=later)


class RouteErrand:
    """Pictures of one study for one route, on their way to one recipient.

    Args:
        claimed: the rows.
        route: what they are sent by.
        recipient: whom they are sent to.
        vouched: whether the recipient is asked for storage commitment before a row counts as delivered.
        clock: gives the present moment.
        ticks: measures how long it takes.
        chance: from 0 to 1.
        stopping: whether the courier is to end.
    """

    def __init__(
        self,
        claimed: Iterable[Claimed],
        route: Route,
        *,
        recipient: str,
        vouched: bool,
        clock: Clock,
        ticks: Ticks,
        chance: Chance,
        stopping: Callable[[], bool],
    ) -> None:
        self.rows = {each.sop_instance_uid: each for each in claimed}
        self.route = route
        self.recipient = recipient
        self.vouched = vouched
        self.clock = clock
        self.ticks = ticks
        self.chance = chance
        self.stopping = stopping
        self._first_ended: float | None = None

    @property
    def over(self) -> bool:
        """Tell whether nothing is begun any more."""
        return self.stopping()

    @property
    def late(self) -> bool:
        """Tell whether it has taken long: what hasn't begun is left for another turn, before which others may go.

        How long the call took doesn't count: a recipient that is slow to answer it would be called for each picture.
        """
        return self._first_ended is not None and self.ticks() - self._first_ended >= LONGEST_TURN

    def held(self, connection: Connection, uids: Collection[str]) -> frozenset[str]:
        """Return which of these pictures are still ours to send; none when nothing is begun any more."""
        if self.stopping():
            return frozenset()
        ours = outbox.held(connection, [self.rows[each] for each in uids], self.clock())
        return frozenset(each for each in uids if self.rows[each].outbox_id in ours) - recalls.mistaken(
            connection, self.recipient, tuple(uids)
        )

    def begun(self, connection: Connection, releases: Iterable[tuple[Answer, str]]) -> None:
        """Note releases in their rows, where whoever finds them after a crash looks."""
        outbox.begun_together(
            connection,
            (
                (self.rows[answer.request.sop_instance_uid], answer.decision_id, disclosure_id)
                for answer, disclosure_id in releases
            ),
        )

    def ended(self, connection: Connection, handovers: Sequence[Handover]) -> None:
        """Note what became of pictures."""
        if self._first_ended is None:
            self._first_ended = self.ticks()
        over = (each for each in handovers if not (each.delivered and self.vouched))
        self.end(connection, {each.row.sop_instance_uid: self.outcome(each) for each in over})

    def end(self, connection: Connection, outcomes: Mapping[str, Outcome]) -> None:
        """Note the ends of rows by picture, each unless it is in other hands by now."""
        outbox.ended_together(connection, [self._end(*each) for each in outcomes.items()], self.clock())

    def _end(self, sop_instance_uid: str, outcome: Outcome) -> outbox.End:
        return outbox.End(
            claimed=self.rows[sop_instance_uid],
            state=outcome.state,
            reason=outcome.reason[:LONGEST_REASON],
            next_try=outcome.next_try,
            untried=outcome.untried,
        )

    def outcome(self, handover: Handover) -> Outcome:
        """Return what a handover means for its row."""
        reason = "; ".join(handover.reasons)
        if handover.delivered:
            return Outcome(state=State.DELIVERED, reason=reason)
        if handover.delivery is None and not handover.undone:
            return Outcome(state=State.REFUSED, reason=reason)
        if self.stopping():
            return Outcome(state=State.WAITING, reason=STOPPED)
        return self.later(handover.row.sop_instance_uid, reason)

    def later(self, sop_instance_uid: str, reason: str) -> Outcome:
        """Return when a picture that did not arrive is tried again."""
        return once_more(self.rows[sop_instance_uid], self.route, reason, self.clock(), self.chance)
