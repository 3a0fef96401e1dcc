"""What the watchdog takes an Orthanc for, by what it answers; a server of the test's stands for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.archive.process import Process, running, this_process
from orthanc_plugin.archive.sighting import HEALTH, UNLISTED, Lookout, Sight, State
from orthanc_plugin.cli.watch import Patience, by_command
from orthanc_plugin.errors import ArchiveError
from tests.fakes.guarded import health, orthanc

SECRET = {"password": "p", "secret": "s"}


def lookout(folder: Path, port: int, *, secret: bool = True, dicom_port: int | None = None, **by: int) -> Lookout:
    boot = folder / "boot.secret"
    if secret:
        boot.write_text(json.dumps({**SECRET, **by}))
    address = f"http://127.0.0.1:{port}"
    return Lookout(url=address, boot_file=boot, user="consentgate", seconds=2, dicom_port=dicom_port)


def look(folder: Path, told: tuple[int, object], *, to_anybody: int = 401) -> Sight:
    with orthanc({UNLISTED: (to_anybody, ""), HEALTH: told}) as port:
        return lookout(folder, port).look()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((200, health()), "guarded; the doors are open"),
        ((503, health(why="a test")), "guarded; the doors are shut: a test"),
        ((503, health(registry=False, trail=False)), "guarded; the doors are open; not working: registry, trail"),
    ],
)
def test_an_orthanc_whose_policy_threads_live_is_guarded_whatever_else_fails(
    told: tuple[int, object], words: str, tmp_path: Path
) -> None:
    assert look(tmp_path, told) == Sight(state=State.GUARDED, words=words)
    assert look(tmp_path, told, to_anybody=403).state is State.GUARDED


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((503, health(heartbeat=False)), "threads are dead (heartbeat)"),
        ((503, health(decisions=False)), "threads are dead (decisions)"),
        ((404, ""), "doesn't answer for it (404)"),
        ((401, ""), "doesn't answer for it (401)"),
        ((403, b""), "doesn't answer for it (403)"),
        ((500, health()), "doesn't answer for it (500)"),
        ((200, b"<html>"), "can't be read"),
        ((200, {}), "can't be read"),
        ((200, []), "can't be read"),
        ((200, {"parts": {}, "doors": {"open": True}}), "can't be read"),
        ((200, {"parts": [], "doors": 1}), "can't be read"),
    ],
)
def test_an_orthanc_that_nobody_answers_for_is_not(told: tuple[int, object], words: str, tmp_path: Path) -> None:
    sight = look(tmp_path, told)
    assert (sight.state, words in sight.words) == (State.UNGUARDED, True)


@pytest.mark.parametrize("status", [200, 404, 405, 500])
def test_one_that_answers_anybody_is_not_whatever_it_says_of_itself(status: int, tmp_path: Path) -> None:
    sight = look(tmp_path, (200, health()), to_anybody=status)
    assert (sight.state, "answers anybody" in sight.words) == (State.UNGUARDED, True)


def test_one_that_left_no_secret_is_not(tmp_path: Path) -> None:
    with orthanc({UNLISTED: (401, ""), HEALTH: (200, health())}) as port:
        sight = lookout(tmp_path, port, secret=False).look()
    assert (sight.state, "secret" in sight.words) == (State.UNGUARDED, True)


@contextmanager
def deaf(waiting: int = 0) -> Iterator[int]:
    """Give a port that listens and answers nobody; behind so many who ``wait``, nobody is let in any more."""
    with socket.socket() as listening, ExitStack() as kept:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(waiting):
            client = kept.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


def ended() -> Process:
    """Return a process that has ended, and whose number nobody has been given since."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = running(child.pid)
        assert found is not None
    return found


def another(ours: Process) -> Process:
    """Return the process that had our number before us."""
    return Process(pid=ours.pid, started=ours.started - 1)


