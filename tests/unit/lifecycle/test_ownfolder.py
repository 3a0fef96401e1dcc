"""The folder that a patient takes home: whole or not there, and of one run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.lifecycle.ownfolder import FolderError, OwnFolder, consents_page, own_folder
from tests.fakes.pictures import CARE, consent


@pytest.mark.parametrize("place", [".", "..", "/", "no such folder/own"])
def test_a_place_where_no_folder_can_be_is_refused_with_the_remedy(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError, match="isn't there yet"), own_folder(Path(place)):
        pass
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="can't be written"), own_folder(tmp_path / "own") as folder:
        folder.put("no such folder/1.jpg", b"never there")
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_run_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".own.consentgate-part-x"
    left.mkdir()
    OwnFolder(tmp_path / "own", left / "own").begin()
    (left / "own" / "photographs" / "2020-01-01_1.jpg").write_bytes(b"left behind")
    (left / "lock").touch()
    with own_folder(tmp_path / "own") as folder:
        folder.put("photographs/1.jpg", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
    assert [path.name for path in (tmp_path / "own" / "photographs").iterdir()] == ["1.jpg"]


def test_a_condition_stays_on_its_line_of_the_consents() -> None:
    page = consents_page([consent({**CARE, "conditions": ["first\u2028second\x1b[31m"]})])
    assert '"first second [31m"' in page


def test_a_link_in_the_place_of_such_a_folder_is_never_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    (tmp_path / ".own.consentgate-part-x").symlink_to(elsewhere)
    with own_folder(tmp_path / "own"):
        pass
    assert (elsewhere / "lock").exists()


def test_two_runs_for_one_place_never_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "own"
    with own_folder(out) as first:
        first.put("photographs/1.jpg", b"of the first")
        with own_folder(tmp_path / "own") as second:
            second.put("photographs/2.jpg", b"of the second")
            first.put("photographs/3.jpg", b"of the first")
        assert [path.read_bytes() for path in (out / "photographs").iterdir()] == [b"of the second"]
        out.rename(tmp_path / "second")
    assert [path.name for path in sorted((out / "photographs").iterdir())] == ["1.jpg", "3.jpg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "second"]


def test_of_two_runs_the_one_that_ends_later_changes_nothing(tmp_path: Path) -> None:
    def late() -> None:
        with own_folder(tmp_path / "own"), own_folder(tmp_path / "own") as second:
            second.put("README.txt", b"of the second")

    with pytest.raises(FolderError, match="meanwhile"):
        late()
    assert (tmp_path / "own" / "README.txt").read_bytes() == b"of the second"
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
