"""The parser and the cleaner of JPEG streams."""

from __future__ import annotations

import pytest

from dicomwrap.bitstream.clean import cleaned, entropy_coded, hidden
from dicomwrap.bitstream.markers import SCAN_DATA, ColourModel, parse
from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from tests.unit.dicomwrap import photos

PLAIN = photos.jpeg()
ADOBE = photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01")


def test_the_pieces_of_a_stream_lie_end_to_end() -> None:
    stream = parse(photos.camera_photo())
    ends = [piece.end for piece in stream.pieces]
    assert [piece.start for piece in stream.pieces] == [0, *ends[:-1]]
    assert stream.trailer


def test_the_frame_header_tells_size_and_sampling() -> None:
    frame = parse(photos.jpeg(photos.picture(40, 30), subsampling="4:2:0")).frame
    assert (frame.rows, frame.columns, frame.precision) == (30, 40, 8)
    assert [(each.horizontal, each.vertical) for each in frame.components] == [(2, 2), (1, 1), (1, 1)]


def test_everything_hidden_is_named_and_taken_out() -> None:
    photo = photos.camera_photo()
    assert hidden(photo) == ("APP1", "APP2", "APP13", "COM", "APP0", "trailer after EOI")
    assert hidden(cleaned(photo)) == ()
    assert not [secret for secret in photos.SECRETS if secret in cleaned(photo)]


def test_cleaning_keeps_the_entropy_coded_bytes_and_the_pixels() -> None:
    photo = photos.camera_photo()
    assert entropy_coded(cleaned(photo)) == entropy_coded(photo)
    assert photos.pixels(cleaned(photo)) == photos.pixels(photo)


def test_restart_markers_and_stuffed_bytes_belong_to_the_scan() -> None:
    photo = photos.jpeg(photos.picture(256, 256), quality=100, restart_marker_blocks=1)
    data = entropy_coded(photo)
    assert b"\xff\x00" in data
    assert b"\xff\xd0" in data
    assert photo.endswith(data + b"\xff\xd9")


def test_the_first_end_of_image_ends_the_stream_even_when_a_trailer_has_its_own() -> None:
    assert cleaned(PLAIN + PLAIN) == cleaned(PLAIN)


def test_one_zero_of_padding_after_an_odd_stream_is_no_trailer() -> None:
    odd = cleaned(PLAIN) if len(cleaned(PLAIN)) % 2 else cleaned(photos.with_segments(PLAIN, b"\xff" + ADOBE))
    assert len(odd) % 2 == 1
    assert hidden(odd + b"\0") == ()
    assert hidden(odd + b"\0\0") == ("trailer after EOI",)


def test_fill_bytes_before_a_marker_are_understood() -> None:
    assert parse(photos.with_segments(PLAIN, b"\xff\xff\xff" + photos.segment(0xFE, b"x"))).frame.rows == 48


def test_metadata_between_scans_goes_too() -> None:
    progressive = photos.jpeg(progressive=True)
    second = progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    between = progressive[:second] + photos.segment(0xFE, b"between") + progressive[second:]
    assert len(parse(between).bodies(SCAN_DATA)) > 1
    assert b"between" not in cleaned(between)
    assert entropy_coded(cleaned(between)) == entropy_coded(between)


def test_a_second_scan_of_a_component_is_no_picture_of_a_baseline_stream() -> None:
    with pytest.raises(DamagedPhotographError, match="two scans"):
        parse(PLAIN[:-2] + PLAIN[PLAIN.index(b"\xff\xda") :])


