"""A process that is killed leaves nothing half-written, and the registry goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from orthanc_plugin.audit.chain import verify
from tests.fakes import postgres
from tests.fakes.pictures import CARE, CONSENT_ID, consent
from tests.fakes.processes import actors
from tests.fakes.world import World, make_world

Contents = tuple[list[tuple[object, ...]], list[dict[str, object]]]


def contents(world: World) -> Contents:
    return world.sql("SELECT consent_id, version, record FROM consents ORDER BY 1, 2"), world.trail()


def goes_on(world: World) -> bool:
    """Tell whether the trail is whole and the next withdrawal is written."""
    return world.withdraw().version == 2 and verify(world.services.trail.entries()).whole


def test_a_process_killed_in_the_middle_of_a_withdrawal_leaves_nothing_of_it(world: World) -> None:
    world.record(consent(CARE))
    world.services.gate.refuse(world.requester(), "door", "reason", rule="RULE")
    before = contents(world)
    with actors(world, "hang") as (hanging,):
        hanging.begin(CONSENT_ID)
        assert hanging.answer() == "half"
        hanging.kill()
    assert contents(world) == before
    assert goes_on(world)


def test_a_process_killed_at_any_moment_leaves_whole_transactions(world: World) -> None:
    moments = Random(11)  # noqa: S311 - only to vary the moment
    for round_ in range(3):
        with actors(world, "write") as (writer,):
            writer.begin(f"round{round_}")
            done = [writer.line() for _ in range(moments.randint(1, 20))]
            time.sleep(moments.uniform(0, 0.01))
            writer.kill()
        written = [str(entry["id"]) for entry in world.trail() if entry["actor"] == f"round{round_}"]
        assert written == [f"round{round_}-{number}-{half}" for number in range(len(written) // 2) for half in "ab"]
        assert len(written) // 2 >= len(done)
    assert verify(world.services.trail.entries()).whole


@pytest.fixture
def careful(tmp_path: Path) -> Iterator[tuple[postgres.Server, World]]:
    """Give a server that syncs its files, so that it may be cut off, and a world on it."""
    with postgres.running(options=()) as server:
        world = make_world(tmp_path, database=server.database())
        yield server, world
        world.close()


def test_a_server_cut_off_in_the_middle_of_a_withdrawal_denies_and_then_goes_on(
    careful: tuple[postgres.Server, World],
) -> None:
    server, world = careful
    world.file(CARE)
    assert world.services.gate.authorize(world.request()).decision.permits
    before = contents(world)
    with actors(world, "hang") as (hanging,):
        hanging.begin(CONSENT_ID)
        assert hanging.answer() == "half"
        server.stop("immediate")
        denied = world.services.gate.authorize(world.request()).decision
        assert (denied.permits, denied.rules) == (False, ("FAIL_CLOSED",))
        server.start()
    assert "was not properly shut down" in server.log
    assert contents(world) == before
    assert world.services.gate.authorize(world.request()).decision.permits
    assert goes_on(world)
