"""Reading pictures that have to be decoded: the child process, its refusals, and the photographs that come of it."""

from __future__ import annotations

import hashlib
import io
import struct
import sys
import zlib
from datetime import datetime

import pytest
from PIL import Image, ImageCms

from dicomwrap.bitstream.clean import hidden
from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE, Orienting, Reading
from dicomwrap.source.child import main, pictures
from dicomwrap.source.decoded import decode, read, reencode_jpeg
from dicomwrap.source.rasters import Wanted
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.rasterfiles import chunk, grey_page, heic, marked, png, saved, tiff, upright, with_orientation

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NOISE = Image.effect_noise((64, 48), 60).convert("RGB")


def refusal(data: bytes, kind: str, *, most_pixels: int = 10**6, page: int = 1) -> DicomwrapError:
    """Return why a file is refused; decodes in this process."""
    wanted = Wanted(orientation=None, page=page, most_pixels=most_pixels, keep=False)
    with pytest.raises(DicomwrapError) as caught:
        list(pictures(data, kind, wanted))
    return caught.value


def test_a_png_becomes_a_photograph_with_its_samples() -> None:
    data = saved(marked(), "PNG", exif=photos.exif(orientation=6), icc_profile=PROFILE)
    (photograph,) = read(data, "PNG", Reading())
    assert photograph.stream == upright(marked(), 6).tobytes()
    assert (photograph.columns, photograph.rows, photograph.samples) == (24, 40, 3)
    assert (photograph.transfer_syntax, photograph.photometric) == (EXPLICIT_VR_LITTLE_ENDIAN, "RGB")
    assert photograph.sha256 == hashlib.sha256(data).hexdigest()
    assert (photograph.lossy, photograph.added_loss, photograph.untouched) == ((), False, False)
    assert photograph.facts.taken_at == datetime.fromisoformat("2025-03-01T10:15:30.250")
    assert photograph.facts.device.model == photos.EXIF_MODEL
    assert photograph.profile is not None
    assert photograph.warnings == ()


def test_a_heic_becomes_a_photograph_that_was_compressed_twice() -> None:
    (photograph,) = read(heic(NOISE, exif=photos.exif()), "HEIC", Reading())
    assert (photograph.transfer_syntax, photograph.photometric) == (JPEG_BASELINE, "YBR_FULL_422")
    assert [step.method for step in photograph.lossy] == ["ISO_23008_2", "ISO_10918_1"]
    assert photograph.added_loss
    assert photograph.derivation == ("Decoded from HEIC (HEVC) and compressed again as JPEG, quality 95",)
    assert hidden(photograph.stream) == ()
    assert photograph.facts.device.model == photos.EXIF_MODEL


def test_grey_is_monochrome_in_samples_and_in_jpeg() -> None:
    (samples,) = read(saved(marked("L"), "PNG"), "PNG", Reading())
    (stream,) = read(heic(NOISE.convert("L")), "HEIC", Reading())
    assert (samples.photometric, stream.photometric) == ("MONOCHROME2", "MONOCHROME2")


def test_a_profile_that_does_not_fit_is_told() -> None:
    (photograph,) = read(saved(marked("L"), "PNG", icc_profile=PROFILE), "PNG", Reading())
    assert photograph.profile is None
    assert photograph.warnings == ("the colour profile could not be carried over",)


def test_what_the_reading_asks_for_is_done() -> None:
    data = saved(marked(), "PNG", exif=with_orientation(6))
    (kept,) = read(data, "PNG", Reading(orienting=Orienting.KEEP))
    (told,) = read(data, "PNG", Reading(orientation=3))
    assert kept.stream == marked().tobytes()
    assert told.stream == upright(marked(), 3).tobytes()
    with pytest.raises(UnsupportedPhotographError, match=r"limit is 0\.000959 megapixels"):
        read(data, "PNG", Reading(most_pixels=24 * 40 - 1))


def test_every_page_of_a_tiff_is_a_photograph_and_previews_are_none() -> None:
    pages = [grey_page(bytes([number] * 12)) for number in range(1, 4)]
    preview, mask, old_preview = grey_page(t254=[1]), grey_page(t254=[4]), grey_page(t255=[2])
    data = tiff(pages[0], preview, pages[1], mask, pages[2], old_preview)
    found = read(data, "TIFF", Reading())
    assert [photograph.page for photograph in found] == [1, 2, 3]
    assert [set(photograph.stream) for photograph in found] == [{1}, {2}, {3}]
    assert [len(photograph.warnings) for photograph in found] == [1, 0, 0]
    assert found[0].warnings[0].startswith("3 of the file's directories")
    assert set(decode(data, "TIFF", orientation=None, page=2, most_pixels=12, keep=False).frame) == {2}


