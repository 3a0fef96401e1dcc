"""What lies in the spool and isn't the spool's keeps Orthanc from nothing: it stays, and is somebody's task."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.registry.spool import CLEAR, SEALED
from tests.fakes.pictures import photograph_bytes
from tests.fakes.world import World

NAME = f"{'a' * 64}.dcm"


def spooled(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}.dcm"


def file(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def tasks(world: World) -> list[str]:
    return [str(task["subject"]) for task in world.tasks() if task["kind"] == "UNREADABLE_FILE"]


@pytest.mark.parametrize(
    ("put", "told"),
    [
        (file("Thumbs.db", b"a file manager's"), ["quarantine"]),
        (file("Jane Doe.dcm", CLEAR + photograph_bytes()), ["quarantine"]),
        (file(NAME, b""), [NAME]),
        (file(NAME, b"not the spool's"), [NAME]),
        (file(NAME, SEALED + b"under a key that nobody has"), [NAME]),
        (file(NAME, CLEAR + photograph_bytes()), [NAME]),
        (file(spooled(b"no object"), CLEAR + b"no object"), [spooled(b"no object")]),
        (lambda folder: (folder / "lost+found").mkdir(), []),
        (lambda folder: os.mkfifo(folder / NAME), []),
        (lambda folder: (folder / NAME).symlink_to("nowhere"), []),
    ],
)
def test_a_stray_file_stays_and_what_a_kill_left_is_listed_all_the_same(
    put: Callable[[Path], object], told: list[str], world: World
) -> None:
    world.services.spool.put(spooled(photograph_bytes()), photograph_bytes())
    folder = world.services.spool.folder
    put(folder)
    before = sorted(folder.iterdir())
    for _ in range(2):
        Intake(world.services).recover()
    assert [held.spool_name for held in world.held()] == [spooled(photograph_bytes())]
    assert sorted(folder.iterdir()) == before
    assert tasks(world) == told
    assert "Jane" not in str(world.tasks())
