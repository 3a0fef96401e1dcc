"""Which reader takes a file, by what its bytes are; and what is said of those that none takes."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from dicomwrap.errors import DicomwrapError, NotAPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE, Photograph
from dicomwrap.source.readers import READERS, brands, read_photographs
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.rasterfiles import heic, marked, saved, tiff

SHARED = Path(__file__).resolve().parents[4] / "shared" / "photos"
NOISE = Image.effect_noise((64, 48), 60).convert("RGB")
PLAIN = photos.jpeg()


def ftyp(*names: bytes) -> bytes:
    """Return a box that claims brands, the first of them the major one."""
    body = names[0] + bytes(4) + b"".join(names[1:])
    return (8 + len(body)).to_bytes(4, "big") + b"ftyp" + body


def reader_of(data: bytes) -> str | None:
    return next((reader.name for reader in READERS if reader.recognises(data)), None)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PLAIN, "JPEG"),
        (saved(NOISE, "PNG"), "PNG"),
        (saved(NOISE, "TIFF"), "TIFF"),
        (saved(NOISE, "TIFF", big_tiff=True), "TIFF"),
        (tiff(order=">"), "TIFF"),
        (saved(NOISE, "WEBP"), "WebP"),
        (saved(NOISE, "BMP"), "BMP"),
        (saved(NOISE, "AVIF"), "AVIF"),
        (heic(NOISE), "HEIC"),
        (ftyp(b"mif1", b"avif", b"miaf"), "AVIF"),
        (ftyp(b"mif1", b"heic"), "HEIC"),
        (ftyp(b"MiHE", b"mif1", b"heix"), "HEIC"),
        (ftyp(b"crx ", b"crx ", b"isom"), None),
        (ftyp(b"isom", b"mp42"), None),
        (b"BMW is a car, not a picture", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_a_format_is_told_by_its_content(data: bytes, name: str | None) -> None:
    assert reader_of(data) == name


@pytest.mark.parametrize("data", [saved(marked(), "PNG"), saved(marked(), "BMP"), saved(marked(), "TIFF")])
def test_what_is_told_is_read(data: bytes) -> None:
    (photograph,) = read_photographs(data)
    assert photograph.stream == marked().tobytes()


def test_a_jpeg_keeps_its_bits() -> None:
    (photograph,) = read_photographs(PLAIN)
    assert photograph.transfer_syntax == JPEG_BASELINE
    assert photograph.untouched


@pytest.mark.parametrize("junk", [b"x", b"\0" * 64, b"\xff", b"MIME header: " * 5000], ids=len)
def test_a_jpeg_behind_junk_is_found_and_that_is_told(junk: bytes) -> None:
    data = junk + PLAIN
    (photograph,) = read_photographs(data)
    assert photograph.sha256 == hashlib.sha256(data).hexdigest()
    assert photos.pixels(photograph.stream) == photos.pixels(PLAIN)
    assert f"{len(junk)} bytes before the picture were left out" in photograph.warnings


def test_a_jpeg_far_behind_junk_is_not_looked_for() -> None:
    with pytest.raises(NotAPhotographError):
        read_photographs(bytes(64 * 1024) + PLAIN)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(NOISE, "GIF"), "GIF"),
        (saved(NOISE, "PDF"), "PDF"),
        (saved(NOISE, "EPS"), "PostScript"),
        (saved(NOISE, "JPEG2000"), "JPEG 2000"),
        (saved(NOISE, "JPEG2000", no_jp2=True), "JPEG 2000"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1" + PLAIN, "Photoshop"),
        (b"PK\3\4" + PLAIN, "archive"),
        (b"ID3\3" + PLAIN, "sound"),
        (b'<?xml version="1.0"?>\n<SVG xmlns="http://www.w3.org/2000/svg">' + PLAIN, "SVG"),
        (bytes(128) + b"DICM", "already a DICOM file"),
        (b"II*\0" + bytes(124) + b"DICM", "already a DICOM file"),
        (ftyp(b"qt  ") + PLAIN, "film"),
        (ftyp(b"mp42", b"isom"), "film"),
        (b"RIFF\0\0\0\0AVI LIST", "film"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "film"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(20), "raw file"),
        (ftyp(b"crx ", b"isom"), "raw file"),
        (b"FUJIFILMCCD-RAW 0201" + PLAIN, "raw file"),
        (b"IIRO\x08\0\0\0" + PLAIN, "raw file"),
        (b"IIRS\x08\0\0\0", "raw file"),
        (b"MMOR\0\0\0\x08", "raw file"),
        (b"IIU\0\x18\0\0\0" + PLAIN, "raw file"),
        (b"II\x1a\0\0\0HEAPCCDR", "raw file"),
        (b"\0MRM\0\1\2\3", "raw file"),
        (b"FOVb\0\0\2\0" + PLAIN, "raw file"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedPhotographError, match=words) as caught:
        read_photographs(data)
    assert caught.value.remedy
    assert "baseline" not in caught.value.remedy


@pytest.mark.parametrize("data", [b"hello", b"\0" * 200, b"BM", b"RIFF", b"\xff\xd8", b"\0\0\0\x18ftyq"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPhotographError, match="no photograph"):
        read_photographs(data)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(NotAPhotographError, match="empty"):
        read_photographs(b"")


def test_brands_end_with_their_box() -> None:
    assert brands(ftyp(b"mif1", b"heic") + b"avif") == {b"mif1", b"heic"}
    assert brands(b"ftyp") == frozenset()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one of the collected files becomes. ``derived``: a word of its derivation; ``warned``: of its warnings."""

    sizes: tuple[tuple[int, int], ...]
    lossless: bool = False
    derived: str = ""
    warned: str = ""


