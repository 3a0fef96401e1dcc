"""Withdrawals raced against couriers: none that begins after a withdrawal is on record, and the trail proves it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.sending.courier import Turn
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CARE, CONSENT_ID
from tests.fakes.rounds import CARE_ROUTE, Ward, routed
from tests.fakes.world import World, make_world

UIDS = tuple(f"2.25.{number}" for number in range(820, 832))
COURIERS = 2
ROUNDS = 6


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_send_begins_after_a_withdrawal(tmp_path: Path, number: int) -> None:
    world = make_world(tmp_path)
    for uid in UIDS:
        world.file(CARE, uid=uid)
    ward = routed(world)
    ward.queue(*UIDS[: len(UIDS) // 2])
    race(ward, number)
    world.close()


def withdraw(ward: Ward) -> None:
    """Withdraw the consent as the command does."""
    world = ward.world
    act = world.services.act("nurse", "test")
    with world.services.database.writing() as connection:
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())


def race(ward: Ward, number: int) -> None:
    """Let couriers send while the consent is withdrawn, at another moment in each round."""
    world, withdrawn = ward.world, threading.Event()
    began: list[bool] = []  # of each send, whether the withdrawal had returned before it began
    ready = threading.Barrier(COURIERS + 1)

    def courier(name: str) -> None:
        archive = ArchiveSimulator(
            objects=world.archive.objects, watcher=lambda *_: began.append(withdrawn.is_set()), sent=world.archive.sent
        )
        rounds = ward.rounds(name, archive)
        ready.wait()
        turn: Turn | None = rounds.turn()
        while turn is not None and turn.waiting == 0:
            turn = rounds.turn()

    threads = [threading.Thread(target=courier, args=(f"courier-{each}",)) for each in range(COURIERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    time.sleep(number % 50 / 400)
    withdraw(ward)
    withdrawn.set()
    for thread in threads:
        thread.join()
    at = next(each["seq"] for each in world.trail() if each["effect"] == "WITHDRAWN")
    begun = [each["seq"] for each in world.trail() if each["event"] == "110102"]
    assert all(int(str(seq)) < int(str(at)) for seq in begun)
    assert sum(began) <= COURIERS
    assert len(world.archive.sent) <= len(begun)


def test_couriers_on_one_registry_send_each_picture_once(either_world: World) -> None:
    world = either_world
    routes = {uid: replace(CARE_ROUTE, name=f"care-{uid}") for uid in UIDS}
    for uid in UIDS:
        world.file(CARE, uid=uid)
    ward = routed(world, *routes.values())
    for uid, route in routes.items():
        ward.queue(uid, route=route)
    ready = threading.Barrier(COURIERS)

    def courier(name: str) -> None:
        rounds = ward.rounds(name)
        ready.wait()
        while rounds.turn() is not None:
            pass

    threads = [threading.Thread(target=courier, args=(f"courier-{each}",)) for each in range(COURIERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ward.states() == dict.fromkeys(UIDS, "DELIVERED")
    assert len(world.archive.sent) == len(UIDS) == len({content for _, content in world.archive.sent})
