"""True photographs of many cameras, each wrapped or refused for a good reason, and judged by programs of others.

The photographs lie beside the repository and are no part of it; where they don't, there is nothing to run here.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from dicomwrap.bitstream.clean import entropy_coded, hidden
from dicomwrap.bitstream.markers import parse
from dicomwrap.errors import DicomwrapError
from dicomwrap.photograph import JPEG_BASELINE, Photograph
from dicomwrap.source.readers import read_photographs
from dicomwrap.wrap import write
from tests.unit.dicomwrap.objects import wrap_photograph
from tests.unit.dicomwrap.validators import complaints, displayed, furthest, is_part_10

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "photos"
PHOTOS = sorted(FOLDER.glob("*/*"))
Tell = Callable[..., None]

KEPT, ANEW, AGAIN, SAMPLES, CHANGED = "bits kept", "same coefficients", "compressed again", "samples", "samples changed"
REFUSED = {
    "ljt-12bit-extended.jpg": "12 bits a sample",
    "DNG.dng": "raw file",
    "JXL.jxl": "JPEG XL",
    "ph-heif_other-invalid_id.heic": "doesn't tell which of its pictures",
    "pillow-multipage_multiple_frame_loop.tiff": "run in a circle",
}
OTHERWISE = {
    "cv-ela_original.jpg": ANEW, "dlib-dogs.jpg": ANEW, "broken-exif-tag.jpg": ANEW, "gen-arithmetic.jpg": ANEW,
    "ljt-arithmetic.jpg": ANEW, "pentax-PENTAX_K10D-image-Pentax.jpg": AGAIN, "exiftool-MWG.jpg": AGAIN,
    "gen-cmyk.jpg": AGAIN, "pillow-pil_sample_cmyk.jpg": AGAIN, "vips-jpegli-xyb-icc.jpg": AGAIN,
    "gen-multipage3.tiff": AGAIN, "gen-16bit-rgb.png": CHANGED, "gradient_msb_16bperchannel.tif": CHANGED,
    "pillow-16bit.cropped.tif": CHANGED, "sk-horse-rgba.png": CHANGED,
}  # fmt: skip
BY_ENDING = {
    ".jpg": KEPT, ".png": SAMPLES, ".tif": SAMPLES, ".tiff": SAMPLES, ".heic": AGAIN, ".webp": AGAIN, ".avif": AGAIN,
}  # fmt: skip
PAGES = {"gen-multipage3.tiff": 3, "multipage.tif": 2}
# dcmtk's decoder and Pillow's round alike; a second compression may move a level here and there, most in bright colours
ARITHMETIC = (0xC9, 0xCA)
DECODERS, SECOND_COMPRESSION = 1, 3.0


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def way(photograph: Photograph) -> str:
    """Return which way a photograph took."""
    if photograph.transfer_syntax == JPEG_BASELINE:
        return KEPT if photograph.untouched else AGAIN if photograph.added_loss else ANEW
    return SAMPLES if photograph.untouched else CHANGED


@cache
def decoded(path: Path, page: int) -> Image.Image:
    """Return a page upright, as Pillow decodes the file itself, over white where it is transparent."""
    if path.suffix == ".heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    with Image.open(io.BytesIO(_for_pillow(path.read_bytes()))) as image:
        image.seek(page - 1)
        return _opaque(ImageOps.exif_transpose(image))


def _for_pillow(data: bytes) -> bytes:
    """Return a file that Pillow can decode: libjpeg reads arithmetic coding only in one piece, Pillow feeds several."""
    if data.startswith(b"\xff\xd8") and parse(data).frame.marker in ARITHMETIC:
        return subprocess.run(["djpeg"], input=data, capture_output=True, check=True).stdout
    return data


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return image.convert("I").point([(value * 255 + 32767) // 65535 for value in range(65536)], "L")
    if "transparency" in image.info or image.mode in ("RGBA", "LA"):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def seen(photograph: Photograph) -> Image.Image:
    """Return the picture as Pillow decodes the frame."""
    mode = "L" if photograph.samples == 1 else "RGB"
    if photograph.transfer_syntax == JPEG_BASELINE:
        return Image.open(io.BytesIO(photograph.stream)).convert(mode)
    return Image.frombytes(mode, (photograph.columns, photograph.rows), photograph.stream)


def check_pixels(photograph: Photograph, source: Path) -> None:
    """Hold the frame against the file: to the bit where nothing was lost, closely where it was compressed again."""
    frame, upright = seen(photograph), decoded(source, photograph.page)
    assert frame.size == upright.size
    if way(photograph) in (KEPT, ANEW):
        assert furthest(frame, upright.convert(frame.mode)) == 0
    elif way(photograph) == AGAIN:
        difference = ImageChops.difference(frame, upright.convert(frame.mode))
        assert max(ImageStat.Stat(difference).mean) < SECOND_COMPRESSION
    else:
        assert furthest(frame, upright.convert(frame.mode)) <= (1 if way(photograph) == CHANGED else 0)


def read(path: Path) -> tuple[Photograph, ...] | DicomwrapError:
    """Return the photographs in a file, or why it is refused."""
    try:
        return read_photographs(path.read_bytes())
    except DicomwrapError as error:
        return error


@pytest.mark.parametrize("path", PHOTOS, ids=named)
def test_a_shared_photograph_is_wrapped_or_refused_for_a_good_reason(path: Path, tmp_path: Path, tell: Tell) -> None:
    answer = read(path)
    if isinstance(answer, DicomwrapError):
        tell(named(path), "refused", answer.reason)
        assert REFUSED.get(path.name, "nothing") in answer.reason
        assert answer.remedy
        return
    photographs = answer
    tell(named(path), way(photographs[0]), "; ".join(photographs[0].derivation))
    assert path.name not in REFUSED
    assert len(photographs) == PAGES.get(path.name, 1)
    assert {way(each) for each in photographs} == {OTHERWISE.get(path.name, BY_ENDING[path.suffix])}
    for photograph in photographs:
        check_pixels(photograph, path)
        check_file(photograph, tmp_path / f"{photograph.page}.dcm")


def check_file(photograph: Photograph, path: Path) -> None:
    """Hold the object against dciodvfy and dcmtk, which must see the picture that Pillow sees."""
    write(wrap_photograph(photograph), path)
    assert complaints(path) == []
    assert is_part_10(path)
    assert furthest(displayed(path), seen(photograph)) <= DECODERS


JPEGS = [path for path in PHOTOS if OTHERWISE.get(path.name, BY_ENDING.get(path.suffix)) == KEPT]


@pytest.mark.parametrize("path", [path for path in JPEGS if path.name not in REFUSED], ids=named)
def test_a_shared_jpeg_that_can_be_kept_is_kept_bit_for_bit(path: Path) -> None:
    data = path.read_bytes()
    (photograph,) = read_photographs(data)
    assert entropy_coded(photograph.stream) == entropy_coded(data)
    assert hidden(photograph.stream) == ()


def test_the_table_names_photographs_that_are_there() -> None:
    there = {path.name for path in PHOTOS}
    assert not there or {*REFUSED, *OTHERWISE, *PAGES} <= there
