"""What couriers leave behind that die, are too slow or can't say how it ended: settled once, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import event

from orthanc_plugin.policy.recalling import Standing
from orthanc_plugin.registry import outbox, unended
from orthanc_plugin.sending.brokenoff import NOBODY_KNOWS
from orthanc_plugin.sending.courier import LEASE, Turn
from orthanc_plugin.sending.errand import MOST_ATTEMPTS, pause
from orthanc_plugin.sending.post import Post
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.rounds import Ward
from tests.fakes.world import World
from tests.unit.sending.noticing import notices, only, withdraw
from tests.unit.sending.test_courier import UIDS, filed


class PowerCutError(BaseException):
    """The courier's process ends."""


def die(_modality: str, _content: bytes) -> None:
    """End the courier while a picture is on its way."""
    raise PowerCutError


def test_a_courier_that_died_leaves_what_it_had_begun_as_sent_and_another_sends_it_again(world: World) -> None:
    ward = filed(world)

    dying = ArchiveSimulator(objects=world.archive.objects, watcher=die)
    with pytest.raises(PowerCutError):
        ward.rounds("dead", dying).turn()
    assert ward.turn() is None  # its lease runs still
    world.clock.advance(seconds=LEASE.total_seconds() + 1)
    ward.turn()
    assert ward.states() == dict.fromkeys(UIDS[:3], "DELIVERED")
    assert [each["outcome"] for each in world.disclosures()] == ["SENT", "DELIVERED", "DELIVERED", "DELIVERED"]
    assert [each["reasons"] for each in world.trail()].count([NOBODY_KNOWS]) == 1


def test_what_a_courier_that_died_had_begun_is_recalled_once_its_lease_is_over(world: World) -> None:
    ward = filed(world, 1)

    with pytest.raises(PowerCutError):
        ward.rounds("dead", ArchiveSimulator(objects=world.archive.objects, watcher=die)).turn()
    withdraw(world)
    assert (ward.states(), ward.turn()) == ({UIDS[0]: "CANCELLED"}, None)  # nobody claims it, so nobody settles it
    notices(world).perform()
    assert ([each["outcome"] for each in world.disclosures()], world.archive.sent) == (["BEGUN"], [])
    world.clock.advance(seconds=LEASE.total_seconds() + 1)
    for _ in range(2):
        notices(world).perform()
    assert [each["outcome"] for each in world.disclosures()] == ["SENT"]
    assert [each["reasons"] for each in world.trail()].count([NOBODY_KNOWS]) == 1
    assert only(world).standing is Standing.NOTIFIED


def test_what_a_courier_has_in_hand_is_not_called_broken_off(world: World) -> None:
    ward = filed(world, 1)
    seen: list[object] = []

    def withdrawn(_modality: str, _content: bytes) -> None:
        withdraw(world)
        world.clock.advance(seconds=LEASE.total_seconds() - 1)
        notices(world).perform()
        seen.extend(each["outcome"] for each in world.disclosures())

    ward.rounds("slow", ArchiveSimulator(objects=world.archive.objects, watcher=withdrawn)).turn()
    assert (seen, [each["outcome"] for each in world.disclosures()]) == (["BEGUN"], ["DELIVERED"])


def test_a_courier_that_could_not_say_how_it_ended_goes_on_at_once(world: World) -> None:
    ward = filed(world, 2)
    with world.services.database.writing() as connection:
        assert len(outbox.claim(connection, "courier-1", world.clock(), world.clock() + LEASE, 2)) == 2
    assert ward.turn() is None
    ward.rounds("courier-2").take_back()  # nothing of it is in the other's hands
    assert ward.turn() is None
    ward.rounds().take_back()
    assert ward.turn() is not None
    assert ward.states() == dict.fromkeys(UIDS[:2], "DELIVERED")


def test_what_another_courier_of_the_same_name_has_in_hand_is_not_taken_back(world: World) -> None:
    ward = filed(world, 1)
    posts = [Post(lambda: world.services, name, _untold, Event()) for name in ("node-2", "node-2", "long" * 16)]
    claims = [each.claims for each in posts]
    with world.services.database.writing() as connection:
        assert outbox.claim(connection, claims[0], world.clock(), world.clock() + LEASE, 1)
    ward.rounds(claims[1]).take_back()
    assert ward.turn() is None
    ward.rounds(claims[0]).take_back()
    assert ward.turn() is not None
    assert claims[0].startswith("node-2~")
    assert max(map(len, claims)) <= 64
    for each in posts:
        each.readers.stop()


def _untold(_turn: Turn) -> None:
    """Tell nobody."""


