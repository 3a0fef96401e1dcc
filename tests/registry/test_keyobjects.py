"""Key objects and rejections as rows: what came of each, what stands, and what waits again."""

from __future__ import annotations

import pytest

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry import keyobjects, outbox, rejections
from orthanc_plugin.registry.keyobjects import Came, State
from orthanc_plugin.registry.outbox import Queued
from orthanc_plugin.registry.outbox import State as Outbox
from orthanc_plugin.registry.rejections import Rejected
from tests.fakes.world import World

ONE, OTHER, NOTE = "2.25.1", "2.25.2", "2.25.9"
CAME = Came(
    key_object_uid=NOTE,
    study_instance_uid="2.25.8",
    title="DCM:128710",
    modifiers=("DCM:113010",),
    pictures=(ONE, OTHER),
    sender="",
    received_at="2026-11-22T10:00:00+00:00",
    state=State.NO_EFFECT,
    reason="nobody knows who sent it",
)


def rejected(uid: str, code: str = "113037") -> Rejected:
    return Rejected(
        rejection_id=f"r-{uid}-{code}",
        key_object_uid=NOTE,
        sop_instance_uid=uid,
        code=code,
        sender="old-archive",
        rejected_at="2026-11-22T10:00:00+00:00",
        was="ACTIVE",
    )


def test_of_a_key_object_there_is_one_row_as_it_stands(world: World) -> None:
    asked = Came(**{**{name: getattr(CAME, name) for name in CAME.__dataclass_fields__}, "state": State.REQUESTED})
    with world.services.database.writing() as connection:
        first = keyobjects.record(connection, CAME)
        assert keyobjects.get(connection, NOTE) == CAME
        second = keyobjects.record(connection, asked)
        assert first != second
        assert [*keyobjects.seals(connection)] == [second]
        assert keyobjects.listed(connection, State.REQUESTED) == keyobjects.listed(connection, None) == [asked]
        assert keyobjects.listed(connection, State.NO_EFFECT) == []
        assert keyobjects.find(connection, ONE) is None
        with pytest.raises(UnknownRecordError):
            keyobjects.get(connection, ONE)


def test_a_rejection_stands_until_it_is_lifted_and_is_sealed_anew_then(world: World) -> None:
    made = (rejected(ONE), rejected(ONE, "113039"), rejected(OTHER))
    with world.services.database.writing() as connection:
        assert set(rejections.record(connection, made)) == set(rejections.seals(connection))
        assert rejections.standing(connection, ONE) == {"113037", "113039"}
        seal = rejections.lift(connection, made[0], by="officer", at=world.clock(), reason="fine")
        assert seal in rejections.seals(connection)
        assert rejections.standing(connection, ONE) == {"113039"}
        assert [each.rejection_id for each in rejections.get(connection, NOTE)] == [
            "r-2.25.1-113039",
            "r-2.25.2-113037",
        ]
        assert [each.lifted_by for each in rejections.get(connection, made[0].rejection_id)] == ["officer"]
        assert rejections.get(connection, OTHER) == rejections.of_pictures(connection, (OTHER,)) == [made[2]]
        assert len(rejections.listed(connection, everything=False)) == 2
        assert len(rejections.listed(connection, everything=True)) == 3
        with pytest.raises(UnknownRecordError):
            rejections.get(connection, "2.25.404")


@pytest.mark.parametrize(("cause", "waits"), [("KEY_OBJECT", True), ("STABLE", False)])
def test_only_what_a_key_object_asked_for_waits_again_by_itself(world: World, cause: str, waits: bool) -> None:
    at = world.clock()
    row = Queued(
        route="for-teaching",
        recipient="teaching-archive",
        purpose="TEACHING",
        sop_instance_uid=ONE,
        study_instance_uid="2.25.8",
        priority=0,
        cause=cause,
    )
    with world.services.database.writing() as connection:
        outbox.queue(connection, [row], at)
        (claimed,) = outbox.claim(connection, "courier", at, at.replace(year=at.year + 1), 10)
        outbox.ended(connection, claimed, Outbox.REFUSED, at, reason="nobody has looked")
        (send,) = keyobjects.sends(connection, (ONE, OTHER), "TEACHING")
        assert (send.state, send.reason) == (Outbox.REFUSED, "nobody has looked")
        assert keyobjects.rearm(connection, (ONE, OTHER), at) == int(waits)
        (send,) = keyobjects.sends(connection, (ONE, OTHER), "TEACHING")
        assert send.state is (Outbox.WAITING if waits else Outbox.REFUSED)
        assert keyobjects.sends(connection, (ONE,), "RESEARCH") == []