RECODED = "compressed again as JPEG"
OUTCOMES: dict[str, Outcome | str] = {
    "heic/2021-02-13-1929.heic": Outcome(sizes=((3024, 4032),), derived=RECODED),
    "heic/IMG_3578.heic": Outcome(sizes=((4032, 3024),), derived=RECODED),
    "heic/heic.heic": Outcome(sizes=((1280, 854),), derived=RECODED, warned="other pictures"),
    "heic/ph-heif_other-L_exif_xmp_iptc.heic": Outcome(sizes=((64, 64),), derived=RECODED),
    "heic/ph-heif_other-bird_burst.heic": Outcome(sizes=((1280, 720),), derived=RECODED, warned="other pictures"),
    "heic/ph-heif_other-empty_icc.heic": Outcome(sizes=((1025, 900),), derived=RECODED, warned="other pictures"),
    "heic/ph-heif_other-invalid_id.heic": "doesn't tell which of its pictures",
    "heic/ph-heif_other-stereo_1200x800.heic": Outcome(sizes=((1200, 800),), derived=RECODED, warned="other pictures"),
    "heic/ph-heif_special-unsupported_depth_image.heic": Outcome(sizes=((128, 128),), derived=RECODED),
    "heic/ph-heif_special-xiaomi.heic": Outcome(sizes=((2592, 1944),), derived=RECODED),
    "other/1bit.png": Outcome(sizes=((691, 212),), lossless=True),
    "other/DNG.dng": "camera's raw file",
    "other/ExifTool.tif": Outcome(sizes=((160, 120),), lossless=True),
    "other/JXL.jxl": "JPEG XL",
    "other/RIFF.webp": Outcome(sizes=((1, 1),), derived="over white", warned="transparent"),
    "other/example.avif": Outcome(sizes=((800, 533),), derived=RECODED),
    "other/gen-16bit-rgb.png": Outcome(sizes=((451, 300),), lossless=True, derived="16 to 8", warned="16 bits"),
    "other/gen-multipage3.tiff": Outcome(sizes=((512, 512), (451, 300), (600, 400)), derived="TIFF (JPEG)"),
    "other/gradient_msb_16bperchannel.tif": Outcome(
        sizes=((100, 100),), lossless=True, derived="16 to 8", warned="16 bits"
    ),
    "other/multipage.tif": Outcome(sizes=((10, 15), (10, 15)), lossless=True),
    "other/pillow-16bit.cropped.tif": Outcome(sizes=((64, 64),), lossless=True, derived="rounded", warned="16 bits"),
    "other/pillow-hopper_lzw.tif": Outcome(sizes=((128, 128),), lossless=True),
    "other/pillow-multipage_multiple_frame_loop.tiff": "circle",
    "other/sigal-MG_7805.webp": Outcome(sizes=((800, 566),), derived=RECODED),
    "other/sk-horse-rgba.png": Outcome(sizes=((400, 328),), lossless=True, derived="over white", warned="transparent"),
    "faces/astronaut.png": Outcome(sizes=((512, 512),), lossless=True),
    "noface/sk-coins.png": Outcome(sizes=((384, 303),), lossless=True),
}
needs_collection = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the collected photographs are not beside the project"
)


