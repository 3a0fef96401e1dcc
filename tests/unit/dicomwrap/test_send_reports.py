"""Reports of storage commitment: late ones count, strangers' don't, and nobody keeps us from ending."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import pytest
from pydicom.dataset import Dataset

from demo.peers import wait_until
from dicomwrap.cli.sending import SendOrder, route
from dicomwrap.cli.watching import Courier, show, stopped_by_signals, watch
from dicomwrap.errors import ArchiveRefusedError, PeerError
from dicomwrap.outbox import Task, Told, Uids, What
from dicomwrap.receipt import read_receipt
from dicomwrap.sending.commitment import Report, Reports, commit, listening, report
from dicomwrap.sending.delivery import Terms
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.parcel import parcel
from tests.unit.dicomwrap.sendable import HOST, NOW, Archive, photographic

UID = "2.25.10"
TASK = Task(
    sha256="ab" * 32, name="a.jpg", number=1, at=NOW, details={},
    uids=Uids(study_instance_uid="2.25.1", series_instance_uid="2.25.2", sop_instance_uid=UID),
)  # fmt: skip


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive().listening() as running:
        yield running


def answer(transaction_uid: str) -> Report:
    return Report(transaction_uid=transaction_uid, committed=frozenset({UID}), failed={})


def test_a_report_is_read_and_what_it_lists_twice_has_failed() -> None:
    information, good, bad = Dataset(), Dataset(), Dataset()
    good.ReferencedSOPInstanceUID, bad.ReferencedSOPInstanceUID, bad.FailureReason = "2.25.1", "2.25.2", 0x0119
    information.TransactionUID, information.ReferencedSOPSequence = "2.25.3", [good, bad]
    information.FailedSOPSequence = [bad]
    found = report(information)
    assert (found.transaction_uid, found.committed) == ("2.25.3", {"2.25.1"})
    assert found.failed == {"2.25.2": "class and instance conflict (0119H)"}


def test_a_report_that_comes_late_counts_when_the_same_is_asked_again() -> None:
    reports = Reports()
    reports.expect("2.25.1", frozenset({UID}))
    assert reports.wait(frozenset({UID}), 0.01) is None
    assert reports.take(answer("2.25.1"))
    reports.expect("2.25.2", frozenset({UID}))
    assert reports.wait(frozenset({UID}), 0.01) == answer("2.25.1")
    assert reports.wait(frozenset({UID}), 0.01) is None


def test_nobody_can_report_on_what_we_never_asked_or_twice() -> None:
    reports = Reports()
    assert not reports.take(answer("2.25.1"))
    reports.expect("2.25.1", frozenset({UID}))
    assert reports.take(answer("2.25.1"))
    assert not reports.take(answer("2.25.1"))


def that_keep_us() -> set[threading.Thread]:
    """Return the threads that a program must wait for before it can end."""
    return {thread for thread in threading.enumerate() if not thread.daemon}


def test_a_stranger_who_stalls_at_our_door_keeps_nobody_waiting(archive: Archive, tmp_path: Path) -> None:
    sent = parcel(photographic(tmp_path / "a.dcm", UID))
    archive.held[UID] = b""
    before = that_keep_us()
    caller = Caller(seconds=2)
    with listening(caller, archive.node, HOST) as reports, socket.create_connection((HOST, reports.port)) as stranger:
        stranger.sendall(b"\x01\x00\x00\x00")
        committed = commit([sent], archive.node, caller, reports, transaction_uid="2.25.5", seconds=2)
    assert committed.uids == {UID}
    assert wait_until(lambda: that_keep_us() <= before, 5)


def courier(node: Node, seconds: float = 5) -> tuple[SendOrder, Terms]:
    order = SendOrder(caller=Caller(seconds=seconds), node=node, service=None, voucher=node, listen=("", 0))
    return order, Terms(moment=lambda: NOW, version="1")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "own" / "objects").mkdir(parents=True)
    return photographic(tmp_path / "own" / "objects" / "x.dcm", UID)


def test_a_courier_brings_an_object_and_a_receipt_back(archive: Archive, made: Path) -> None:
    order, terms = courier(archive.node)
    with route(order, lambda: "2.25.7") as way:
        there = Courier(way, terms)
        there.store(made, TASK)
        path = there.commit(made, TASK)
    found = read_receipt(path)
    assert found is not None
    assert (found.photograph_sha256, found.sop_instance_uid, found.transaction_uid) == (TASK.sha256, UID, "2.25.7")
    assert path.parent == made.parent.parent / "receipts"


def test_a_courier_tells_an_archive_that_is_down_from_one_that_refuses(archive: Archive, made: Path) -> None:
    order, terms = courier(archive.node, 1)
    archive.statuses, archive.missing = {UID: 0xA700}, {UID: 0x0112}
    with route(order, lambda: "2.25.7") as way:
        with pytest.raises(ArchiveRefusedError, match="out of resources"):
            Courier(way, terms).store(made, TASK)
        with pytest.raises(ArchiveRefusedError, match="doesn't vouch"):
            Courier(way, terms).commit(made, TASK)
        archive.silent = True
        with pytest.raises(PeerError):
            Courier(way, terms).commit(made, TASK)
    photographic(made, "2.25.666")
    with route(order, lambda: "2.25.7") as way, pytest.raises(PeerError):
        Courier(way, terms).store(made, _task("2.25.666"))


def _task(uid: str) -> Task:
    return Task(
        sha256="ab" * 32, name="a.jpg", number=1, at=NOW, details={},
        uids=Uids(study_instance_uid="2.25.1", series_instance_uid="2.25.2", sop_instance_uid=uid),
    )  # fmt: skip


class Nobody:
    """An archive that takes everything and says so."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    def store(self, _file: Path, task: Task) -> None:
        self.stored.append(task.name)

    def commit(self, _file: Path, _task: Task) -> Path:
        raise ArchiveRefusedError("It doesn't vouch")


