"""``consentgate storage copies | drop-copies``: what is kept of anonymised copies, and an end to all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.registry.keptfolder import KeptFolder
from orthanc_plugin.sending.keptcopies import Shelf
from tests.fakes.keeping import files, is_kept, keeping, rows, sent
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[World]:
    """Give a world in which one copy is kept."""
    with keeping(tmp_path) as world:
        sent(world)
        yield world


def test_what_is_kept_is_shown_with_its_folder_its_size_and_its_age(kept: World) -> None:
    spool = kept.services.spool.folder
    (number, size), place = Shelf(kept.services).copies.held(), KeptFolder(spool).name()
    found = Shell(world=kept).json("storage", "copies")
    since = kept.clock().isoformat()
    assert found == [{"place": place, "copies": number, "size": size, "oldest": since, "here": "yes"}]
    assert (number, size > 0) == (1, True)
    kept.sql("UPDATE kept_copies SET place = 'another node'")
    (elsewhere,) = Shell(world=kept).json("storage", "copies")
    assert (elsewhere["place"], elsewhere["here"]) == ("another node", "no")


def test_all_of_it_is_dropped_by_somebody_who_is_named_and_made_anew_when_asked_for(kept: World) -> None:
    shell, before = Shell(world=kept), len(kept.trail())
    told = shell.json("storage", "drop-copies", "--by", "admin")
    assert told == {"copies": 1, "files": 1}
    assert (rows(kept), files(kept), is_kept(kept)) == (0, [], False)
    (entry,) = [each for each in kept.trail()[before:] if each["effect"] == "KEPT_COPIES_DROPPED"]
    assert (entry["actor"], entry["reasons"]) == ("admin", ["kept copies forgotten: 1"])
    assert verify(kept.services.trail.entries()).whole
    assert shell.json("storage", "copies") == []
    sent(kept)
    assert is_kept(kept)


def test_nobody_drops_them_without_a_name(kept: World) -> None:
    done = Shell(world=kept)("storage", "drop-copies")
    assert (done.exit_code, rows(kept)) == (2, 1)


def test_where_none_are_kept_it_says_so(world: World) -> None:
    assert Shell(world=world)("storage", "copies").stderr == "No copies are kept.\n"
