"""``dicomwrap watch`` as a program: from a camera's folder to a real archive, and killed on the way."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.bitstream.clean import entropy_coded
from dicomwrap.verify import verify
from tests.integration.stock import Stock, orthanc
from tests.unit.dicomwrap import photos

PROGRAM = Path(sys.executable).parent / "dicomwrap"
WHOSE = ("--patient-id", "P1", "--issuer", "HOSP", "--patient-name", "Doe^Jane", "--laterality", "L")


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[Stock]:
    (tmp_path / "stock").mkdir()
    with orthanc(tmp_path / "stock") as running:
        yield running


def started(folder: Path, stock: Stock, *more: str) -> subprocess.Popen[str]:
    options = (
        "--to",
        str(stock.node),
        "--listen",
        str(stock.listen),
        "--settle",
        "0.2",
        "--every",
        "0.1",
        *WHOSE,
        *more,
    )
    return subprocess.Popen(
        [PROGRAM, "watch", folder, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def held(stock: Stock) -> list[Dataset]:
    return [dcmread(io.BytesIO(stock.file(uid))) for uid in stock.instances()]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_photographs_arrive_are_vouched_for_and_deleted_and_what_is_refused_stays(stock: Stock, tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    upright, turned = photos.camera_photo(), photos.jpeg(exif=photos.exif(orientation=6))
    (folder / "a.jpg").write_bytes(upright)
    (folder / "b.jpg").write_bytes(turned)
    (folder / "c.gif").write_bytes(b"GIF89a" + bytes(20))
    (folder / "notes.txt").write_text("not a photograph")
    code, said = finished(started(folder, stock, "--once", "--delete-all"))
    assert code == 1, said  # for the one that is refused
    assert left(folder) == {"c.gif", "c.gif.refused.txt", "notes.txt"}
    assert "GIF" in (folder / "c.gif.refused.txt").read_text()
    found = held(stock)
    assert len(found) == 2
    assert {each.StudyInstanceUID for each in found} == {found[0].StudyInstanceUID}
    assert {(each.StudyDate, each.StudyTime, each.PatientID) for each in found} == {
        (found[0].StudyDate, found[0].StudyTime, "P1")
    }
    assert all(entropy_coded(upright) in each.PixelData for each in found if each.Rows == 48)
    assert sorted(each.Rows for each in found) == [48, 64]
    for uid in stock.instances():
        assert [each for each in verify(stock.file(uid)) if each.severity == "error"] == []
    assert len([*(folder / ".dicomwrap" / "receipts").iterdir()]) == 2


def test_a_photograph_with_a_second_picture_in_its_file_is_sent_and_kept(stock: Stock, tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photos.camera_photo())
    code, said = finished(started(folder, stock, "--once"))
    assert (code, len(held(stock))) == (0, 1), said
    assert left(folder) == {"a.jpg", "a.jpg.refused.txt"}
    assert "after the picture" in said
    code, said = finished(started(folder, stock, "--once", "--delete-all"))
    assert (code, left(folder), len(held(stock))) == (0, set(), 1), said


def test_the_next_start_of_the_day_goes_on_with_the_study(stock: Stock, tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    for name, quality in (("a.jpg", 90), ("b.jpg", 80)):
        (folder / name).write_bytes(photos.jpeg(quality=quality))
        assert finished(started(folder, stock, "--once"))[0] == 0
    (folder / "c.jpg").write_bytes(photos.jpeg(quality=70))
    assert finished(started(folder, stock, "--once", "--lesion", "L2"))[0] == 0
    studies = [each.StudyInstanceUID for each in held(stock)]
    assert len(studies) == 3
    assert sorted(studies.count(uid) for uid in set(studies)) == [1, 2]


def test_a_watch_that_is_killed_again_and_again_sends_each_photograph_once(stock: Stock, tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - moments, no secrets
    folder = tmp_path / "camera"
    folder.mkdir()
    made = {f"{number:02}.jpg": photos.jpeg(quality=50 + number, exif=photos.exif()) for number in range(12)}
    for name, data in made.items():
        (folder / name).write_bytes(data)
    for _ in range(6):
        process = started(folder, stock, "--take-existing")
        time.sleep(0.6 + 1.2 * chance.random())
        process.kill()
        process.communicate()
        sent = len(held(stock))
        assert len(left(folder)) + sent >= len(made), "a photograph is neither here nor there"
    code, said = finished(started(folder, stock, "--once"))
    assert code == 0, said
    assert left(folder) == set()
    bits = sorted(bytes(each.PixelData) for each in held(stock))
    assert len(bits) == len(set(bits)) == len(made)


def test_without_an_archive_nothing_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photos.jpeg())
    command = [PROGRAM, "watch", folder, "--to", "ARCHIVE@127.0.0.1:9", "--once", "--settle", "0.1", *WHOSE]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1, run.stderr
    assert left(folder) == {"a.jpg"}
