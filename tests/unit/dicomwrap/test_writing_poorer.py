"""Writing where the file system knows no files without a name, or no links: a camera's card, an old mount."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dicomwrap.conformance import shortcomings
from tests.unit.dicomwrap import photos, poorer
from tests.unit.dicomwrap.calls import left_behind, put
from tests.unit.dicomwrap.test_writing import wrap_in_child

pytestmark = pytest.mark.skipif(not poorer.supported(), reason="the machine's system calls have other numbers")
WAYS = pytest.mark.parametrize("refused", ["TMPFILE", "TMPFILE,LINK", "LINK"])


def under(refused: str) -> list[str]:
    return [sys.executable, poorer.__file__, refused]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return put(tmp_path / "in" / "a.jpg", photos.jpeg(photos.picture(600, 400), quality=95))


@pytest.mark.parametrize("refused", ["TMPFILE", "TMPFILE,LINK"])
def test_an_object_appears_whole_all_the_same(refused: str, photo: Path, tmp_path: Path) -> None:
    code, said = wrap_in_child(photo, tmp_path / "out", before=under(refused))
    assert (code, left_behind(tmp_path / "out")) == (0, ["a.dcm"]), said
    path = tmp_path / "out" / "a.dcm"
    assert shortcomings(path.read_bytes()) == ()
    assert path.stat().st_mode & 0o777 == 0o600


@WAYS
def test_what_is_there_is_never_overwritten_there_either(refused: str, photo: Path, tmp_path: Path) -> None:
    precious = put(tmp_path / "out" / "a.dcm", b"precious")
    code, said = wrap_in_child(photo, tmp_path / "out", before=under(refused))
    assert (code, precious.read_bytes(), left_behind(tmp_path / "out")) == (1, b"precious", ["a.dcm"])
    assert "already there" in said


@WAYS
def test_a_link_to_nowhere_is_not_replaced(refused: str, photo: Path, tmp_path: Path) -> None:
    link = tmp_path / "out" / "a.dcm"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    code, _ = wrap_in_child(photo, tmp_path / "out", before=under(refused))
    assert (code, link.is_symlink(), (tmp_path / "nowhere").exists()) == (1, True, False)
    assert left_behind(tmp_path / "out") == ["a.dcm"]


@WAYS
def test_a_full_disk_leaves_nothing_behind_there_either(refused: str, photo: Path, tmp_path: Path) -> None:
    before = [*under(refused), "/usr/bin/prlimit", "--fsize=65536", "--"]
    (tmp_path / "out").mkdir()
    code, said = wrap_in_child(photo, tmp_path / "out", before=before)
    assert (code, left_behind(tmp_path / "out")) == (1, [])
    assert "can't be written" in said


def test_a_file_without_a_name_that_cannot_be_given_one_is_told(photo: Path, tmp_path: Path) -> None:
    code, said = wrap_in_child(photo, tmp_path / "out", before=under("LINK"))
    assert (code, left_behind(tmp_path / "out")) == (1, [])
    assert "can't be written (Operation not permitted)" in said
