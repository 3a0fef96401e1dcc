"""What a copy that left was marked as is sealed in the trail: published, key destroyed, a place of deposit's."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.cli.audit import RECORDS, _newest
from orthanc_plugin.lifecycle import recall
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import ledger
from orthanc_plugin.retention import receipts
from tests.fakes.depositing import approved, exported, transfer_of, with_place, with_record
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, leave


def marks(world: World) -> set[str]:
    with world.services.database.reading() as connection:
        return set(ledger.mark_seals(connection))


def said(world: World) -> list[str]:
    return [line for each in world.services.trail.tail(100) for line in str(each["detail"]).splitlines()]


def is_as_told(world: World) -> bool:
    """Tell what the audit asks of these seals: the newest words on each are those of the row."""
    return _newest(said(world), ledger.MARK_SEAL) == _newest(marks(world), ledger.MARK_SEAL)


@pytest.fixture
def marked(world: World) -> World:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", effect=Effect.PERMIT_ANONYMISED)
    with acting(world) as (connection, act):
        recall.published(connection, act, "D1")
        recall.key_destroyed(connection, act, "D2")
    return world


def test_what_a_person_says_of_a_copy_is_sealed(marked: World) -> None:
    assert len(marks(marked)) == 2
    assert is_as_told(marked)
    assert RECORDS["disclosure's mark"] == (ledger.MARK_SEAL, ledger.mark_seals)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE disclosures SET kind = 'COPY' WHERE disclosure_id = 'D1'",
        "UPDATE disclosures SET key_destroyed = 0 WHERE disclosure_id = 'D2'",
        "UPDATE disclosures SET kind = 'PUBLISHED' WHERE disclosure_id = 'D2'",
    ],
)
def test_a_mark_that_was_changed_beside_consentgate_is_noticed(statement: str, marked: World) -> None:
    marked.sql(statement)
    assert not is_as_told(marked)


def test_a_copy_of_a_place_of_deposit_is_sealed_and_so_is_that_it_is_not_to_keep_it(world: World) -> None:
    folder: Path = with_place(world)
    bureau = with_record(world)
    plan = approved(bureau)
    exported(bureau, plan)
    assert folder.is_dir()
    assert (len(marks(world)), is_as_told(world)) == (2, True)
    with world.services.database.writing() as connection:
        receipts.abandon(connection, bureau.act("officer"), transfer_of(bureau, plan).transfer_id, "no answer")
    assert (len(marks(world)), is_as_told(world)) == (2, True)
