"""Leases: one object may take longer than a lease, and is sent once all the same."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

from demo.peers import wait_until
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.policy.recalling import Standing
from orthanc_plugin.sending.courier import LEASE
from orthanc_plugin.sending.lease import kept
from tests.fakes.pictures import CARE, UID
from tests.fakes.rounds import Ward, routed
from tests.fakes.world import World
from tests.unit.sending.noticing import notices, only, withdraw

SECONDS = 30


def lease(ward: Ward) -> str:
    """Return when the lease of the one picture runs out."""
    return str(ward.rows()[UID]["next_try"])


def test_an_object_that_takes_longer_than_a_lease_is_not_sent_by_a_second_courier(world: World) -> None:
    world.file(CARE)
    ward = routed(world)
    ward.queue(UID)
    others: list[object] = []

    def slowly(_modality: str, _content: bytes) -> None:
        for _ in range(3):
            before = lease(ward)
            world.clock.advance(seconds=LEASE.total_seconds() * 0.9)
            assert wait_until(lambda: lease(ward) > before, SECONDS)  # noqa: B023 - at once
            others.append(ward.rounds("other").turn())

    world.archive.watcher = slowly
    replace(ward.rounds("slow"), renewing=0.01).turn()
    assert (others, len(world.archive.sent), ward.states()) == ([None] * 3, 1, {UID: "DELIVERED"})


def test_a_picture_that_was_withdrawn_while_it_takes_longer_than_a_lease_is_recalled_once_it_has_gone(
    world: World,
) -> None:
    world.file(CARE)
    ward = routed(world)
    ward.queue(UID)
    seen: list[object] = []

    def slowly(_modality: str, _content: bytes) -> None:
        withdraw(world)
        for _ in range(3):
            world.clock.advance(seconds=LEASE.total_seconds() * 0.9)
            assert wait_until(lambda: ward.rows()[UID]["changed_at"] == world.clock().isoformat(), SECONDS)
            notices(world).perform()
            seen.extend(each["outcome"] for each in world.disclosures())

    world.archive.watcher = slowly
    replace(ward.rounds("slow"), renewing=0.01).turn()
    assert (seen, ward.states()) == (["BEGUN"] * 3, {UID: "CANCELLED"})
    assert [each["outcome"] for each in world.disclosures()] == ["DELIVERED"]
    world.archive.watcher = lambda _modality, _content: None
    world.clock.advance(minutes=1)
    notices(world).perform()
    assert only(world).standing is Standing.NOTIFIED


def test_a_renewal_that_fails_is_tried_again_and_none_comes_after_the_end() -> None:
    asked: list[int] = []
    twice = Event()

    def renew() -> None:
        asked.append(1)
        if len(asked) > 1:
            twice.set()
        raise RegistryError("The registry can't be written.")

    with kept(renew, 0.01):
        assert twice.wait(SECONDS)
    count = len(asked)
    assert not Event().wait(0.1)
    assert len(asked) == count