def test_a_courier_that_could_not_say_how_it_ended_settles_what_was_withdrawn_since(world: World) -> None:
    ward = filed(world, 1)

    with pytest.raises(PowerCutError):
        ward.rounds("courier-1", ArchiveSimulator(objects=world.archive.objects, watcher=die)).turn()
    withdraw(world)
    ward.rounds().take_back()
    ward.rounds().take_back()  # once is enough
    assert (ward.states(), [each["outcome"] for each in world.disclosures()]) == ({UIDS[0]: "CANCELLED"}, ["SENT"])
    assert [each["reasons"] for each in world.trail()].count([NOBODY_KNOWS]) == 1


def claimed(ward: Ward) -> int:
    """Have a courier claim what is due and fail before it can say anything of it; return how many rows that are."""
    at = ward.world.clock()
    with ward.world.services.database.writing() as connection:
        return len(outbox.claim(connection, "courier-1", at, at + LEASE, 2))


def test_attempts_that_broke_off_one_after_another_are_as_far_apart_as_any_others(world: World) -> None:
    ward = filed(world, 1)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert claimed(ward) == 1
        ward.rounds().take_back()
        if attempt > 1:  # after a single failure it goes on at once
            world.clock.advance(seconds=pause(attempt, lambda: ward.chance).total_seconds() - 1)
            assert (claimed(ward), ward.states()) == (0, {UIDS[0]: "WAITING"})
            world.clock.advance(seconds=1)
    assert (ward.turn(), ward.states(), world.archive.sent) == (None, {UIDS[0]: "DEAD"}, [])


def test_what_broke_off_goes_on_at_once_though_another_attempt_had_failed_before(world: World) -> None:
    ward = filed(world, 1)
    world.archive.unreachable.add("dermatology")
    for _ in range(3):
        assert claimed(ward) == 1
        ward.rounds().take_back()
        assert ward.turn() is not None
        assert (ward.turn(), ward.states()) == (None, {UIDS[0]: "WAITING"})
        world.clock.advance(hours=6)
    world.archive.unreachable.clear()
    assert ward.turn() is not None
    assert ward.states() == {UIDS[0]: "DELIVERED"}


def test_what_had_begun_is_settled_when_the_courier_gives_it_back(world: World) -> None:
    ward = filed(world, 1)
    with pytest.raises(PowerCutError):
        ward.rounds("courier-1", ArchiveSimulator(objects=world.archive.objects, watcher=die)).turn()
    ward.rounds().take_back()
    assert (ward.states(), [each["outcome"] for each in world.disclosures()]) == ({UIDS[0]: "WAITING"}, ["SENT"])
    ward.turn()
    assert [each["outcome"] for each in world.disclosures()] == ["SENT", "DELIVERED"]
    assert [each["reasons"] for each in world.trail()].count([NOBODY_KNOWS]) == 1


def test_a_courier_looks_at_no_more_of_the_outbox_than_it_had_in_hand(world: World) -> None:
    asked: list[str] = []
    engine = world.services.database.engine
    ward = filed(world, 2)
    assert claimed(ward) == 2
    event.listen(engine, "before_cursor_execute", lambda *said: asked.append(str(said[2])))
    with world.services.database.writing() as connection:
        unended.take_back(connection, "courier-1", (1, 2), world.clock(), lambda _attempts: timedelta())
        assert [each for each in asked if each.startswith("UPDATE outbox")]
        for each in [each for each in asked if "outbox" in each]:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", ("",) * each.count("?"))
            assert not [row for row in rows if str(row[-1]).startswith("SCAN")], each
    assert len(asked) > 1


def test_a_picture_that_ends_every_courier_is_given_up(world: World) -> None:
    ward = filed(world, 1)
    for _ in range(MOST_ATTEMPTS):
        with world.services.database.writing() as connection:
            assert outbox.claim(connection, "dead", world.clock(), world.clock() + LEASE, 1)
        world.clock.advance(seconds=LEASE.total_seconds() + 1)
    assert (ward.turn(), ward.states(), world.archive.sent) == (None, {UIDS[0]: "DEAD"}, [])


def test_a_courier_that_lost_its_lease_starts_nothing_more(world: World) -> None:
    ward = filed(world, 8)
    slow = ArchiveSimulator(objects=world.archive.objects)

    def sleep(_modality: str, _content: bytes) -> None:
        if len(slow.sent) == 2:
            world.clock.advance(seconds=LEASE.total_seconds() + 1)
            while ward.rounds("other").turn() is not None:
                pass

    slow.watcher = sleep
    ward.rounds("slow", slow).turn()
    assert (len(slow.sent), len(world.archive.sent)) == (3, 7)
    assert set(ward.states().values()) == {"DELIVERED"}
    twice = [each["sop_instance_uid"] for each in world.disclosures() if each["outcome"] == "DELIVERED"]
    assert len(twice) - len(set(twice)) == 2  # those that were on their way, under the same SOP Instance UIDs
