"""What a courier has in hand: rows of the outbox, and what becomes of each.

Knows the outbox, back-off and dead letters. Must not know how anything is sent, nor decide. A decision's no is no
failure: it is not asked again by the clock, but by the next trigger. Whatever else went wrong is tried again, later and
later and by chance within that time (full jitter), so that those who wait for one recipient don't come back together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.clock import Clock
from orthanc_plugin.gate import Answer
from orthanc_plugin.policy.routing import Route
from orthanc_plugin.registry import outbox, recalls
from orthanc_plugin.registry.outbox import Claimed, State
from orthanc_plugin.sending.delivery import Handover

FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=6)
MOST_ATTEMPTS: Final = 24  # a day and a half at the least likely, a weekend on average
LONGEST_REASON: Final = 500
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
        chance: Chance,
        stopping: Callable[[], bool],
    ) -> None:
        self.rows = {each.sop_instance_uid: each for each in claimed}
        self.route = route
        self.recipient = recipient
        self.vouched = vouched
        self.clock = clock
        self.chance = chance
        self.stopping = stopping

    def held(self, connection: Connection, sop_instance_uid: str) -> bool:
        """Tell whether the picture is still ours to send, and anything is begun at all any more."""
        ours = not self.stopping() and outbox.holds(connection, self.rows[sop_instance_uid], self.clock())
        return ours and not recalls.mistaken(connection, self.recipient, (sop_instance_uid,))

    def begun(self, connection: Connection, answer: Answer, disclosure_id: str) -> None:
        """Note the release in the row, where whoever finds it after a crash looks."""
        claimed = self.rows[answer.request.sop_instance_uid]
        outbox.begun(connection, claimed, answer.decision_id, disclosure_id)

    def ended(self, connection: Connection, handovers: Sequence[Handover]) -> None:
        """Note what became of pictures."""
        for each in handovers:
            if not (each.delivered and self.vouched):
                self.end(connection, each.row.sop_instance_uid, self.outcome(each))

    def end(self, connection: Connection, sop_instance_uid: str, outcome: Outcome) -> None:
        """Note the end of a row, unless it is in other hands by now."""
        outbox.ended(
            connection,
            self.rows[sop_instance_uid],
            outcome.state,
            self.clock(),
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
            return Outcome(state=State.WAITING, reason="the courier was stopped")
        return self.later(handover.row.sop_instance_uid, reason)

    def later(self, sop_instance_uid: str, reason: str) -> Outcome:
        """Return when a picture that did not arrive is tried again."""
        return once_more(self.rows[sop_instance_uid], self.route, reason, self.clock(), self.chance)