def test_pages_keep_their_own_orientation() -> None:
    data = tiff(grey_page(t274=[6]), grey_page(), grey_page(t274=[3]))
    found = read(data, "TIFF", Reading())
    assert [(each.columns, each.rows) for each in found] == [(3, 4), (4, 3), (4, 3)]
    assert found[2].stream == bytes(range(11, -1, -1))
    kept = read(data, "TIFF", Reading(orienting=Orienting.KEEP))
    assert [each.stream for each in kept] == [bytes(range(12))] * 3


def test_a_jpeg_is_compressed_again_in_the_child() -> None:
    decoded = reencode_jpeg(photos.jpeg(NOISE.convert("CMYK")), orientation=6, most_pixels=64 * 48)
    assert (decoded.columns, decoded.rows, decoded.samples) == (48, 64, 3)
    assert hidden(decoded.frame) == ()
    assert decoded.derivation == (
        "Decoded from JPEG and compressed again as JPEG, quality 95",
        "Converted from CMYK to RGB",
    )


def test_a_refusal_comes_out_of_the_child_with_its_remedy() -> None:
    with pytest.raises(TruncatedPhotographError, match="PNG ends"):
        read(saved(NOISE, "PNG")[:-200], "PNG", Reading())
    with pytest.raises(UnsupportedPhotographError, match="developed first") as caught:
        read(tiff(grey_page(t262=[32803])), "TIFF", Reading())
    assert "let the camera write a JPEG" in caught.value.remedy


