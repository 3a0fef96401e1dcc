"""Whatever bytes come: a picture that can be true, or our own refusal. What is cut short is never taken for whole."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dicomwrap.errors import DicomwrapError
from dicomwrap.photograph import Reading
from dicomwrap.source.answer import Decoded, unpacked
from dicomwrap.source.child import pictures
from dicomwrap.source.decoded import read
from dicomwrap.source.rasters import Wanted
from dicomwrap.source.readers import brands, read_photographs
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.rasterfiles import grey_page, heic, saved, tiff, upright, with_orientation

NOISE = Image.effect_noise((37, 29), 70).convert("RGB")
EXIF = photos.exif(orientation=6)
FILES = {
    "PNG": ("PNG", saved(NOISE, "PNG", exif=EXIF)),
    "PNG, palette": ("PNG", saved(NOISE.quantize(30), "PNG")),
    "PNG, 16 bits": ("PNG", saved(Image.new("I;16", (9, 7), 999), "PNG")),
    "TIFF": ("TIFF", saved(NOISE, "TIFF", exif=EXIF)),
    "TIFF, LZW": ("TIFF", saved(NOISE, "TIFF", compression="tiff_lzw")),
    "TIFF, Deflate": ("TIFF", saved(NOISE, "TIFF", compression="tiff_adobe_deflate")),
    "TIFF, JPEG": ("TIFF", saved(NOISE, "TIFF", compression="jpeg")),
    "TIFF, pages": ("TIFF", tiff(grey_page(), grey_page(t254=[1]), grey_page(t274=[6]))),
    "BMP": ("BMP", saved(NOISE, "BMP")),
    "WebP": ("WebP", saved(NOISE, "WEBP", exif=EXIF)),
    "WebP, lossless": ("WebP", saved(NOISE, "WEBP", lossless=True)),
}
CHILD_FILES = {
    **FILES,
    "AVIF": ("AVIF", saved(NOISE, "AVIF", exif=EXIF)),
    "HEIC": ("HEIC", heic(NOISE, exif=EXIF)),
    "JPEG": ("JPEG", photos.jpeg(NOISE.convert("CMYK"))),
}
ANY = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
FEW = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=8)


def found(data: bytes, kind: str) -> list[Decoded]:
    """Return the pictures, decoded in this process; none when refused."""
    try:
        return list(pictures(data, kind, Wanted(orientation=None, page=0, most_pixels=20_000, keep=False)))
    except DicomwrapError:
        return []


def mutated(data: bytes, draw: st.DrawFn) -> bytes:
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        header = draw(st.booleans())  # headers are where the harm is done
        at = draw(st.integers(0, min(len(data), 300 if header else len(data)) - 1))
        changed[at : at + 1] = draw(st.sampled_from([b"", b"\0", b"\xff", b"\x7f", b"\xff\xff\xff\xff", b"\1"]))
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
@ANY
@given(data=st.data())
def test_a_mutated_file_is_a_picture_that_can_be_true_or_a_refusal(name: str, data: st.DataObject) -> None:
    kind, original = FILES[name]
    for picture in found(data.draw(st.composite(lambda draw: mutated(original, draw))()), kind):
        assert 0 < picture.rows * picture.columns <= 20_000
        assert picture.lossless is (not picture.steps)
        if picture.lossless:
            assert len(picture.frame) == picture.rows * picture.columns * picture.samples


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
@ANY
@given(data=st.data())
def test_a_file_that_is_cut_short_is_refused_or_the_whole_picture(name: str, data: st.DataObject) -> None:
    kind, original = FILES[name]
    whole = [picture.frame for picture in found(original, kind)]
    cut = found(original[: data.draw(st.integers(0, len(original) - 1))], kind)
    assert [picture.frame for picture in cut] in ([], whole)


@pytest.mark.parametrize("name", CHILD_FILES)
@FEW
@given(data=st.data())
def test_the_child_survives_mutated_files_or_dies_alone(name: str, data: st.DataObject) -> None:
    kind, original = CHILD_FILES[name]
    bent = data.draw(st.composite(lambda draw: mutated(original, draw))())
    with contextlib.suppress(DicomwrapError):
        assert read(bent, kind, Reading())


@pytest.mark.parametrize("name", ["AVIF", "HEIC", "JPEG"])
@FEW
@given(data=st.data())
def test_the_child_takes_nothing_cut_short_for_whole(name: str, data: st.DataObject) -> None:
    kind, original = CHILD_FILES[name]
    with pytest.raises(DicomwrapError):
        read(original[: data.draw(st.integers(0, len(original) - 20))], kind, Reading())


@ANY
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), orientation=st.integers(1, 8), grey=st.booleans())
def test_any_size_is_turned_exactly(size: tuple[int, int], orientation: int, grey: bool) -> None:
    image = photos.picture(*size, "L" if grey else "RGB")
    data = saved(image, "PNG", exif=with_orientation(orientation))
    (picture,) = found(data, "PNG")
    assert picture.frame == upright(image, orientation).tobytes()


@ANY
@given(samples=st.lists(st.integers(0, 65535), min_size=12, max_size=12))
def test_sixteen_bits_are_rounded_to_the_nearest(samples: list[int]) -> None:
    (picture,) = found(tiff(grey_page(struct.pack("<12H", *samples), t258=[16])), "TIFF")
    assert list(picture.frame) == [round(sample / 257) for sample in samples]


@ANY
@given(said=st.binary(max_size=300))
def test_any_answer_is_read_or_refused(said: bytes) -> None:
    with pytest.raises(DicomwrapError):
        unpacked(io.BytesIO(said))


@ANY
@given(data=st.binary(max_size=64))
def test_brands_are_read_from_any_bytes(data: bytes) -> None:
    assert all(len(brand) <= 4 for brand in brands(b"\0\0\0\x20ftyp" + data))


SIGNATURES = [
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"RIFF\x20\0\0\0WEBP", b"GIF89a", b"%PDF", b"",
    b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic", b"BM" + bytes(12) + b"\x28\0\0\0",
]  # fmt: skip


@pytest.mark.parametrize("signature", SIGNATURES, ids=repr)
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=3)
@given(garbage=st.binary(max_size=200))
def test_any_signature_with_garbage_behind_it_is_refused(signature: bytes, garbage: bytes) -> None:
    with pytest.raises(DicomwrapError) as caught:
        read_photographs(signature + garbage)
    assert caught.value.remedy
