"""Putting an object on the disk: whole or not at all, never in the place of something else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dicomwrap.conformance import shortcomings
from dicomwrap.errors import ConformanceError, OutputError
from dicomwrap.wrap import encoded, publish, write
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import left_behind, put
from tests.unit.dicomwrap.objects import built, without

ROOT = Path(__file__).resolve().parents[3]
# Root may do what files' modes forbid; without these capabilities it may not.
ALMIGHTY = "-dac_override,-dac_read_search"
LIKE_ANYBODY = ("setpriv", f"--bounding-set={ALMIGHTY}", f"--inh-caps={ALMIGHTY}", "--") if os.geteuid() == 0 else ()


def wrap_in_child(photo: Path, out: Path, *others: Path, before: Sequence[str] = ()) -> tuple[int, str]:
    """Run the command in a process of its own, under another command such as prlimit; return its code and words."""
    code = "from dicomwrap.cli.main import main; main()"
    command = [*before, sys.executable, "-B", "-c", code, "wrap", photo, *others, "--out", out, "--patient-id", "P1"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return run.returncode, run.stderr


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_appears_whole_and_readable_by_its_owner_only(durable: bool, tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "x.dcm"
    made = built()
    write(made, path, durable=durable)
    assert [each.name for each in path.parent.iterdir()] == ["x.dcm"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == encoded(made)
    assert shortcomings(path.read_bytes()) == ()


@pytest.mark.parametrize("size", [(8, 8), (1500, 1100)])
def test_a_file_has_every_byte_of_a_frame_of_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    data = photos.jpeg(photos.picture(*size), quality=100)
    write(built(data), tmp_path / "x.dcm")
    assert (tmp_path / "x.dcm").read_bytes() == encoded(built(data))


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_that_is_there_is_never_overwritten(durable: bool, tmp_path: Path) -> None:
    path = put(tmp_path / "x.dcm", b"precious")
    with pytest.raises(OutputError, match="already there"):
        write(built(), path, durable=durable)
    with pytest.raises(OutputError, match="already there"):
        publish(b"data", path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("x.dcm", b"precious")]


@pytest.mark.parametrize("target", ["somewhere else", "nowhere"])
def test_a_link_that_is_there_is_not_followed(target: str, tmp_path: Path) -> None:
    put(tmp_path / "somewhere else", b"precious")
    path = tmp_path / "x.dcm"
    path.symlink_to(tmp_path / target)
    with pytest.raises(OutputError):
        write(built(), path)
    assert path.is_symlink()
    assert left_behind(tmp_path) == ["somewhere else", "x.dcm"]
    assert (tmp_path / "somewhere else").read_bytes() == b"precious"


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").mkdir()
    with pytest.raises(OutputError, match="already there"):
        write(built(), tmp_path / "x.dcm")
    assert left_behind(tmp_path) == ["x.dcm"]


@pytest.mark.parametrize("name", ["file/x.dcm", "y" * 300, "x\0y"])
def test_a_place_that_cannot_be_written_to_is_told(name: str, tmp_path: Path) -> None:
    put(tmp_path / "file", b"")
    with pytest.raises(OutputError, match="can't be written"):
        publish(b"data", tmp_path / name)
    with pytest.raises(OutputError, match="can't be written"):
        write(built(), tmp_path / name)
    assert left_behind(tmp_path) == ["file"]


@pytest.mark.parametrize("folder", ["/proc/self", "/proc", "/dev/fd"])
def test_a_file_system_that_holds_no_files_is_told(folder: str) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        write(built(), Path(folder) / "x.dcm")


def test_an_object_that_breaks_a_promise_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError):
        write(without(built(), "StudyID"), tmp_path / "x.dcm")
    assert left_behind(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    photo = put(tmp_path / "in" / "large.jpg", photos.jpeg(photos.picture(600, 400), quality=95))
    out = tmp_path / "out"
    out.mkdir()
    code, said = wrap_in_child(photo, out, before=["prlimit", "--fsize=65536", "--"])
    assert (code, left_behind(out)) == (1, [])
    assert "large.jpg" in said
    assert "can't be written (File too large)" in said
    assert "Traceback" not in said


def test_a_folder_that_nobody_may_write_to_is_told_and_stays_as_it_was(tmp_path: Path) -> None:
    photo = put(tmp_path / "in" / "a.jpg", photos.jpeg())
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o555)
    code, said = wrap_in_child(photo, out, before=LIKE_ANYBODY)
    assert (code, left_behind(out)) == (1, [])
    assert "can't be written (Permission denied)" in said


def test_a_photograph_that_nobody_may_read_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    photo, secret = put(tmp_path / "in" / "a.jpg", photos.jpeg()), put(tmp_path / "in" / "b.jpg", photos.jpeg())
    out = tmp_path / "out"
    out.mkdir()
    secret.chmod(0)
    code, said = wrap_in_child(secret, out, photo, before=LIKE_ANYBODY)
    assert (code, left_behind(out)) == (1, ["a.dcm"])
    assert "b.jpg: The file can't be read (Permission denied)" in said


def test_a_kill_in_the_middle_leaves_no_file_with_a_name(tmp_path: Path) -> None:
    photo = put(tmp_path / "in" / "large.jpg", photos.jpeg(photos.picture(600, 400), quality=95))
    out = tmp_path / "out"
    out.mkdir()
    # SIGXFSZ, which Python leaves alone unless it is told otherwise, kills in the middle of the write
    code = (
        "import signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); from dicomwrap.cli.main import main; main()"
    )
    command = ["prlimit", "--fsize=65536", "--core=0", "--", sys.executable, "-B", "-c", code]
    run = subprocess.run([*command, "wrap", photo, "--out", out], capture_output=True, check=False, cwd=ROOT)
    assert run.returncode < 0
    assert [name for name in left_behind(out) if not name.endswith(".part")] == []
