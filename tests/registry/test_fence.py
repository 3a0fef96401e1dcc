"""A withdrawal's answer waits for whoever is about to send, on either database and across processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import ConsentState
from orthanc_plugin.archive.port import Left, nobody
from orthanc_plugin.enforcement.cmove import MoveRefusedError
from orthanc_plugin.lifecycle import policies, withdrawal
from orthanc_plugin.registry import consents, policyversions, stopping
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.fence import FileFence, PostgreSQLFence
from tests.fakes.archive import ArchiveSimulator, SendingSimulator
from tests.fakes.pictures import CARE, CONSENT_ID
from tests.fakes.world import POLICY, World
from tests.unit.enforcement.moving import move_scp
from tests.unit.lifecycle.steps import acting

SECONDS: Final = 60
SHORT: Final = 0.2
SENDER: Final = """
import sys
from orthanc_plugin.registry.engine import open_database
with open_database(sys.argv[1]).leaving():
    print("within", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def sender(world: World) -> Iterator[subprocess.Popen[str]]:
    """Give another process that stands within the fence until it is told a line, or dies."""
    command = [sys.executable, "-c", SENDER, world.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "within\n"
            yield process
        finally:
            process.kill()


def patient_for(world: World, seconds: float) -> None:
    """Have withdrawals in this world wait for senders so long."""
    fence = world.services.database.fence
    assert isinstance(fence, FileFence | PostgreSQLFence)
    fence.patience = seconds


def withdraw(world: World) -> None:
    """Withdraw the consent as a door does."""
    act = world.services.act("nurse", "test")
    with world.services.database.writing() as connection:
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())


def is_withdrawn(world: World) -> bool:
    """Tell whether a withdrawal is committed."""
    with world.services.database.reading() as connection:
        return consents.current(connection, CONSENT_ID).state is ConsentState.WITHDRAWN


@contextmanager
def withdrawing(world: World, then: Callable[[], object]) -> Iterator[Thread]:
    """Give the thread of a withdrawal that is committed and, as long as a sender stands in the fence, not answered."""

    def work() -> None:
        withdraw(world)
        then()

    thread = Thread(target=work)
    thread.start()
    while not is_withdrawn(world):
        thread.join(0.01)
    yield thread
    thread.join(SECONDS)
    assert not thread.is_alive()


def alerts(world: World) -> list[dict[str, object]]:
    """Return what the trail says of senders that could not be waited for."""
    return [entry for entry in world.trail() if entry["effect"] == stopping.EFFECT]


@pytest.mark.parametrize("killed", [False, True], ids=["that has sent its first bytes", "that was killed"])
def test_a_withdrawal_is_answered_after_the_sender_that_stood_within(killed: bool, world: World) -> None:
    world.file(CARE)
    patient_for(world, SECONDS)
    order: list[str] = []
    with sender(world) as process, withdrawing(world, lambda: order.append("answered")):
        order.append("left")
        if killed:
            process.kill()
        else:
            process.communicate("\n")
    assert (order, alerts(world)) == (["left", "answered"], [])


def test_a_withdrawal_that_can_t_wait_any_longer_stands_and_says_so(world: World) -> None:
    world.file(CARE)
    patient_for(world, SHORT)
    stopping.forget()
    with sender(world):
        withdraw(world)
    assert is_withdrawn(world)
    assert stopping.overtaken()
    stopping.forget()
    assert not stopping.overtaken()
    (alert,) = alerts(world)
    assert (alert["event"], alert["outcome"], alert["subject"]) == ("110113", "8", CONSENT_ID)
    assert alert["reasons"] == [stopping.WORDS]


def test_what_comes_after_an_overtaken_withdrawal_is_not_told_of_it(world: World) -> None:
    world.file(CARE, uid="2.25.7")
    patient_for(world, SHORT)
    stopping.forget()
    with sender(world):
        assert not world.services.database.fence.passed()
    patient_for(world, SECONDS)
    withdraw(world)
    assert (stopping.overtaken(), alerts(world)) == (False, [])


def test_a_policy_that_is_activated_is_answered_for_after_the_sender_that_stood_within(world: World) -> None:
    patient_for(world, SECONDS)
    database, order = world.services.database, list[str]()
    with acting(world, "admin") as (connection, act):
        digest = policies.propose(connection, act, f"{POLICY}# another\n").sha256
    world.clock.advance(minutes=1)

    def activate() -> None:
        with acting(world, "governance") as (connection, act):
            policies.activate(connection, act, digest)
        order.append("answered")

    thread = Thread(target=activate)
    with sender(world) as process:
        thread.start()
        while not is_in_force(world, digest):
            thread.join(0.01)
        order.append("left")
        process.communicate("\n")
    thread.join(SECONDS)
    assert (order, alerts(world)) == (["left", "answered"], [])
    assert database.fence.passed()


def is_in_force(world: World, digest: str) -> bool:
    """Tell whether the activation of a policy is committed."""
    with world.services.database.reading() as connection:
        return policyversions.in_force(connection) == digest


def test_senders_that_come_one_after_the_other_never_keep_a_withdrawal_waiting(world: World) -> None:
    database, over = world.services.database, Event()
    patient_for(world, SECONDS)
    entered = [0] * 4

    def sends(number: int) -> None:
        own = open_database(world.url)
        while not over.is_set():
            with own.leaving():
                entered[number] += 1
                over.wait(0.01)
        own.close()

    threads = [Thread(target=sends, args=(number,)) for number in range(len(entered))]
    for thread in threads:
        thread.start()
    try:
        assert all(database.fence.passed() for _ in range(10))
        before = list(entered)
        while any(now == then for now, then in zip(entered, before, strict=True)):
            assert not over.wait(0.001)
    finally:
        over.set()
        for thread in threads:
            thread.join(SECONDS)


def test_a_question_within_the_fence_sees_what_was_committed_before_it_was_asked(world: World) -> None:
    world.file(CARE)
    database = world.services.database
    patient_for(world, SECONDS)
    with database.leaving() as passing, withdrawing(world, nobody) as answer:
        with database.reading(passing) as connection:
            assert consents.current(connection, CONSENT_ID).state is ConsentState.WITHDRAWN
        assert answer.is_alive()
        passing.left()
        passing.left()


@dataclass(kw_only=True)
class Hesitating(SendingSimulator):
    """Has something happen between the last question and the first byte."""

    before: Callable[[], None]

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Hesitate, then send."""
        self.before()
        return super().store(content, left)


@dataclass(kw_only=True)
class HesitatingArchive(ArchiveSimulator):
    """An archive whose senders hesitate."""

    before: Callable[[], None]

    def sending(self, modality: str) -> SendingSimulator:
        """Return what sends to a modality."""
        self.open += 1
        return Hesitating(archive=self, modality=modality, before=self.before)


def test_a_withdrawal_between_question_and_first_byte_is_answered_once_that_is_out_and_stops_the_next(
    world: World,
) -> None:
    for number in range(3):
        world.file(CARE, uid=f"2.25.{100 + number}")
    patient_for(world, SECONDS)
    order: list[str] = []
    answered = Event()

    def work() -> None:
        withdraw(world)
        order.append("answered")
        answered.set()

    thread = Thread(target=work)

    def hesitate() -> None:
        if archive.sent:  # the first goes alone; the two after it are on record together
            thread.start()
            while not is_withdrawn(world):
                thread.join(0.01)
            order.append("first byte")

    def sees(_modality: str, _content: bytes) -> None:
        if archive.sent:
            order.append("transfer" if answered.wait(SECONDS) else "hung")

    archive = HesitatingArchive(objects=world.archive.objects, before=hesitate)
    archive.watcher = sees
    with suppress(MoveRefusedError):
        move_scp(world, archive).hook(
            OriginatorAET="DERMWS", TargetAET="DERMWS", Level="STUDY", StudyInstanceUID="2.25.1"
        )
    thread.join(SECONDS)
    assert order == ["first byte", "answered", "transfer"]
    assert [each["outcome"] for each in world.disclosures()] == ["DELIVERED", "DELIVERED", "FAILED"]
    assert (len(archive.sent), alerts(world)) == (2, [])