@needs_collection
def test_every_collected_file_has_an_expected_outcome() -> None:
    there = [path for name in ("heic", "other") for path in (SHARED / name).iterdir()]
    there += [*SHARED.glob("faces/*.png"), *SHARED.glob("noface/*.png")]
    assert {str(path.relative_to(SHARED)) for path in there} == set(OUTCOMES)


@needs_collection
@pytest.mark.parametrize(("name", "outcome"), OUTCOMES.items(), ids=str)
def test_a_collected_file_becomes_what_is_expected(name: str, outcome: Outcome | str) -> None:
    data = (SHARED / name).read_bytes()
    if isinstance(outcome, str):
        with pytest.raises(DicomwrapError, match=outcome):
            read_photographs(data)
        return
    found = read_photographs(data)
    assert tuple((each.columns, each.rows) for each in found) == outcome.sizes
    for each in found:
        assert (each.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN) is outcome.lossless
        assert outcome.derived in ". ".join(each.derivation)
        assert bool(each.derivation) is bool(outcome.derived)
    assert outcome.warned in "; ".join(found[0].warnings)
    assert bool(found[0].warnings) is bool(outcome.warned)


def _image(photograph: Photograph) -> Image.Image:
    mode = "L" if photograph.samples == 1 else "RGB"
    lossless = photograph.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN
    samples = photograph.stream if lossless else photos.pixels(photograph.stream)
    return Image.frombytes(mode, (photograph.columns, photograph.rows), samples)


@needs_collection
@pytest.mark.parametrize("name", [name for name, outcome in OUTCOMES.items() if isinstance(outcome, Outcome)], ids=str)
def test_a_collected_file_looks_as_pillow_shows_it(name: str) -> None:
    data = (SHARED / name).read_bytes()
    photograph = read_photographs(data)[0]
    shown = _image(photograph)
    heic(NOISE)  # registers the opener
    with Image.open(io.BytesIO(data)) as original:
        difference = ImageChops.difference(shown, _opaque(original).convert(shown.mode))
    assert max(ImageStat.Stat(difference).mean) < 2.5
    assert not photograph.untouched or difference.getbbox() is None


def _opaque(original: Image.Image) -> Image.Image:
    if original.mode == "RGBA":
        return Image.alpha_composite(Image.new("RGBA", original.size, "white"), original)
    if original.mode == "I;16":
        return original.convert("I").point([round(value / 257) for value in range(65536)], "L")
    return original


@needs_collection
def test_a_collected_heic_that_is_cut_short_is_refused() -> None:
    data = (SHARED / "heic" / "IMG_3578.heic").read_bytes()  # tiles, which the decoder would leave out silently
    for part in (0.1, 0.5, 0.9, 0.99):
        with pytest.raises(DicomwrapError, match="ends before"):
            read_photographs(data[: int(len(data) * part)])
