"""Reading photographs: what is kept, what is told, what is refused."""

from __future__ import annotations

import hashlib
import io
from datetime import datetime, timedelta

import pytest

from dicomwrap.bitstream.clean import entropy_coded, hidden
from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from dicomwrap.exif import capture_facts
from dicomwrap.photograph import CaptureFacts, Device
from dicomwrap.source import jpeg
from dicomwrap.source.readers import read_photographs
from tests.unit.dicomwrap import photos

PLAIN = photos.jpeg()


def saved(form: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    photos.picture(mode=mode).save(buffer, form)
    return buffer.getvalue()


def test_a_camera_photo_is_read_with_its_bits_and_without_its_secrets() -> None:
    data = photos.camera_photo()
    photograph = read_photograph(data)
    assert (photograph.rows, photograph.columns, photograph.samples) == (48, 64, 3)
    assert photograph.photometric == "YBR_FULL_422"
    assert photograph.sha256 == hashlib.sha256(data).hexdigest()
    assert hidden(photograph.stream) == ()
    assert entropy_coded(photograph.stream) == entropy_coded(data)
    assert photograph.ratio == pytest.approx(48 * 64 * 3 / len(photograph.stream))


def test_a_grey_photo_is_monochrome() -> None:
    photograph = read_photograph(photos.jpeg(photos.picture(mode="L")))
    assert (photograph.samples, photograph.photometric) == (1, "MONOCHROME2")


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (17, 1), (1, 300)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_any_size_and_sampling_is_read(size: tuple[int, int], subsampling: str) -> None:
    photograph = read_photograph(photos.jpeg(photos.picture(*size), subsampling=subsampling))
    assert (photograph.columns, photograph.rows) == size


def test_the_camera_s_facts_are_read() -> None:
    facts = read_photograph(photos.camera_photo()).facts
    assert facts.taken_at == datetime.fromisoformat("2025-03-01T10:15:30.250")
    assert facts.offset == timedelta(hours=1)
    assert facts.device == Device(
        manufacturer="Acme", model="Lens-o-Matic 3", software="fw 1.2", serial_number=photos.SERIAL
    )
    exposure = facts.exposure
    assert (exposure.sensitivity, exposure.focal_length_35mm, exposure.flash_fired) == (400, 75, True)
    assert (exposure.exposure_time, exposure.f_number) == (pytest.approx(1 / 125), pytest.approx(2.8))
    assert (exposure.focal_length, exposure.lens_model) == (50.0, "50 mm")


def test_nobody_and_no_place_is_among_the_facts() -> None:
    told = repr(read_photograph(photos.camera_photo()))
    assert not [word for word in (photos.OWNER, "WGS", "secret", "51") if word in told.split("stream=")[0]]
    assert photos.OWNER not in repr(read_photograph(photos.camera_photo()).facts)
    assert "WGS" not in repr(read_photograph(photos.camera_photo()).facts)


@pytest.mark.parametrize("payload", [b"", b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\xff\xff\xff\xff", bytes(99)])
def test_a_broken_exif_block_gives_no_facts_and_never_a_refusal(payload: bytes) -> None:
    facts = capture_facts(payload)
    assert (facts.taken_at, facts.device) == (None, Device())
    assert read_photograph(photos.with_segments(PLAIN, photos.segment(0xE1, payload))).rows == 48


def test_a_broken_exif_block_is_told_in_a_warning() -> None:
    (warning,) = read_photograph(photos.with_segments(PLAIN, photos.segment(0xE1, b"Exif\0\0MM\0*\0"))).warnings
    assert "EXIF" in warning


@pytest.mark.parametrize(
    "taken", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2025:02:30 10:00:00", "0001:01:01 00:00:00"]
)
def test_a_time_that_never_was_is_no_time(taken: str) -> None:
    assert capture_facts(photos.exif(taken=taken)).taken_at is None


@pytest.mark.parametrize(
    ("said", "offset"),
    [("-05:30", timedelta(hours=-5, minutes=-30)), ("Z", None), ("+99:00", None), ("+01:75", None), ("", None)],
)
def test_an_offset_is_read_or_left_unknown(said: str, offset: timedelta | None) -> None:
    assert capture_facts(photos.exif(offset=said)).offset == offset


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photo_keeps_its_bits_and_says_so(orientation: int) -> None:
    photograph = read_photograph(photos.camera_photo(orientation=orientation))
    assert (photograph.rows, photograph.columns) == (48, 64)
    assert photograph.facts.orientation == orientation
    assert any("stored unrotated" in warning for warning in photograph.warnings)


def test_an_upright_photo_without_profile_has_no_warning() -> None:
    assert read_photograph(photos.camera_photo()).warnings == ()


def test_a_colour_profile_that_is_dropped_is_told() -> None:
    assert any("colour profile" in warning for warning in read_photograph(photos.with_colour_profile()).warnings)


RGB = photos.jpeg(keep_rgb=True)
CLEAN_RGB_NAMES = photos.with_segments(RGB, photos.segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"))


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotAPhotographError, "empty"),
        (b"hello", NotAPhotographError, "no JPEG"),
        (saved("PNG"), UnsupportedPhotographError, "PNG"),
        (saved("TIFF"), UnsupportedPhotographError, "TIFF"),
        (saved("WEBP"), UnsupportedPhotographError, "WebP"),
        (saved("GIF"), UnsupportedPhotographError, "GIF"),
        (saved("BMP"), UnsupportedPhotographError, "BMP"),
        (saved("PDF"), UnsupportedPhotographError, "PDF"),
        (b"\0\0\0\x18ftypheic", UnsupportedPhotographError, "HEIC"),
        (b"\0\0\0\x18ftypavif", UnsupportedPhotographError, "AVIF"),
        (bytes(128) + b"DICM", UnsupportedPhotographError, "already"),
        (photos.jpeg(progressive=True), UnsupportedPhotographError, "progressive"),
        (photos.jpeg(photos.picture(mode="CMYK")), UnsupportedPhotographError, "CMYK"),
        (RGB, UnsupportedPhotographError, "RGB"),
        (CLEAN_RGB_NAMES, UnsupportedPhotographError, "two things"),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 1, b"\xc1"), UnsupportedPhotographError, "sequential"),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 1, b"\xc3"), UnsupportedPhotographError, "lossless"),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 1, b"\xc9"), UnsupportedPhotographError, "arithmetic"),
        (photos.patched(PLAIN, photos.frame_header(PLAIN) + 4, b"\x0c"), UnsupportedPhotographError, "12 bits"),
        (
            photos.patched(PLAIN, photos.frame_header(PLAIN) + 5, b"\xff\xff\xff\xff"),
            UnsupportedPhotographError,
            "limit",
        ),
        (PLAIN[:-2], TruncatedPhotographError, "ends"),
        (PLAIN[: len(PLAIN) * 3 // 4] + b"\xff\xd9", TruncatedPhotographError, "too early"),
        (PLAIN[:-150] + b"\xff\xd9", TruncatedPhotographError, "too early"),
        (PLAIN.replace(b"\xff\xc4", b"\xff\xfe"), DamagedPhotographError, "tables"),
    ],
)
def test_what_cannot_be_kept_bit_for_bit_is_refused(data: bytes, error: type[DicomwrapError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        read_photograph(data)
    assert caught.value.remedy


def test_a_photo_over_the_pixel_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(UnsupportedPhotographError, match="limit"):
        jpeg.read(PLAIN, most_pixels=64 * 48 - 1)
    assert jpeg.read(PLAIN, most_pixels=64 * 48).rows == 48


def test_a_photo_without_exif_has_no_facts() -> None:
    assert read_photograph(PLAIN).facts == CaptureFacts()


def test_the_frame_decodes_to_the_same_pixels() -> None:
    data = photos.camera_photo()
    assert photos.pixels(read_photograph(data).stream) == photos.pixels(data)
