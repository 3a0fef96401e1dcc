"""Whatever couriers, triggers and withdrawals do in whatever order, a row is in one pair of hands, or in nobody's."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.outbox import Claimed, State
from orthanc_plugin.registry.tables import metadata
from tests.fakes.queued import AT, wanted

PICTURES = tuple(f"1.2.{number}" for number in range(4))
LEASE = timedelta(minutes=5)
STEPS = st.one_of(
    st.tuples(st.just("queue"), st.sampled_from(PICTURES), st.booleans()),
    st.tuples(st.just("claim"), st.integers(1, 3)),
    st.tuples(st.just("end"), st.sampled_from([*State][2:-1]), st.integers(0, 9)),
    st.tuples(st.just("back off"), st.integers(0, 9)),
    st.tuples(st.just("renew"), st.integers(0, 9)),
    st.tuples(st.just("cancel"), st.sampled_from(PICTURES)),
    st.tuples(st.just("retry")),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


class Model:
    """The outbox, and what each row was when it was last seen."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.at = AT
        self.given: list[Claimed] = []
        self.settled: set[int] = set()  # delivered: nobody is ever given these again

    def step(self, kind: str, *said: object) -> None:
        """Do one thing."""
        one = self.given[int(str(said[-1])) % len(self.given)] if self.given and kind in NEED_ONE else None
        if kind == "queue":
            outbox.queue(self.connection, [wanted(str(said[0]))], self.at, revive=bool(said[1]))
        elif kind == "claim":
            rows = outbox.claim(self.connection, "courier", self.at, self.at + LEASE, int(str(said[0])))
            assert self.settled.isdisjoint(row.outbox_id for row in rows)
            assert not any(row.fence <= old.fence for row in rows for old in self.given if same(row, old))
            self.given += rows
        elif kind == "cancel":
            outbox.cancel(self.connection, "withdrawn", self.at, pictures=[str(said[0])])
            assert not [row for row in self.held() if row.sop_instance_uid == said[0]]
        elif kind == "retry":
            outbox.retry(self.connection, self.at)
        elif kind == "wait":
            self.at += timedelta(minutes=int(str(said[0])))
        elif one is not None:
            self.with_one(kind, one, said[0])

    def with_one(self, kind: str, one: Claimed, how: object) -> None:
        """Do something with a row that some courier was given, perhaps long ago."""
        if kind == "end" and outbox.ended(self.connection, one, State(str(how)), self.at) and how is State.DELIVERED:
            self.settled.add(one.outbox_id)
        if kind == "back off":
            outbox.ended(self.connection, one, State.WAITING, self.at, next_try=self.at + LEASE)
        if kind == "renew":
            outbox.renew(self.connection, [one], self.at, self.at + LEASE)

    def held(self) -> list[Claimed]:
        """Return what is in somebody's hands, as those who were given it would be told."""
        return [each for each in self.given if outbox.holds(self.connection, each, self.at)]


NEED_ONE = ("end", "back off", "renew")


def same(one: Claimed, other: Claimed) -> bool:
    return one.outbox_id == other.outbox_id


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=40))
def test_a_row_is_never_in_two_hands_and_what_was_delivered_or_cancelled_in_none(steps: list[tuple[str, ...]]) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        model = Model(connection)
        for kind, *said in steps:
            model.step(kind, *said)
            held = [each.outbox_id for each in model.held()]
            assert len(held) == len(set(held))
            assert model.settled.isdisjoint(held)
        every = {int(str(row["outbox_id"])): State(str(row["state"])) for row in outbox.listed(connection)}
        assert all(every[number] is State.DELIVERED for number in model.settled)
        assert sum(outbox.counts(connection).values()) == len(every) <= len(PICTURES)
    engine.dispose()
