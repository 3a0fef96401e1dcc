"""The signed heads: several processes sign one file, and a crash in the middle of a line spoils nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orthanc_plugin.audit.checkpoint import CheckpointError
from orthanc_plugin.registry.heads import Heads

SEED = bytes(range(32))
AT = "2026-11-22T09:30:00+00:00"
SIGNER = """
import sys
from pathlib import Path
from orthanc_plugin.registry.heads import Heads
heads = Heads(Path(sys.argv[1]), bytes(range(32)))
for seq in range(int(sys.argv[2]), 200, 2):
    heads.sign(seq, f"{seq:064x}", "2026-11-22T09:30:00+00:00")
"""


def test_two_processes_that_sign_at_once_leave_every_signature_whole(tmp_path: Path) -> None:
    path = tmp_path / "heads"
    signers = [subprocess.Popen([sys.executable, "-c", SIGNER, str(path), str(start)]) for start in (1, 2)]
    assert [signer.wait(60) for signer in signers] == [0, 0]
    assert sorted(Heads(path, SEED).signed()) == list(range(1, 200))


@pytest.mark.parametrize("rest", ['{"seq": 2, "dig', "{", '{"seq": 2}'])
def test_half_a_line_left_by_a_crash_is_passed_over_and_written_over(rest: str, tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", SEED)
    heads.sign(1, "a" * 64, AT)
    with heads.path.open("a") as file:
        file.write(rest)
    assert heads.signed() == {1: "a" * 64}
    heads.sign(2, "b" * 64, AT)
    assert heads.signed() == {1: "a" * 64, 2: "b" * 64}


def test_a_line_left_out_of_the_middle_is_noticed(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", SEED)
    for seq in (1, 2, 3):
        heads.sign(seq, f"{seq:064x}", AT)
    first, _, last = heads.path.read_text().splitlines(keepends=True)
    heads.path.write_text(first + last)
    with pytest.raises(CheckpointError):
        heads.signed()


def test_the_heads_are_their_owner_s_alone(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", SEED)
    heads.sign(1, "a" * 64, AT)
    assert heads.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_line_that_held_before_is_tried_again_once_it_is_another(broken: int, tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", SEED)
    for seq in (1, 2, 3):
        heads.sign(seq, f"{seq:064x}", AT)
    assert set(heads.signed()) == {1, 2, 3}
    lines = heads.path.read_text().splitlines()
    lines[broken] = lines[broken].replace(f"{broken + 1:064x}", "f" * 64)
    heads.path.write_text("".join(f"{line}\n" for line in lines))
    for ask in (heads.signed, heads.signed, lambda: heads.sign(4, "d" * 64, AT)):
        with pytest.raises(CheckpointError, match=f"Line {broken + 1} "):
            ask()


def test_a_line_that_comes_after_those_that_held_is_tried_too(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", SEED)
    heads.sign(1, "a" * 64, AT)
    assert set(heads.signed()) == {1}
    stranger = Heads(tmp_path / "others", bytes(32))
    stranger.sign(2, "b" * 64, AT)
    with heads.path.open("a") as file:
        file.write(stranger.path.read_text())
    with pytest.raises(CheckpointError, match="Line 2 "):
        heads.signed()


def test_a_file_cut_short_says_less(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads", SEED)
    for seq in (1, 2):
        heads.sign(seq, f"{seq:064x}", AT)
    assert set(heads.signed()) == {1, 2}
    heads.path.write_text(heads.path.read_text().splitlines(keepends=True)[0])
    assert set(heads.signed()) == {1}
