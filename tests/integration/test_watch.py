"""A watcher is killed again and again while it brings photographs to a real archive."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.stock import Stock, orthanc

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, EACH = 12, 6


def start(folder: Path, stock: Stock) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-um", "tests.integration.watcher", str(folder), str(stock.node), str(stock.listen)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def kill(process: subprocess.Popen[bytes], after: float) -> None:
    """Kill a watcher a moment after it has begun."""
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    process.kill()
    process.communicate()


def test_a_watcher_that_is_killed_again_and_again_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - moments, no secrets
    photos = tmp_path / "photos"
    photos.mkdir()
    texts: list[str] = []
    unfinished = 0
    with orthanc(tmp_path) as stock:
        for number in range(ROUNDS):
            for text in (f"photograph {number:02}{letter}" for letter in "abcdef"[:EACH]):
                (photos / f"{text[-3:]}.jpg").write_text(text)
                texts.append(text)
            (photos / "again.jpg").write_text(texts[0])
            kill(start(photos, stock), chance.random())
            here = {path.read_text() for path in photos.glob("*.jpg")}
            assert here | set(stock.patients()) == set(texts)
            unfinished += bool(here)
        process = start(photos, stock)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
        assert sorted(stock.patients()) == texts
    assert unfinished > ROUNDS // 3
    assert [*photos.glob("*.jpg")] == []
    assert len([*(photos / ".dicomwrap" / "receipts").iterdir()]) == len(texts)