def watched(folder: Path, stop: Event, told: list[Told], *, once: bool) -> tuple[int, list[str]]:
    archive = Nobody()
    left = watch(
        folder,
        lambda photo, _task, target: target.write_bytes(photo.read_bytes()) and None,
        archive,
        assign=lambda: TASK.uids,
        details={},
        moment=lambda: NOW,
        wanted=lambda name: name.endswith(".jpg"),
        stop=stop,
        tell=told.append,
        settle=0.01,
        every=0.02,
        once=once,
        take_existing=True,
    )
    return left, archive.stored


def test_one_pass_tries_everything_and_says_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"A")
    (tmp_path / "notes.txt").write_bytes(b"no photograph")
    told: list[Told] = []
    assert watched(tmp_path, Event(), told, once=True) == (1, ["a.jpg"])
    assert [each.what for each in told] == [What.TAKEN, What.STORED, What.WAITING]


def test_a_watch_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop, told = Event(), list[Told]()
    Timer(0.2, stop.set).start()
    assert watched(tmp_path, stop, told, once=False) == (0, [])


class UntilToldOf(list[Told]):
    """What was told; the watch ends when this reason is among it, however slow the machine is."""

    def __init__(self, reason: str, stop: Event) -> None:
        super().__init__()
        self._reason, self._stop = reason, stop

    def append(self, told: Told, /) -> None:
        super().append(told)
        if told.reason == self._reason:
            self._stop.set()


def test_a_folder_that_goes_away_is_told_and_waited_for(tmp_path: Path) -> None:
    folder, stop = tmp_path / "photos", Event()
    gone = "The folder can't be read (No such file or directory)"
    told = UntilToldOf(gone, stop)
    folder.mkdir()
    Timer(0.2, lambda: folder.rename(tmp_path / "away")).start()
    at_the_latest = Timer(20, stop.set)
    at_the_latest.start()
    watched(folder, stop, told, once=False)
    at_the_latest.cancel()
    assert gone in {each.reason for each in told}


def test_a_signal_asks_to_end() -> None:
    with stopped_by_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(2)


def test_what_happens_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(Told(name="a\x1b.jpg", what=What.STORED))
    show(Told(name="a.jpg", what=What.WAITING, reason="It is down.", remedy="Wait."))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a?.jpg: stored\n", "a.jpg: waiting: It is down. Wait.\n")
