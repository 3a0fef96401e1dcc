"""Couriers as processes of their own, between a real Orthanc and peers that take, refuse, hang, break off and lie."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import evt

from demo.peers import wait_until
from tests.integration.couriers import SUCCESS, Trial, digests, filed, listening, trial, verified

COUNT = 24
TEACHING = ("teaching", "teaching-archive", "TEACHING")
CARE = ("care", "dermatology-workstation", "DIRECT_CARE")
ROUNDS = 4
SECONDS = 60


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trial(tmp_path_factory.mktemp("courier"), COUNT) as made:
        yield made


@pytest.fixture
def ward(running: Trial) -> Iterator[Trial]:
    running.empty()
    yield running
    running.stop()


def workstation(ward: Trial) -> int:
    return ward.archive.server.ports.workstation


def test_the_bytes_that_were_filed_arrive_and_nothing_goes_where_no_consent_lets_it(ward: Trial) -> None:
    ward.queue(tuple(ward.files), CARE, TEACHING)
    with (
        listening(workstation(ward), "DERMWS") as node,
        listening(ward.archive.server.ports.teaching, "TEACHING") as school,
    ):
        ward.once()
    assert (node.held, set(node.times.values()), school.held) == (digests(ward.files), {1}, {})
    assert set(ward.states().values()) == {"DELIVERED"}
    assert set(ward.states("teaching").values()) == {"REFUSED"}
    assert verified(ward.archive)


def test_couriers_that_are_killed_at_any_moment_lose_nothing_and_the_ledger_tells_what_the_peer_holds(
    ward: Trial,
) -> None:
    kill_rounds(ward, ROUNDS, random.Random(7))  # noqa: S311 - moments, no secrets


def kill_rounds(ward: Trial, rounds: int, chance: random.Random) -> None:
    """Kill couriers in the middle so many times, then let one finish, and compare."""
    pause = 0.02

    def slowly(_event: evt.Event, _uid: str) -> int:
        time.sleep(pause)
        return SUCCESS

    before = {row["disclosure_id"] for row in ward.disclosures()}
    with listening(workstation(ward), "DERMWS", slowly) as node:
        ward.queue(tuple(ward.files), CARE, TEACHING)
        for _ in range(rounds):
            arrived = sum(node.times.values())
            courier = ward.courier()
            wait_until(lambda: sum(node.times.values()) > arrived, SECONDS, pause=0.005)  # noqa: B023 - at once
            time.sleep(chance.random() * 0.3)
            courier.send_signal(signal.SIGKILL)
            courier.wait(SECONDS)
            ward.due()
            if set(ward.states().values()) == {"DELIVERED"}:
                ward.empty()
                ward.queue(tuple(ward.files), CARE, TEACHING)
        ward.due()
        ward.once()
    assert node.held == digests(ward.files)
    assert set(ward.states().values()) == {"DELIVERED"}
    assert set(ward.states("teaching").values()) <= {"REFUSED"}
    told = [row for row in ward.disclosures() if row["disclosure_id"] not in before]
    assert {row["outcome"] for row in told} <= {"DELIVERED", "SENT", "FAILED"}
    left = {str(row["sop_instance_uid"]) for row in told if row["outcome"] != "FAILED"}
    assert left >= set(node.held)
    counted = {uid: sum(row["sop_instance_uid"] == uid and row["outcome"] != "FAILED" for row in told) for uid in left}
    assert all(counted[uid] >= times for uid, times in node.times.items())
    assert verified(ward.archive)


def test_a_peer_that_refuses_warns_and_breaks_off_is_told_apart(ward: Trial) -> None:
    uids = list(ward.files)
    refused, warned, broken = uids[0], uids[1], uids[2]
    tried: list[str] = []
    before = {row["disclosure_id"] for row in ward.disclosures()}

    def moody(event: evt.Event, uid: str) -> int:
        first = uid not in tried
        tried.append(uid)
        if uid == broken and first:
            event.assoc.abort()
        return {refused: 0xA700, warned: 0xB000}.get(uid, SUCCESS)

    ward.queue(uids)
    with listening(workstation(ward), "DERMWS", moody) as node:
        ward.once()
        ward.due()
        ward.once()
    assert set(node.held) == set(uids) - {refused}
    assert {uid for uid, state in ward.states().items() if state != "DELIVERED"} == {refused}
    told = [row for row in ward.disclosures() if row["disclosure_id"] not in before]
    outcomes = [row["outcome"] for row in told if row["sop_instance_uid"] == refused]
    assert "SENT" in outcomes
    assert set(outcomes) <= {"SENT", "FAILED"}  # of one that waited behind the broken one nothing went out


def test_a_courier_waits_while_orthanc_restarts_and_ends_when_it_is_told_to(ward: Trial) -> None:
    courier = ward.courier()
    ward.archive.server.stop()
    ward.archive.server.start()
    ward.queue(tuple(ward.files))
    with listening(workstation(ward), "DERMWS") as node:
        assert wait_until(lambda: len(node.held) == COUNT, SECONDS)
    courier.send_signal(signal.SIGTERM)
    assert courier.wait(SECONDS) == 0


def test_nothing_begins_to_leave_after_a_withdrawal_has_returned(ward: Trial, tmp_path: Path) -> None:
    files = filed(ward.archive, "B", tmp_path, COUNT)
    arrived: list[float] = []

    def slowly(_event: evt.Event, _uid: str) -> int:
        arrived.append(time.monotonic())
        time.sleep(1)  # so that a machine on which the command takes long withdraws before the last one, too
        return SUCCESS

    ward.queue(tuple(files), letter="B")
    with listening(workstation(ward), "DERMWS", slowly) as node:
        courier = ward.courier("--once")
        assert wait_until(lambda: len(arrived) > 1, SECONDS, pause=0.01)
        person = ward.archive.wrapped("B").person
        done = ward.archive.server.consentgate("consent", "withdraw", person.consent, "--by", "nurse")
        returned = time.monotonic()
        assert done.returncode == 0, done.stderr
        assert courier.wait(SECONDS) == 0
    assert 0 < len(node.held) < COUNT
    assert sum(moment > returned for moment in arrived) <= 1
    assert {state for uid, state in ward.states().items() if uid not in node.held} == {"CANCELLED"}
    told = {str(row["sop_instance_uid"]) for row in ward.disclosures() if row["outcome"] == "DELIVERED"}
    assert told & set(files) == set(node.held)


def test_a_peer_that_hangs_holds_nothing_up_for_ever(ward: Trial) -> None:
    hanging = threading.Event()

    def hang(_event: evt.Event, _uid: str) -> int:
        hanging.wait(SECONDS)
        return SUCCESS

    before = {row["disclosure_id"] for row in ward.disclosures()}
    ward.queue(tuple(ward.files))
    with listening(workstation(ward), "DERMWS", hang):
        ward.once()
        hanging.set()
    assert set(ward.states().values()) == {"WAITING"}
    assert [row["outcome"] for row in ward.disclosures() if row["disclosure_id"] not in before] == ["SENT"]
