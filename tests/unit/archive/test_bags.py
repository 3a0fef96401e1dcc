"""A bag holds what was put in, or it is none: what a share does to it meanwhile is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.archive import bags
from orthanc_plugin.archive.bags import BagError

TAGS = {bags.IDENTIFIER: "1"}
CONTENT = b"a picture"


def spoilt(part: Path) -> Iterator[tuple[str, bytes]]:
    yield "a", CONTENT
    (part / "a").write_bytes(b"another")
    yield "b", b"b"


def lost(part: Path) -> Iterator[tuple[str, bytes]]:
    yield "a", CONTENT
    (part / "a").unlink()
    yield "b", b"b"


def added(part: Path) -> Iterator[tuple[str, bytes]]:
    yield "a", CONTENT
    (part / "c").write_bytes(b"c")


@pytest.mark.parametrize("files", [spoilt, lost, added])
def test_what_is_on_the_disk_is_what_was_put_in(files: object, tmp_path: Path) -> None:
    with pytest.raises(BagError, match="isn't what was put"):
        bags.make(tmp_path, "bag", files(tmp_path / ".bag.part"), TAGS)  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


def test_a_bag_is_taken_up_only_with_the_pictures_themselves_in_it(tmp_path: Path) -> None:
    holds = {hashlib.sha256(CONTENT).hexdigest()}
    made = bags.make(tmp_path, "bag", [("a", CONTENT)], TAGS, holds)
    assert bags.make(tmp_path, "bag", [], TAGS, holds) == made
    with pytest.raises(BagError, match="not all of the pictures"):
        bags.make(tmp_path, "bag", [], TAGS, holds | {"0" * 64})
