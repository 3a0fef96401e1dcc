"""What a recipient gave back can be sent to it anew: by a new consent, a key object, or a person; never by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.lifecycle import consenting, recall, recalling, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import outbox, recalls
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.queued import AT, wanted
from tests.fakes.routed import ROUTED, sends
from tests.fakes.world import World, make_world
from tests.unit.lifecycle.steps import acting, leave

Answer = Callable[[Connection, Act, str], object]
ROW = (UID, "to-teaching")


@pytest.fixture
def recalled(tmp_path: Path) -> World:
    """Give a world in which a route delivered a copy, and consent was withdrawn."""
    world = make_world(tmp_path, policy=ROUTED)
    world.file(CARE, TEACHING)
    leave(world, "D1")
    with acting(world) as (connection, act):
        outbox.queue(connection, [wanted(UID)], AT)
        connection.exec_driver_sql("UPDATE outbox SET state = 'DELIVERED', disclosure_id = 'D1'")
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    return world


def acknowledged(connection: Connection, act: Act, recall_id: str) -> None:
    recalling.acknowledge(connection, act, recall_id, "letter on file")


def one_by_one(connection: Connection, act: Act, _recall_id: str) -> None:
    recall.confirm(connection, act, "D1", "letter on file")


def won_t(connection: Connection, act: Act, recall_id: str) -> None:
    recalling.acknowledge(connection, act, recall_id, "letter on file", refused=True)


@pytest.mark.parametrize(
    ("answer", "then", "agreed_anew"),
    [
        (acknowledged, "CANCELLED", "WAITING"),
        (one_by_one, "CANCELLED", "WAITING"),
        (won_t, "DELIVERED", "DELIVERED"),
    ],
)
def test_what_was_given_back_goes_again_once_the_patient_agrees_anew(
    answer: Answer, then: str, agreed_anew: str, recalled: World
) -> None:
    with acting(recalled, "ig") as (connection, act):
        (known,) = recalls.listed(connection)
        answer(connection, act, known.recall_id)
    assert sends(recalled) == {ROW: then}
    recalled.clock.advance(days=1)
    anew = consent(CARE, TEACHING, id="urn:x:anew", decided_on=recalled.clock().date().isoformat())
    with acting(recalled) as (connection, act):
        consenting.record(connection, act, anew)
    assert sends(recalled)[ROW] == agreed_anew


def test_a_person_can_have_it_sent_again(recalled: World) -> None:
    with acting(recalled, "ig") as (connection, act):
        (known,) = recalls.listed(connection)
        recalling.acknowledge(connection, act, known.recall_id, "letter on file")
        (row,) = outbox.listed(connection)
        assert outbox.retry(connection, AT, outbox_id=int(str(row["outbox_id"]))) == (row["outbox_id"],)