@pytest.mark.parametrize(
    ("segments", "kept"),
    [
        ((ADOBE,), 1),
        ((ADOBE, ADOBE), 1),
        ((photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01 and a name"),), 0),
        ((photos.segment(0xEE, b"Adobe"),), 0),
        ((photos.segment(0xEE, b"Secret\0\0\0\0\0\0"),), 0),
    ],
)
def test_only_one_genuine_adobe_segment_stays(segments: tuple[bytes, ...], kept: int) -> None:
    assert cleaned(photos.with_segments(PLAIN, *segments)).count(b"\xff\xee") == kept


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAPhotographError),
        (b"\xff", NotAPhotographError),
        (b"GIF89a", NotAPhotographError),
        (b"\0" + PLAIN, NotAPhotographError),
        (b"\xff\xd8", TruncatedPhotographError),
        (b"\xff\xd8\xff\xd9", TruncatedPhotographError),
        (PLAIN[:-1], TruncatedPhotographError),
        (PLAIN[:-2], TruncatedPhotographError),
        (PLAIN[: len(PLAIN) // 2], TruncatedPhotographError),
        (PLAIN[:30], TruncatedPhotographError),
        (photos.with_segments(PLAIN, b"stray"), DamagedPhotographError),
        (photos.with_segments(PLAIN, b"\xff\xe1\0\1"), DamagedPhotographError),
        (photos.with_segments(PLAIN, b"\xff\xd8"), DamagedPhotographError),
        (photos.with_segments(PLAIN, photos.segment(0xF0, b"hidden")), DamagedPhotographError),
        (photos.with_segments(PLAIN, photos.segment(0xFE, b"") * 10_000), DamagedPhotographError),
        (photos.with_segments(PLAIN, photos.segment(0xDC, b"\0\x30")), UnsupportedPhotographError),
        (photos.with_segments(PLAIN, photos.segment(0xDE, b"")), UnsupportedPhotographError),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 5, b"\0\0"), UnsupportedPhotographError),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 7, b"\0\0"), DamagedPhotographError),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 9, b"\4"), DamagedPhotographError),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 10, b"\2"), DamagedPhotographError),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 11, b"\0"), DamagedPhotographError),
        (photos.patched(PLAIN, PLAIN.index(b"\xff\xda") + 4, b"\2"), DamagedPhotographError),
        (photos.patched(PLAIN, PLAIN.index(b"\xff\xda") + 5, b"\x63"), DamagedPhotographError),
        (PLAIN[:2] + PLAIN[PLAIN.index(b"\xff\xda") :], DamagedPhotographError),
    ],
)
def test_a_stream_that_breaks_the_rules_is_refused_with_a_remedy(data: bytes, error: type[DicomwrapError]) -> None:
    with pytest.raises(error) as caught:
        cleaned(data)
    assert str(caught.value) == f"{caught.value.reason}. {caught.value.remedy}"


RGB_NAMED = photos.patched(
    photos.patched(photos.patched(PLAIN, photos.frame_header(PLAIN) + 10, b"R"), photos.frame_header(PLAIN) + 13, b"G"),
    photos.frame_header(PLAIN) + 16,
    b"B",
)
_SCAN = RGB_NAMED.index(b"\xff\xda")
RGB_NAMED = RGB_NAMED[: _SCAN + 5] + b"R" + RGB_NAMED[_SCAN + 6 : _SCAN + 7] + b"G" + RGB_NAMED[_SCAN + 8 :]
RGB_NAMED = photos.patched(RGB_NAMED, _SCAN + 9, b"B")


@pytest.mark.parametrize(
    ("data", "colour"),
    [
        (photos.jpeg(photos.picture(mode="L")), ColourModel.GREY),
        (PLAIN, ColourModel.YCBCR),
        (cleaned(PLAIN), ColourModel.YCBCR),
        (RGB_NAMED, ColourModel.YCBCR),  # JFIF says so
        (cleaned(RGB_NAMED), ColourModel.RGB),
        (photos.jpeg(photos.picture(mode="CMYK")), ColourModel.OTHER),
        (photos.with_segments(cleaned(PLAIN), photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")), ColourModel.RGB),
        (photos.with_segments(cleaned(PLAIN), ADOBE), ColourModel.YCBCR),
    ],
)
def test_colours_are_told_as_decoders_infer_them(data: bytes, colour: ColourModel) -> None:
    assert parse(data).colour is colour
