"""Reading photographs: what is kept, what is told, what is refused."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dicomwrap.bitstream.clean import cleaned, entropy_coded, hidden
from dicomwrap.bitstream.markers import SOS, parse
from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from dicomwrap.exif import capture_facts
from dicomwrap.photograph import JPEG_BASELINE, CaptureFacts, Device, LossyStep, Photograph, Reading
from dicomwrap.source import jpeg
from dicomwrap.source.readers import read_photographs
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.rasterfiles import saved

PLAIN = photos.jpeg()
FRAME_HEADER = photos.frame_header(PLAIN)
NOISY = photos.jpeg(photos.picture(256, 192), quality=95)


def read_photograph(data: bytes, reading: Reading | None = None) -> Photograph:
    (photograph,) = read_photographs(data, reading)
    return photograph


def test_a_camera_photo_is_read_with_its_bits_and_without_its_secrets() -> None:
    data = photos.camera_photo()
    photograph = read_photograph(data)
    assert (photograph.rows, photograph.columns, photograph.samples) == (48, 64, 3)
    assert (photograph.photometric, photograph.transfer_syntax) == ("YBR_FULL_422", JPEG_BASELINE)
    assert photograph.sha256 == hashlib.sha256(data).hexdigest()
    assert hidden(photograph.stream) == ()
    assert entropy_coded(photograph.stream) == entropy_coded(data)
    assert photograph.stream == cleaned(data)
    assert photograph.length == len(photograph.stream)
    ratio = pytest.approx(48 * 64 * 3 / len(photograph.stream))
    assert photograph.lossy == (LossyStep(ratio=ratio, method="ISO_10918_1"),)
    assert (photograph.untouched, photograph.added_loss, photograph.derivation) == (True, False, ())


def test_a_grey_photo_is_monochrome() -> None:
    photograph = read_photograph(photos.jpeg(photos.picture(mode="L")))
    assert (photograph.samples, photograph.photometric) == (1, "MONOCHROME2")


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (17, 1), (1, 300)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_any_size_and_sampling_is_read(size: tuple[int, int], subsampling: str) -> None:
    photograph = read_photograph(photos.jpeg(photos.picture(*size), subsampling=subsampling))
    assert (photograph.columns, photograph.rows) == size


@pytest.mark.parametrize("length", [1 << 20, 1 << 21], ids=["1 MiB", "2 MiB"])
def test_the_digest_of_a_large_file_is_that_of_all_its_bytes(length: int) -> None:
    data = PLAIN + bytes(length)
    assert read_photograph(data).sha256 == hashlib.sha256(data).hexdigest()


def test_the_camera_s_facts_are_read() -> None:
    facts = read_photograph(photos.camera_photo()).facts
    assert facts.taken_at == datetime.fromisoformat("2025-03-01T10:15:30.250")
    assert facts.offset == timedelta(hours=1)
    assert facts.device == Device(
        manufacturer="Acme", model="Lens-o-Matic 3", software="fw 1.2", serial_number=photos.SERIAL
    )
    exposure = facts.exposure
    assert (exposure["PhotographicSensitivity"], exposure["FocalLengthIn35mmFilm"]) == (400, 75)
    assert exposure["FlashFiringStatus"] == 1
    assert (exposure["ExposureTimeInSeconds"], exposure["FNumber"]) == (pytest.approx(1 / 125), pytest.approx(2.8))
    assert (exposure["FocalLength"], exposure["LensModel"]) == (50.0, "50 mm")


def test_nobody_and_no_place_is_among_the_facts() -> None:
    photograph = read_photograph(photos.camera_photo())
    told = repr((photograph.facts, photograph.warnings, photograph.derivation, photograph.profile))
    assert not [word for word in (photos.OWNER, "WGS", "secret", "51") if word in told]


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


def test_an_upright_photo_without_profile_and_second_picture_has_no_warning() -> None:
    assert read_photograph(photos.jpeg(exif=photos.exif())).warnings == ()


def test_a_second_picture_that_is_left_out_is_told() -> None:
    (warning,) = read_photograph(photos.camera_photo()).warnings
    assert "after the picture" in warning


def test_a_few_bytes_of_padding_after_the_picture_are_not_worth_a_word() -> None:
    photograph = read_photograph(PLAIN + bytes(64))
    assert (photograph.warnings, photograph.stream) == ((), cleaned(PLAIN))


@pytest.mark.parametrize("junk", [b"\0", b"\xff", b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_533)])
def test_bytes_before_the_picture_are_left_out_and_told(junk: bytes) -> None:
    photograph = read_photograph(junk + PLAIN)
    assert photograph.stream == cleaned(PLAIN)
    assert photograph.sha256 == hashlib.sha256(junk + PLAIN).hexdigest()
    (warning,) = photograph.warnings
    assert warning.startswith(f"{len(junk)} bytes before the picture")


def test_a_picture_too_far_behind_other_bytes_is_not_looked_for() -> None:
    with pytest.raises(NotAPhotographError):
        read_photographs(bytes(65_536) + PLAIN)


def test_a_second_picture_of_an_mpo_is_left_out() -> None:
    second = photos.picture(16, 16)
    mpo = saved(photos.picture(), "MPO", save_all=True, append_images=[second])
    photograph = read_photograph(mpo)
    assert photograph.stream == cleaned(mpo)
    assert (photograph.columns, photograph.rows, photograph.untouched) == (64, 48, True)
    assert b"MPF" not in photograph.stream
    assert photograph.stream.count(b"\xff\xd8\xff") == 1


RGB = photos.jpeg(keep_rgb=True)
RGB_SAYS_JFIF = photos.with_segments(RGB, photos.segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"))


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotAPhotographError, "empty"),
        (b"hello", NotAPhotographError, "no photograph"),
        (saved(photos.picture(), "GIF"), UnsupportedPhotographError, "GIF"),
        (saved(photos.picture(), "PDF"), UnsupportedPhotographError, "PDF"),
        (saved(photos.picture(), "JPEG2000"), UnsupportedPhotographError, "JPEG 2000"),
        (b"<?xml version='1.0'?><svg/>", UnsupportedPhotographError, "SVG"),
        (b"\xff\x0a" + bytes(20), UnsupportedPhotographError, "JPEG XL"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(20), UnsupportedPhotographError, "raw"),
        (b"PK\3\4" + bytes(20), UnsupportedPhotographError, "archive"),
        (bytes(128) + b"DICM", UnsupportedPhotographError, "already"),
        (PLAIN[:128] + b"DICM", UnsupportedPhotographError, "already"),
        (RGB_SAYS_JFIF, UnsupportedPhotographError, "two things"),
        (photos.patched(PLAIN, FRAME_HEADER + 1, b"\xc3"), UnsupportedPhotographError, "lossless"),
        (photos.patched(PLAIN, FRAME_HEADER + 1, b"\xc5"), UnsupportedPhotographError, "hierarchical"),
        (photos.patched(PLAIN, FRAME_HEADER + 4, b"\x0c"), UnsupportedPhotographError, "12 bits"),
        (photos.patched(PLAIN, FRAME_HEADER + 5, b"\xff\xff\xff\xff"), UnsupportedPhotographError, "limit"),
        (photos.patched(PLAIN, FRAME_HEADER + 5, b"\x0f\xff\x0f\xff"), TruncatedPhotographError, "too early"),
        (PLAIN[:-2], TruncatedPhotographError, "ends"),
        (NOISY[: NOISY.index(b"\xff\xda") + 250] + b"\xff\xd9", TruncatedPhotographError, "too early"),
        (PLAIN.replace(b"\xff\xc4", b"\xff\xfe"), DamagedPhotographError, "tables"),
        (PLAIN.replace(b"\xff\xdb", b"\xff\xfe"), DamagedPhotographError, "tables"),
    ],
)
def test_what_is_no_photograph_or_cannot_be_read_is_refused(
    data: bytes, error: type[DicomwrapError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        read_photographs(data)
    assert caught.value.remedy


CUT_SHORT = {
    "at three quarters": PLAIN[: len(PLAIN) * 3 // 4] + b"\xff\xd9",
    "near the end": PLAIN[:-150] + b"\xff\xd9",
    "behind the tables": NOISY[: NOISY.index(b"\xff\xda") + 2000] + b"\xff\xd9",
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in CUT_SHORT.items()])
def test_picture_data_that_end_early_behind_a_whole_frame_are_found_when_it_is_proved(data: bytes) -> None:
    with pytest.raises(TruncatedPhotographError, match="too early"):
        read_photographs(data, Reading(prove=True))


@pytest.mark.parametrize("orientation", [1, 6])
def test_picture_data_that_end_early_are_found_whenever_the_picture_is_written_anew(orientation: int) -> None:
    whole = photos.jpeg(exif=photos.exif(orientation=orientation), progressive=True)
    with pytest.raises(TruncatedPhotographError, match="too early"):
        read_photographs(whole[:-150] + b"\xff\xd9")


def test_a_whole_picture_passes_the_proof_with_its_bits() -> None:
    data = photos.camera_photo()
    assert read_photograph(data, Reading(prove=True)) == read_photograph(data)


def test_a_photo_over_the_pixel_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(UnsupportedPhotographError, match="limit"):
        read_photographs(PLAIN, Reading(most_pixels=64 * 48 - 1))
    assert jpeg.read(PLAIN, Reading(most_pixels=64 * 48)).rows == 48


def test_a_photo_without_exif_has_no_facts() -> None:
    assert read_photograph(PLAIN).facts == CaptureFacts()


def test_the_frame_decodes_to_the_same_pixels() -> None:
    data = photos.camera_photo()
    assert photos.pixels(read_photograph(data).stream) == photos.pixels(data)


def test_scans_one_after_the_other_are_kept(tmp_path: Path) -> None:
    script = tmp_path / "scans.txt"
    script.write_text("0;\n1;\n2;\n")
    in_turn = cleaned(photos.jpegtran(PLAIN, "-scans", str(script)))
    assert len(parse(in_turn).bodies(SOS)) == 3
    photograph = read_photograph(in_turn)
    assert (photograph.stream, photograph.untouched) == (in_turn, True)
    assert photos.pixels(photograph.stream) == photos.pixels(PLAIN)
