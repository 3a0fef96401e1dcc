"""Where a copy stands in its recall can't be changed unnoticed, though no entry seals each copy by itself."""

from __future__ import annotations

import pytest

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.lifecycle import consenting, recall, recalling, withdrawal
from orthanc_plugin.policy.recalling import Standing
from orthanc_plugin.registry import recalls, recallstates
from orthanc_plugin.registry.ledger import Delivery
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import acting, leave


@pytest.fixture
def asked(world: World) -> World:
    """Give a world after a withdrawal: D1 and D2 are asked for, D3 is published, D4 left for something else."""
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, TEACHING), None)
    world.file()
    for name in ("D1", "D2", "D3"):
        leave(world, name, outcome=Delivery.BEGUN)
    leave(world, "D4", under=("another",), outcome=Delivery.BEGUN)
    with acting(world) as (connection, act):
        recall.published(connection, act, "D3")
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    return world


def unlike(world: World) -> int:
    with world.services.database.reading() as connection:
        return recallstates.unlike(connection)


def open_recall(world: World) -> str:
    with world.services.database.reading() as connection:
        (found,) = recalls.listed(connection, standings=(Standing.OPEN, Standing.REFUSED))
    return found.recall_id


def one_confirmed(world: World) -> None:
    with acting(world) as (connection, act):
        recall.confirm(connection, act, "D1", "letter, on file")


def refused(world: World) -> None:
    with acting(world) as (connection, act):
        recalling.acknowledge(connection, act, open_recall(world), "letter, on file", refused=True)


def acknowledged(world: World) -> None:
    with acting(world) as (connection, act):
        recalling.acknowledge(connection, act, open_recall(world), "letter, on file")


def one_published(world: World) -> None:
    with acting(world) as (connection, act):
        recall.published(connection, act, "D1")


def test_a_recall_that_goes_its_way_is_as_the_trail_has_it_at_every_step(asked: World) -> None:
    assert unlike(asked) == 0
    for step in (one_confirmed, refused, acknowledged):
        step(asked)
        assert unlike(asked) == 0, step.__name__


def test_a_copy_that_is_published_while_it_is_asked_for_is_as_the_trail_has_it(asked: World) -> None:
    one_published(asked)
    assert unlike(asked) == 0
    acknowledged(asked)
    assert unlike(asked) == 0


@pytest.mark.parametrize(
    "change",
    [
        "recall = 'CONFIRMED' WHERE disclosure_id = 'D1'",
        "recall = 'NONE' WHERE disclosure_id = 'D1'",
        "recall = 'NOT_RECALLABLE' WHERE disclosure_id = 'D1'",
        "recall = 'OPEN' WHERE disclosure_id = 'D3'",
        "recall = 'CONFIRMED' WHERE disclosure_id = 'D3'",
        "recall = 'CONFIRMED' WHERE disclosure_id = 'D4'",
        "recall = 'OPEN' WHERE disclosure_id = 'D4'",
        "recall = 'NOT_RECALLABLE' WHERE disclosure_id = 'D4'",
    ],
)
def test_a_copy_that_was_moved_behind_the_trail_s_back_is_counted(change: str, asked: World) -> None:
    asked.sql(f"UPDATE disclosures SET {change}")  # noqa: S608 - words of ours
    assert unlike(asked) == 1


@pytest.mark.parametrize("state", ["OPEN", "NONE", "NOT_RECALLABLE"])
def test_what_was_acknowledged_stays_so(state: str, asked: World) -> None:
    acknowledged(asked)
    asked.sql(f"UPDATE disclosures SET recall = '{state}' WHERE disclosure_id = 'D2'")  # noqa: S608 - words of ours
    assert unlike(asked) == 1


def test_copies_that_were_recalled_before_there_were_recalls_are_as_the_trail_has_them(asked: World) -> None:
    asked.sql("DELETE FROM recall_copies")
    assert unlike(asked) == 0  # the withdrawal's entry names them
    one_confirmed(asked)
    assert unlike(asked) == 0
    asked.sql("UPDATE disclosures SET recall = 'CONFIRMED' WHERE disclosure_id = 'D2'")
    assert unlike(asked) == 1


def test_the_audit_says_so(asked: World) -> None:
    asked.services.sign_head()
    shell = Shell(world=asked)
    before = shell("audit", "verify")
    assert before.exit_code == 0, before.stdout
    asked.sql("UPDATE disclosures SET recall = 'CONFIRMED' WHERE disclosure_id = 'D4'")
    found = shell("audit", "verify")
    assert found.exit_code == 1
    assert "1 copies that left don't stand where their recall and the trail have them" in found.stdout
