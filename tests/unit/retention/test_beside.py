"""A process beside deletes what is marked: it asks, obeys, says what went wrong, and ends with whoever it works for."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from select import select

import pytest

from demo.peers import wait_until
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.retention.ahead import EndedError
from orthanc_plugin.retention.beside import EndedBesideError, beside
from orthanc_plugin.retention.following import Head
from orthanc_plugin.retention.hand import GoOn, MayGo, Why, Word

SECONDS = 60.0
MARKED = Marked(sop_instance_uid="1", orthanc_instance="a", status="ACTIVE", files=("f",))
RECORDS = [(replace(MARKED, sop_instance_uid=str(number)),) for number in range(3)]
BEFORE, NOW = (1, "then"), (2, "now")


@dataclass(frozen=True)
class Notes:
    """Asks about every record, and notes those that may go, and in which process."""

    folder: Path

    def destroy(
        self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
    ) -> list[Why | None]:
        found: list[Why | None] = []
        for place, (marked,) in enumerate(records):
            go_on()
            word = may_go(place, (head[0] + place, "now"))
            if word is not Word.KEEP:
                (self.folder / marked.sop_instance_uid).write_text(f"{os.getpid()} {word.name}")
            found.append(None if word is Word.KEEP else {"because": word.name})
        return found


@dataclass(frozen=True)
class Waits:
    """Notes each record, and then waits until it may go on."""

    folder: Path

    def destroy(
        self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
    ) -> list[Why | None]:
        for (marked,) in records:
            go_on()
            (self.folder / marked.sop_instance_uid).touch()
            assert wait_until((self.folder / "goes on").exists, SECONDS)
        return [{} for _ in records]


class Fails:
    """Orthanc can't be reached."""

    def destroy(
        self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
    ) -> list[Why | None]:
        raise ArchiveError("Orthanc could not be reached.", remedy="Start it.")


def goes_on() -> None:
    """Let everything go on."""


def never(_place: int, _now: Head) -> Word:
    raise AssertionError("nothing is to be asked")


def test_each_record_is_asked_about_here_and_deleted_there(tmp_path: Path) -> None:
    asked: list[tuple[int, Head]] = []

    def may_go(place: int, now: Head) -> Word:
        asked.append((place, now))
        return (Word.QUIET, Word.KEEP, Word.GO)[place]

    with beside(partial(Notes, tmp_path)) as deletes:
        found = deletes.destroy(RECORDS, BEFORE, may_go, goes_on)
        pid = deletes_in()
    assert asked == [(0, (1, "now")), (1, (2, "now")), (2, (3, "now"))]
    assert found == [{"because": "QUIET"}, None, {"because": "GO"}]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0": f"{pid} QUIET", "2": f"{pid} GO"}
    assert pid != os.getpid()


def deletes_in() -> int:
    (process,) = active_children()
    assert process.pid is not None
    return process.pid


def test_what_goes_wrong_there_is_raised_here_with_its_remedy() -> None:
    with beside(Fails) as deletes:
        for _ in range(2):
            with pytest.raises(ArchiveError, match=r"could not be reached\. Start it\."):
                deletes.destroy(RECORDS, BEFORE, never, goes_on)


def test_where_this_side_fails_in_a_question_the_process_deletes_nothing_more(tmp_path: Path) -> None:
    def fail(place: int, _now: Head) -> Word:
        if place == 1:
            raise ArchiveError("The registry is gone.")
        return Word.GO

    with beside(partial(Notes, tmp_path)) as deletes, pytest.raises(ArchiveError, match="registry is gone"):
        deletes.destroy(RECORDS, BEFORE, fail, goes_on)
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert active_children() == []


def test_where_this_side_ends_the_process_ends_before_its_next_record(tmp_path: Path) -> None:
    def ended() -> None:
        if (tmp_path / "0").exists():
            (tmp_path / "goes on").touch()
            raise EndedError("The execution was ended before this was destroyed.")

    with beside(partial(Waits, tmp_path)) as deletes, pytest.raises(EndedError):
        deletes.destroy(RECORDS, BEFORE, never, ended)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "goes on"]


def test_a_process_that_was_killed_is_told_with_what_to_do(tmp_path: Path) -> None:
    def kill() -> None:
        if (tmp_path / "0").exists():
            os.kill(deletes_in(), signal.SIGKILL)

    with beside(partial(Waits, tmp_path)) as deletes:
        with pytest.raises(EndedBesideError, match="Run 'consentgate retention apply' again"):
            deletes.destroy(RECORDS, BEFORE, never, kill)
        with pytest.raises(EndedBesideError):
            deletes.destroy(RECORDS, BEFORE, never, goes_on)


def test_a_key_pressed_at_the_terminal_doesn_t_end_the_process_alone(tmp_path: Path) -> None:
    (tmp_path / "goes on").touch()

    def interrupt(place: int, _now: Head) -> Word:
        os.kill(deletes_in(), signal.SIGINT)
        return Word.GO

    with beside(partial(Notes, tmp_path)) as deletes:
        assert deletes.destroy(RECORDS, BEFORE, interrupt, goes_on) == [{"because": "GO"}] * 3


def _works(folder: Path, lives: int) -> None:
    """Have a process beside delete; it holds ``lives`` open for as long as it lives."""
    with beside(partial(Waits, folder)) as deletes:
        os.close(lives)
        deletes.destroy(RECORDS, BEFORE, never, goes_on)


def test_when_whoever_decides_is_killed_the_process_deletes_no_further_record(tmp_path: Path) -> None:
    ended, lives = os.pipe()
    process = get_context("fork").Process(target=_works, args=(tmp_path, lives))
    process.start()
    os.close(lives)
    assert wait_until((tmp_path / "0").exists, SECONDS)
    process.kill()
    process.join()
    (tmp_path / "goes on").touch()
    assert select([ended], [], [], SECONDS)[0] == [ended]
    assert os.read(ended, 1) == b""
    os.close(ended)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "goes on"]