@pytest.mark.parametrize("waiting", [0, 8], ids=["no answer", "not let in"])
def test_one_that_never_answers_is_silent_only_while_the_process_lives_that_left_the_secret(
    waiting: int, tmp_path: Path
) -> None:
    ours = this_process()
    assert ours is not None
    writers: Mapping[State, tuple[dict[str, int], ...]] = {
        State.SILENT: (ours.fields(),),
        State.UNGUARDED: (ended().fields(), another(ours).fields(), {}),
    }
    with deaf(waiting) as port:
        for state, fields in writers.items():
            for by in fields:
                sight = replace(lookout(tmp_path, port, **by), seconds=0.2).look()
                assert (sight.state, "gives no answer" in sight.words) == (state, True)
        alone = replace(lookout(tmp_path / "other", port, secret=False), seconds=0.2)
        assert alone.look().state is State.UNGUARDED


def test_a_process_that_has_ended_does_not_run_even_before_its_parent_has_asked(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = running(child.pid)
        assert found is not None
        assert found.runs()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not found.runs()
    assert running(0) is None


def test_threads_that_are_busy_are_told_and_no_reason(tmp_path: Path) -> None:
    said = health()
    said["parts"]["decisions"]["busy"] = True  # type: ignore[index]
    sight = look(tmp_path, (200, said))
    assert sight == Sight(state=State.GUARDED, words="guarded; the doors are open; busy: decisions")


def test_where_nothing_listens_only_the_dicom_port_can_be_open(tmp_path: Path) -> None:
    with socket.socket() as taken, socket.socket() as dicom:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it
        dicom.bind(("127.0.0.1", 0))
        port, dicom_port = taken.getsockname()[1], dicom.getsockname()[1]
        assert lookout(tmp_path, port).look().state is State.NOTHING
        assert lookout(tmp_path, port, dicom_port=dicom_port).look().state is State.NOTHING
        dicom.listen()
        assert lookout(tmp_path, port, dicom_port=dicom_port).look().state is State.UNGUARDED


def test_a_secret_that_is_not_ours_to_read_is_an_error_and_no_sight(tmp_path: Path) -> None:
    def denied(_path: Path) -> str:
        raise PermissionError

    class Locked(type(tmp_path)):  # type: ignore[misc]
        read_text = denied

    with orthanc({UNLISTED: (401, "")}) as port:
        where = Lookout(url=f"http://127.0.0.1:{port}", boot_file=Locked(tmp_path), user="consentgate", seconds=2)
        with pytest.raises(ArchiveError, match="same user or as root"):
            where.look()


GOOD, BAD, NONE, DEAF = (
    Sight(state=each, words="") for each in (State.GUARDED, State.UNGUARDED, State.NOTHING, State.SILENT)
)


@pytest.mark.parametrize(
    ("sights", "ended"),
    [
        ([BAD] * 3, [False, False, True]),
        ([BAD, GOOD, BAD, BAD, BAD], [False, False, False, False, True]),
        ([BAD, NONE, BAD], [False, False, False]),
        ([GOOD] * 9, [False] * 9),
        ([DEAF] * 5, [False, False, False, False, True]),
        ([DEAF, DEAF, DEAF, BAD, DEAF], [False, False, False, False, True]),
        ([DEAF, BAD, BAD, BAD], [False, False, False, True]),
        ([DEAF, BAD, DEAF, BAD], [False, False, False, True]),
        ([BAD, DEAF, DEAF, DEAF, DEAF], [False, False, False, False, True]),
        ([DEAF, DEAF, GOOD, DEAF, DEAF, DEAF], [False] * 6),
    ],
)
def test_patience_ends_only_without_a_break(sights: list[Sight], ended: list[bool]) -> None:
    patience = Patience(2, 4)
    assert [patience.has_ended(sight, at, at) for at, sight in enumerate(sights)] == ended


def test_a_look_that_took_too_long_counts_from_where_it_began() -> None:
    assert Patience(2, 4).has_ended(BAD, 0, 2)


@pytest.mark.parametrize("command", ["no-such-command-anywhere --now", "false", "'unfinished", ""])
def test_a_stop_command_that_fails_is_told_and_ends_nothing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    by_command(command)()
    assert "the stop command" in capsys.readouterr().err
