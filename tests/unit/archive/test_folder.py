"""Folders that go wrong: what is on a medium counts as having gone, and nobody else reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.archive.folder import MANIFEST, FolderExport, FolderNotWritableError
from orthanc_plugin.archive.port import NothingSentError
from tests.fakes.pictures import photograph_bytes

CONTENT = photograph_bytes()
NAME = f"{hashlib.sha256(CONTENT).hexdigest()}.dcm"


@pytest.mark.parametrize("before", [False, True], ids=["written now", "there before"])
def test_what_is_on_a_medium_whose_manifest_can_t_be_written_counts_as_having_gone(
    before: bool, tmp_path: Path
) -> None:
    if before:
        FolderExport(tmp_path).store(CONTENT)
        (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(FolderNotWritableError) as raised:
        FolderExport(tmp_path).store(CONTENT)
    assert not isinstance(raised.value, NothingSentError)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        (lambda medium: medium.rmdir(), False),
        (lambda medium: (medium / f".{NAME}.part").mkdir(), True),
    ],
    ids=["no medium", "a part that can't be taken away"],
)
def test_a_medium_has_something_of_a_picture_when_anything_is_left_there(
    fault: Callable[[Path], None], gone: bool, tmp_path: Path
) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    fault(medium)
    with pytest.raises(FolderNotWritableError) as raised:
        FolderExport(medium).store(CONTENT)
    assert isinstance(raised.value, NothingSentError) is not gone


def test_what_a_killed_courier_left_half_written_is_no_picture_and_goes_when_it_is_sent_again(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.part").write_bytes(CONTENT[:99])
    FolderExport(tmp_path).store(CONTENT)
    assert {path.name for path in tmp_path.iterdir()} == {NAME, MANIFEST}


def test_what_is_on_a_medium_is_for_its_owner_alone(tmp_path: Path) -> None:
    FolderExport(tmp_path).store(CONTENT)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
