"""The last question: answered once for pictures that go together, and anew as soon as anything has happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest

from orthanc_plugin.lifecycle import policies
from orthanc_plugin.registry import outbox
from tests.fakes.pictures import CARE
from tests.fakes.rounds import Ward, routed
from tests.fakes.world import POLICY, World
from tests.registry.test_fence import withdraw
from tests.unit.lifecycle.steps import acting

UIDS: Final = tuple(f"2.25.{number}" for number in range(900, 908))
FIRST: Final = 4  # so many have gone when it happens: the first, two together, and one of the next four


def activates(world: World) -> None:
    """Put another policy in force."""
    with acting(world, "admin") as (connection, act):
        digest = policies.propose(connection, act, f"{POLICY}# another\n").sha256
    world.clock.advance(minutes=1)
    with acting(world, "governance") as (connection, act):
        policies.activate(connection, act, digest)


def shuts(world: World) -> None:
    """Shut every door, of which the registry knows nothing."""
    world.services.gate.close("test")


def cancels(world: World) -> None:
    """Cancel what is queued."""
    with world.services.database.writing() as connection:
        outbox.cancel(connection, "test", world.clock(), pictures=UIDS)


def goes_by(world: World) -> None:
    """Have the lease run out that nobody renews, without any commit."""
    world.clock.at += timedelta(days=20_000)


HAPPENINGS: Final[dict[str, tuple[Callable[[World], None], str]]] = {
    "a withdrawal": (withdraw, "The decision changed before the release began"),
    "another policy": (activates, "Another policy.toml was activated"),
    "shut doors": (shuts, "The decision changed before the release began"),
    "a cancelled row": (cancels, "It is no longer ours to send"),
    "a long time": (goes_by, "It is no longer ours to send"),
}


@pytest.mark.parametrize(("happens", "why"), HAPPENINGS.values(), ids=HAPPENINGS)
def test_what_was_asked_about_together_is_asked_again_once_something_has_happened(
    happens: Callable[[World], None], why: str, world: World
) -> None:
    ward = filed(world)

    def sees(_modality: str, _content: bytes) -> None:
        if len(world.archive.sent) == FIRST - 1:
            happens(world)

    world.archive.watcher = sees
    ward.turn()
    assert len(world.archive.sent) == FIRST
    stayed = [str(each["outcome"]) for each in world.disclosures()][FIRST:]
    assert set(stayed) == {"FAILED"}
    told = [str(each["reasons"]) for each in world.trail() if each["event"] == "110104" and each["outcome"] == "8"]
    assert told
    assert why in told[0]


def test_pictures_that_go_together_all_go_where_nothing_happens(world: World) -> None:
    ward = filed(world)
    turn = ward.turn()
    assert turn is not None
    assert (turn.delivered, len(world.archive.sent)) == (len(UIDS), len(UIDS))


def filed(world: World) -> Ward:
    """Return a ward in which pictures wait."""
    for uid in UIDS:
        world.file(CARE, uid=uid)
    assert world.consents()
    ward = routed(world)
    ward.queue(*UIDS)
    return ward
