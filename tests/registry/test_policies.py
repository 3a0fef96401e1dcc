"""Versions of the policy, marks and sweeps, on each database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orthanc_plugin.errors import IllegalTransitionError, ReleaseRefusedError
from orthanc_plugin.lifecycle import policies, redeciding
from orthanc_plugin.lifecycle.redeciding import Rulings
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import Cause
from orthanc_plugin.registry import marks, outbox, policyversions
from tests.fakes.pictures import CARE, UID
from tests.fakes.queued import AT, wanted
from tests.fakes.routed import sends
from tests.fakes.world import POLICY, World
from tests.unit.lifecycle.steps import acting, leave, recalls

OTHER = f"{POLICY}# another\n"


def activate(world: World, text: str) -> str:
    with acting(world, "admin") as (connection, act):
        digest = policies.propose(connection, act, text).sha256
    world.clock.advance(minutes=1)
    with acting(world, "governance") as (connection, act):
        policies.activate(connection, act, digest)
    return digest


def test_the_version_that_was_activated_last_is_in_force(world: World) -> None:
    with world.services.database.reading() as connection:
        assert policyversions.in_force(connection) is None
        policies.require_in_force(connection, world.services.policy)
    first, second = activate(world, POLICY), activate(world, OTHER)
    assert policies.in_force(world.services.database, world.services.policy).sha256 == second
    with world.services.database.reading() as connection:
        assert policyversions.in_force(connection) == second
        assert [each.pending for each in policyversions.listed(connection)] == [False, False]
        with pytest.raises(ReleaseRefusedError, match="Another policy"):
            policies.require_in_force(connection, world.services.policy)
    assert activate(world, POLICY) == first
    with world.services.database.reading() as connection:
        policies.require_in_force(connection, world.services.policy)


def test_a_clock_that_is_behind_activates_nothing(world: World) -> None:
    activate(world, POLICY)
    world.clock.at -= timedelta(days=1)
    with pytest.raises(IllegalTransitionError, match="clock"):
        activate(world, OTHER)


def test_a_sweep_cancels_and_recalls_only_what_the_change_forbids(world: World) -> None:
    world.file(CARE)
    for name, recipient in (("D1", "workstation"), ("D2", "teaching-archive")):
        leave(world, name, recipient=recipient, purpose="TEACHING")
    with world.services.database.writing() as connection:
        outbox.queue(connection, [wanted(UID), wanted(UID, route="care", recipient="workstation")], AT)
    rulings = Rulings(
        before=lambda _connection, wish: Effect.PERMIT_IDENTIFIABLE if wish[1] == "workstation" else Effect.DENY,
        after=lambda _connection, wish: Effect.DENY if wish[1] == "workstation" else Effect.NEEDS_REVIEW,
    )
    found = redeciding.look(world.services.database, rulings)
    assert found == redeciding.look(world.services.database, rulings, pictures=[UID])
    assert redeciding.look(world.services.database, rulings, pictures=[]).back == ()
    with acting(world) as (connection, act):
        redeciding.apply(connection, act, found, Cause.POLICY, "digest", "why")
    assert recalls(world) == {"D1": "OPEN", "D2": "NONE"}
    assert sends(world) == {(UID, "to-teaching"): "WAITING", (UID, "care"): "CANCELLED"}


def test_a_mark_says_until_when_something_was_looked_at(world: World) -> None:
    with world.services.database.writing() as connection:
        assert marks.marked(connection, marks.STABLE) is None
        for hours in (0, 1):
            marks.mark(connection, marks.STABLE, AT + timedelta(hours=hours))
        assert marks.marked(connection, marks.STABLE) == AT + timedelta(hours=1)
        assert marks.marked(connection, marks.OPT_OUTS) is None