def test_what_needs_more_memory_than_the_child_has_is_refused() -> None:
    page = grey_page(zlib.compress(bytes(12)), t259=[8], t322=[60_000 // 16 * 16], t323=[60_000 // 16 * 16])
    fields, strip = page
    data = tiff(({tag: values for tag, values in fields.items() if tag != 278}, strip))
    tiled = data.replace(struct.pack("<HH", 273, 4), struct.pack("<HH", 324, 4)).replace(
        struct.pack("<HH", 279, 4), struct.pack("<HH", 325, 4)
    )
    with pytest.raises(DicomwrapError):
        read(tiled, "TIFF", Reading())


def test_the_child_answers_a_request_on_any_stream() -> None:
    sink = io.BytesIO()
    request = b'{"kind": "PNG", "orientation": null, "page": 0, "most_pixels": 9999, "keep": false}\n'
    main(io.BytesIO(request + saved(marked(), "PNG")), sink)
    assert sink.getvalue().endswith(marked().tobytes())


def test_without_the_extra_a_heic_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(NOISE)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = refusal(data, "HEIC")
    assert type(error) is UnsupportedPhotographError
    assert error.remedy == "Install consentgate[heif]."


def _text_bomb(name: bytes) -> bytes:
    bomb = zlib.compress(bytes(80 * 1024 * 1024))
    head = b"key\0" + (b"\1\0\0\0" if name == b"iTXt" else b"\0")
    return png((2, 1), 8, 0, b"\1\2", chunk(name, head + bomb))


def _with_bytes(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


PNG, BMP, WEBP = saved(NOISE, "PNG"), saved(NOISE, "BMP"), saved(NOISE, "WEBP")
FRAMES = {"save_all": True, "append_images": [NOISE.rotate(90)], "duration": 100}
FLOATING, INTEGERS = Image.new("F", (4, 3)), Image.new("I", (4, 3))


@pytest.mark.parametrize(
    ("data", "kind", "error", "words"),
    [
        (saved(NOISE, "PNG", **FRAMES), "PNG", UnsupportedPhotographError, "animation of 2 frames"),
        (saved(NOISE, "WEBP", **FRAMES), "WebP", UnsupportedPhotographError, "animation of 2 frames"),
        (saved(NOISE, "AVIF", **FRAMES), "AVIF", UnsupportedPhotographError, "animation of 2 frames"),
        (saved(FLOATING, "TIFF"), "TIFF", UnsupportedPhotographError, "signed or floating-point"),
        (saved(INTEGERS, "TIFF"), "TIFF", UnsupportedPhotographError, "signed or floating-point"),
        (saved(Image.new("LAB", (4, 3)), "TIFF"), "TIFF", UnsupportedPhotographError, "L\\*a\\*b"),
        (tiff(grey_page(t262=[32803])), "TIFF", UnsupportedPhotographError, "raw file"),
        (tiff(grey_page(t262=[34892])), "TIFF", UnsupportedPhotographError, "raw file"),
        (tiff(grey_page(t50706=[1])), "TIFF", UnsupportedPhotographError, "raw file"),
        (tiff(grey_page(), grey_page(t262=[32803])), "TIFF", UnsupportedPhotographError, "raw file"),
        (tiff(grey_page(t259=[34712])), "TIFF", UnsupportedPhotographError, "34712"),
        (tiff(grey_page(t254=[1])), "TIFF", UnsupportedPhotographError, "nothing but previews"),
        (tiff(*[grey_page()] * 501), "TIFF", UnsupportedPhotographError, "501 pages"),
        (tiff(grey_page(), order=">", big=True), "TIFF", UnsupportedPhotographError, "big-endian"),
        (tiff(grey_page(t256=[0])), "TIFF", DamagedPhotographError, "0 by 3"),
        (tiff(grey_page(t256=[70_000], t257=[1])), "TIFF", UnsupportedPhotographError, "65535 a side"),
        (tiff(grey_page(t258=[5])), "TIFF", UnsupportedPhotographError, "kind that isn't read"),
        (tiff(), "TIFF", UnsupportedPhotographError, "nothing but previews"),
        (b"II*\0", "TIFF", TruncatedPhotographError, "ends before"),
        (b"II*\0\xff\xff\xff\xff", "TIFF", TruncatedPhotographError, "ends before"),
        (b"MM\0*" + bytes(range(100)), "TIFF", TruncatedPhotographError, "ends before"),
        (_text_bomb(b"zTXt"), "PNG", UnsupportedPhotographError, "far too long"),
        (_text_bomb(b"iTXt"), "PNG", UnsupportedPhotographError, "far too long"),
        (_with_bytes(PNG, 16, bytes(4)), "PNG", DamagedPhotographError, "0 by 48"),
        (_with_bytes(PNG, len(PNG) // 2, b"\0\1\2\3"), "PNG", DamagedPhotographError, "damaged"),
        (PNG[:8], "PNG", TruncatedPhotographError, "ends"),
        (PNG[:8] + b"garbage" * 20, "PNG", DamagedPhotographError, "header"),
        (_with_bytes(BMP, 18, bytes(4)), "BMP", DamagedPhotographError, "damaged"),
        (_with_bytes(BMP, 22, b"\xff\xff\xff\x7f"), "BMP", UnsupportedPhotographError, "limit"),
        (BMP[:20], "BMP", DicomwrapError, "."),
        (BMP[:18] + b"garbage" * 20, "BMP", DicomwrapError, "."),
        (WEBP[:16], "WebP", TruncatedPhotographError, "ends"),
        (b"RIFF\x10\0\0\0WEBPVP8 garbagegarbage", "WebP", DamagedPhotographError, "damaged"),
        (b"\0\0\0\x18ftypavif" + bytes(12), "AVIF", TruncatedPhotographError, "ends"),
        (b"\0\0\0\x18ftypheic" + bytes(12), "HEIC", DamagedPhotographError, "."),
        (b"garbage", "JPEG", DicomwrapError, "."),
        (photos.jpeg(NOISE)[:-500], "JPEG", TruncatedPhotographError, "ends"),
    ],
)
def test_what_cannot_be_a_photograph_is_refused(
    data: bytes, kind: str, error: type[DicomwrapError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        raise refusal(data, kind)
    assert caught.value.remedy


def test_a_camera_s_raw_file_is_known_by_a_directory_below_the_first() -> None:
    data = tiff(grey_page(), grey_page(t262=[32803]), order=">")
    raw = int.from_bytes(data[-4 - 12 * 9 - 2 :][:2], "big")
    assert raw == 9
    hidden_page = len(data) - 4 - 12 * 9 - 2
    nef = tiff(grey_page(t330=[hidden_page]), grey_page(t262=[32803]), order=">")
    assert refusal(nef, "TIFF").reason.startswith("The file is a camera's raw file")


def test_pages_that_run_in_a_circle_are_refused() -> None:
    data = bytearray(tiff(grey_page(), grey_page()))
    data[-4:] = data[4:8]
    assert "circle" in refusal(bytes(data), "TIFF").reason


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WebP", "AVIF", "HEIC", "JPEG"])
def test_the_limit_counts_pixels_before_anything_is_decoded(kind: str) -> None:
    data = heic(NOISE) if kind == "HEIC" else saved(NOISE, kind)
    assert "64 by 48 pixels; the limit is 0.003071 megapixels" in refusal(data, kind, most_pixels=64 * 48 - 1).reason
    wanted = Wanted(orientation=None, page=0, most_pixels=64 * 48, keep=False)
    assert len(list(pictures(data, kind, wanted))) == 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "HEIC"])
def test_a_page_that_is_not_there_is_refused(kind: str) -> None:
    data = heic(NOISE) if kind == "HEIC" else saved(NOISE, kind)
    assert "no picture number 2" in refusal(data, kind, page=2).reason


def test_one_pixel_is_a_picture() -> None:
    for kind in ("PNG", "BMP", "TIFF", "WebP", "AVIF"):
        (photograph,) = read(saved(NOISE.crop((0, 0, 1, 1)), kind), kind, Reading())
        assert (photograph.columns, photograph.rows) == (1, 1)
