"""The reader of TIFF directories: right fields rightly, rotten ones not at all, and Pillow says the same."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

import pytest
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import IFDRational

from dicomwrap.exif import capture_facts
from dicomwrap.photograph import CaptureFacts, Device
from dicomwrap.tiff_ifd import Rational, Value, fields, opened
from tests.unit.dicomwrap import exifblocks as blocks
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.exifblocks import Field, Order, ascii_, long, rational, short, undefined

PHOTOS: Final = Path(__file__).resolve().parents[4] / "shared" / "photos"
EVERY_TAG: Final = range(0x10000)
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
ONE_OF_EACH: Final[dict[int, tuple[Field, Value]]] = {
    1: (blocks.byte(1, 255), (1, 255)),
    2: (ascii_("Zürich\0left over"), "ZÃ¼rich"),
    3: (short(65535), (65535,)),
    4: (long(2**32 - 1), (2**32 - 1,)),
    5: (rational((1, 0), (2**32 - 1, 3)), (Rational(1, 0), Rational(2**32 - 1, 3))),
    6: (blocks.numbers(6, "b", -1), (-1,)),
    7: (undefined(b"\0\1"), b"\0\1"),
    8: (blocks.sshort(-2), (-2,)),
    9: (blocks.slong(-3), (-3,)),
    10: (blocks.srational((-1, -2)), (Rational(-1, -2),)),
    11: (blocks.single(0.5), (0.5,)),
    12: (blocks.double(-0.25), (-0.25,)),
    13: (blocks.numbers(13, "I", 8), (8,)),
}


def read(block: bytes) -> dict[int, Value] | None:
    tiff = opened(block)
    return None if tiff is None else fields(tiff, tiff.first, EVERY_TAG)


def with_entry(tag: int, kind: int, count: int, place: int) -> bytes:
    """Return a block with a good field before and after one that says what it likes."""
    good = blocks.tiff({0x0100: short(7), tag: long(0), 0xFFFF: short(9)})
    rotten = struct.pack("<HHII", tag, kind, count, place)
    return photos.patched(good, blocks.DIRECTORY + 2 + 12, rotten)


@pytest.mark.parametrize("order", ORDERS, ids=["little", "big"])
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_every_type_is_read(kind: int, order: Order) -> None:
    field, value = ONE_OF_EACH[kind]
    assert read(blocks.tiff({0x9999: field}, order=order)) == {0x9999: value}


def test_only_what_is_wanted_is_read() -> None:
    tiff = opened(blocks.tiff({tag: short(1) for tag in (0x010E, 0x010F, 0x0110, 0x013B, 0x8298, 0x9C9B)}))
    assert tiff is not None
    assert fields(tiff, tiff.first, {0x010F, 0x0131}) == {0x010F: (1,)}


@pytest.mark.parametrize(("length", "there"), [(1024, True), (1025, False)])
def test_a_field_may_not_be_longer_than_anything_that_we_ask_for(length: int, there: bool) -> None:
    field = undefined(b"x" * length)
    assert read(blocks.tiff({1: field, 2: short(2)})) == {**({1: b"x" * length} if there else {}), 2: (2,)}


@pytest.mark.parametrize(
    ("kind", "count", "place"),
    [
        (0, 1, 0), (14, 1, 0), (0xFFFF, 1, 0), (2, 0, 8), (2, 5, 0xFFFFFFFF), (2, 5, 1000), (12, 1, 60),
        (2, 0xFFFFFFFF, 8), (5, 0x20000000, 8), (7, 1025, 8), (4, 0x40000001, 8),
    ],
    ids=[
        "no type", "unknown type", "no such type", "no values", "far outside", "outside", "half outside",
        "longer than anything", "size that overflows 32 bits", "too long", "size that wraps to 4",
    ],
)  # fmt: skip
def test_a_rotten_field_is_not_there_and_its_neighbours_are(kind: int, count: int, place: int) -> None:
    assert read(with_entry(0x9999, kind, count, place)) == {0x0100: (7,), 0xFFFF: (9,)}


@pytest.mark.parametrize("at", [-1, -8, 2**32 - 1, 10**6])
def test_a_directory_outside_the_block_is_none(at: int) -> None:
    tiff = opened(blocks.tiff({1: short(1)}))
    assert tiff is not None
    assert fields(tiff, at, EVERY_TAG) is None
    assert fields(tiff, len(tiff.data) - 1, EVERY_TAG) is None


@pytest.mark.parametrize("count", [513, 0xFFFF])
def test_a_directory_with_too_many_entries_is_none(count: int) -> None:
    head = b"II*\0\x08\0\0\0"
    assert read(head + struct.pack("<H", count) + bytes(12 * count)) is None
    assert read(head + struct.pack("<H", 512) + bytes(12 * 512)) == {}


BROKEN: Final = "the camera's EXIF block can't be read; capture time and device are unknown"
HALF: Final = "a part of the camera's EXIF block can't be read; capture time and exposure are unknown"
GOOD: Final = blocks.block({0x010F: ascii_("Acme"), 0x0112: short(3)}, {0x8827: short(100)})


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"", ()),
        (b"Exif\0\0", ()),
        (blocks.HEADER + b"II*\0\x08\0\0\0\0\0", ()),
        (b"Exif\0\0garbage", (BROKEN,)),
        (bytes(99), (BROKEN,)),
        (b"\xff" * 99, (BROKEN,)),
        (GOOD[: 6 + 7], (BROKEN,)),
        (GOOD[: 6 + 20], (BROKEN,)),
        (GOOD.replace(b"II*\0", b"II+\0"), (BROKEN,)),
        (GOOD.replace(b"II*\0", b"MM\0*"), (BROKEN,)),
        (b"Exif\0\0" * 1000 + GOOD, (BROKEN,)),
    ],
    ids=[
        "nothing", "only a header", "empty directory", "garbage", "zeros", "ones", "cut header", "cut directory",
        "BigTIFF", "other byte order", "headers without end",
    ],
)  # fmt: skip
def test_a_broken_block_has_no_facts(payload: bytes, told: tuple[str, ...]) -> None:
    assert capture_facts(payload) == CaptureFacts(warnings=told)


@pytest.mark.parametrize("pointer", [long(0xFFFFFFFF), long(10**6), long(0), short(65535), rational((1, 0))])
def test_a_block_broken_behind_its_first_directory_keeps_what_that_says(pointer: Field) -> None:
    told = capture_facts(blocks.block({0x010F: ascii_("Acme"), 0x0112: short(3), blocks.EXIF_IFD: pointer}))
    assert told == CaptureFacts(device=Device(manufacturer="Acme"), orientation=3, warnings=(HALF,))


def test_a_directory_that_points_at_itself_is_read_once_more_and_no_further() -> None:
    told = capture_facts(blocks.block({0x010F: ascii_("Acme"), blocks.EXIF_IFD: long(blocks.DIRECTORY)}))
    assert told == CaptureFacts(device=Device(manufacturer="Acme"))


def by_pillow(value: object) -> Value:
    if isinstance(value, str):
        return value.partition("\0")[0]
    if isinstance(value, bytes):
        return value
    many = value if isinstance(value, tuple) else (value,)
    return tuple(pair(each) if isinstance(each, IFDRational) else each for each in many)


def pair(value: IFDRational) -> Rational:
    return Rational(int(value.numerator), value.denominator)


def assert_same(ours: Mapping[int, Value], pillows: Mapping[int, object]) -> None:
    """Compare all but tables, notes and thumbnails, which are too long for us and never asked for."""
    theirs = {tag: by_pillow(value) for tag, value in pillows.items()}
    assert ours.keys() == {tag for tag, value in theirs.items() if tag in ours or len(value) <= 32}
    for tag, value in ours.items():
        other = theirs[tag]
        assert value == (tuple(other) if isinstance(value, tuple) else other), hex(tag)


def blocks_of_cameras() -> list[bytes]:
    found = []
    for path in sorted(PHOTOS.glob("*/*.*")):
        try:
            with warnings.catch_warnings(), Image.open(path) as image:
                warnings.simplefilter("ignore")
                block = image.info.get("exif")
        except UnidentifiedImageError:
            continue
        if block:
            found.append(block)
    return found


def assert_pillow_agrees(block: bytes) -> None:
    pillow = Image.Exif()
    pillow.load(block)
    tiff = opened(block.removeprefix(blocks.HEADER))
    assert tiff is not None
    main = fields(tiff, tiff.first, EVERY_TAG)
    assert main is not None
    assert_same(main, dict(pillow))
    if blocks.EXIF_IFD in main:
        pointer = main[blocks.EXIF_IFD]
        assert isinstance(pointer, tuple)
        at = pointer[0]
        assert isinstance(at, int)
        assert_same(fields(tiff, at, EVERY_TAG) or {}, dict(pillow.get_ifd(blocks.EXIF_IFD)))


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs aren't here")
def test_pillow_reads_the_same_from_the_blocks_of_cameras() -> None:
    found = blocks_of_cameras()
    assert len(found) > 30
    for block in found:
        assert_pillow_agrees(block)


@pytest.mark.parametrize("order", ORDERS, ids=["little", "big"])
def test_pillow_reads_the_same_from_our_blocks(order: Order) -> None:
    every = {kind: field for kind, (field, _) in ONE_OF_EACH.items()}
    assert_pillow_agrees(blocks.block(every, {0x9000 + kind: field for kind, field in every.items()}, order=order))


def test_we_read_what_pillow_writes() -> None:
    assert_pillow_agrees(photos.exif(orientation=8))


def test_reading_does_not_import_pillow() -> None:
    code = "import sys, dicomwrap.exif; sys.exit('PIL' in sys.modules or 'pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
