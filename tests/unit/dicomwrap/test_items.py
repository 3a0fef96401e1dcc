"""What a file of boxes says of its picture, and what the decoders would hide: missing tiles, and other colours."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from dicomwrap.errors import DamagedPhotographError, DicomwrapError, TruncatedPhotographError
from dicomwrap.source.child import pictures
from dicomwrap.source.items import Primary, primary
from dicomwrap.source.rasters import Wanted
from tests.unit.dicomwrap.rasterfiles import heic, heic_of_bits, saved

NOISE = Image.effect_noise((128, 96), 60).convert("RGB")
HEIC, AVIF = heic(NOISE), saved(NOISE, "AVIF")
TILED = heic(NOISE, tile_size=64)


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def warnings_of(data: bytes, kind: str) -> tuple[str, ...]:
    wanted = Wanted(orientation=None, page=1, most_pixels=10**6, keep=False)
    (picture,) = pictures(data, kind, wanted)
    return picture.warnings


def with_colours(data: bytes, primaries: int, transfer: int) -> bytes:
    """Return the file with other numbers for its colours."""
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize(("data", "bits"), [(HEIC, 8), (AVIF, 8), (heic_of_bits(10), 10), (heic_of_bits(12), 12)])
def test_the_bits_of_the_primary_item_are_known(data: bytes, bits: int) -> None:
    assert primary(data).bits == bits


@pytest.mark.parametrize(
    ("properties", "bits"),
    [
        ({}, 8),
        ({b"pixi": b"\0\0\0\0\3\x0a\x0a\x0a"}, 10),
        ({b"pixi": b"\0\0\0\0\1\x0c\xff"}, 12),
        ({b"pixi": b"\0\0\0\0"}, 8),
        ({b"av1C": b"\x81\0\x4c\0"}, 10),
        ({b"av1C": b"\x81\0\x6c\0"}, 12),
        ({b"av1C": b"\x81\0\x0c\0"}, 8),
        ({b"av1C": b"\x81"}, 8),
    ],
    ids=str,
)
def test_bits_are_told_by_pixi_or_av1c(properties: dict[bytes, bytes], bits: int) -> None:
    assert Primary(properties=properties).bits == bits


@pytest.mark.parametrize(("data", "kind"), [(HEIC, "HEIC"), (AVIF, "AVIF")])
def test_colours_near_srgb_need_no_word_and_others_are_told(data: bytes, kind: str) -> None:
    assert warnings_of(with_colours(data, 1, 13), kind) == ()
    assert warnings_of(with_colours(data, 2, 2), kind) == ()
    (warning,) = warnings_of(with_colours(data, 12, 13), kind)
    assert "Display P3" in warning


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize(("data", "kind"), [(HEIC, "HEIC"), (AVIF, "AVIF")])
def test_a_high_dynamic_range_is_refused(data: bytes, kind: str, transfer: int, name: str) -> None:
    with pytest.raises(DicomwrapError, match=rf"high dynamic range \({name}\)"):
        warnings_of(with_colours(data, 9, transfer), kind)


@pytest.mark.parametrize("data", [HEIC, TILED, AVIF], ids=["HEIC", "HEIC of tiles", "AVIF"])
def test_items_beyond_the_end_are_found(data: bytes) -> None:
    primary(data)
    for missing in (1, 100, len(data) // 2):
        with pytest.raises(TruncatedPhotographError):
            primary(data[:-missing])


def test_items_beyond_the_end_are_found_where_the_last_box_has_no_length() -> None:
    at = TILED.index(b"mdat") - 4
    endless = TILED[:at] + bytes(4) + TILED[at + 4 :]
    primary(endless)
    with pytest.raises(TruncatedPhotographError):
        primary(endless[:-1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        box(b"ftyp", b"heic"),
        box(b"meta", bytes(4)),
        box(b"meta", bytes(4), box(b"pitm", bytes(6))),
        box(b"meta", bytes(4), box(b"pitm", bytes(6)), box(b"iprp")),
        box(b"meta", bytes(4), box(b"pitm", bytes(6)), box(b"iprp", box(b"ipco"), box(b"ipma", bytes(8)))),
    ],
)
def test_a_file_that_says_nothing_says_nothing(data: bytes) -> None:
    assert primary(data) == Primary()


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\4ftyp",
        box(b"meta", bytes(4), b"\0\0\0\1pitm" + bytes(7) + b"\x01"),
        box(b"meta", bytes(4), box(b"pitm", b"\0"), box(b"iprp")),
        box(b"meta", bytes(4), box(b"iloc", bytes(4))),
        box(b"meta", bytes(4), box(b"iloc", bytes(4), b"\x44\0\0\xff", bytes(9))),
        box(b"meta", bytes(4), box(b"pitm", bytes(6)), box(b"iprp", box(b"ipma", bytes(7)))),
    ],
)
def test_a_box_that_is_too_short_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedPhotographError, match="box that is shorter"):
        primary(data)
