"""What becomes of pictures that are decoded: exact where nothing is lost, told where something is.

The decoder runs in this process here; ``test_decoded`` runs it in its own.
"""

from __future__ import annotations

import struct

import pytest
from PIL import Image, ImageChops, ImageStat

from dicomwrap.bitstream.clean import hidden
from dicomwrap.source.answer import Decoded
from dicomwrap.source.child import pictures
from dicomwrap.source.rasters import Wanted
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.rasterfiles import (
    chunk,
    grey_page,
    heic,
    heic_of_bits,
    marked,
    png,
    saved,
    tiff,
    upright,
    with_orientation,
)

LOSSLESS = {
    "PNG": ("PNG", {}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, Deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, PackBits": ("TIFF", {"compression": "packbits"}),
    "BigTIFF": ("TIFF", {"big_tiff": True}),
    "WebP": ("WebP", {"lossless": True, "exact": True}),
}
FORMS = [pytest.param(form, options, id=name) for name, (form, options) in LOSSLESS.items()]
TURNING = [pytest.param(form, options, id=name) for name, (form, options) in LOSSLESS.items() if form != "BMP"]
LOSSY = {"WebP": {"quality": 90}, "AVIF": {"quality": 90}, "HEIC": {"quality": 90}}
OWN_METHOD = {"WebP": "", "AVIF": "", "HEIC": "ISO_23008_2"}


def decoded(data: bytes, kind: str, *, orientation: int | None = None, page: int = 1, keep: bool = False) -> Decoded:
    wanted = Wanted(orientation=orientation, page=page, most_pixels=10**6, keep=keep)
    (picture,) = pictures(data, kind, wanted)
    return picture


def image_of(picture: Decoded) -> Image.Image:
    if picture.lossless:
        mode = "L" if picture.samples == 1 else "RGB"
        return Image.frombytes(mode, (picture.columns, picture.rows), picture.frame)
    mode = "L" if picture.samples == 1 else "RGB"
    return Image.frombytes(mode, (picture.columns, picture.rows), photos.pixels(picture.frame))


def distance(one: Image.Image, other: Image.Image) -> float:
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def smooth(mode: str = "RGB") -> Image.Image:
    grey = Image.linear_gradient("L").resize((60, 44))
    return grey if mode == "L" else Image.merge("RGB", (grey, grey.rotate(180), grey)).convert(mode)


def lossy(kind: str, image: Image.Image, **options: object) -> bytes:
    if kind == "HEIC":
        return heic(image, **{**LOSSY[kind], **options})
    return saved(image, kind, **{**LOSSY[kind], **options})


@pytest.mark.parametrize(("form", "options"), FORMS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_lossless_picture_keeps_every_sample(form: str, options: dict[str, object], mode: str) -> None:
    image = marked(mode)
    picture = decoded(saved(image, form, **options), form)
    expected = image.convert("RGB") if form == "WebP" else image
    assert picture.frame == expected.tobytes()
    assert (picture.columns, picture.rows, picture.samples) == (*image.size, len(expected.getbands()))
    assert (picture.lossless, picture.untouched, picture.added_loss) == (True, True, False)
    assert (picture.steps, picture.derivation, picture.warnings) == ((), (), ())


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_palette_becomes_the_colours_that_it_names(form: str) -> None:
    image = marked().quantize(50)
    picture = decoded(saved(image, form), form)
    assert picture.frame == image.convert("RGB").tobytes()
    assert picture.derivation == ()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_one_bit_becomes_black_and_white(form: str) -> None:
    image = marked("L").point(lambda value: 255 * (value > 99), "1")
    picture = decoded(saved(image, form), form)
    assert (picture.samples, picture.frame) == (1, image.convert("L").tobytes())
    assert set(picture.frame) == {0, 255}


@pytest.mark.parametrize(("form", "options"), TURNING)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_turned_upright_exactly(form: str, options: dict[str, object], orientation: int) -> None:
    image = marked()
    picture = decoded(saved(image, form, exif=with_orientation(orientation), **options), form)
    assert image_of(picture).tobytes() == upright(image, orientation).tobytes()
    assert (picture.columns, picture.rows) == upright(image, orientation).size
    assert picture.untouched is (orientation == 1)
    assert picture.derivation == ()


@pytest.mark.parametrize(("form", "options"), TURNING)
@pytest.mark.parametrize("orientation", [1, 3, 8])
def test_an_orientation_that_is_given_wins_over_the_file_s(
    form: str, options: dict[str, object], orientation: int
) -> None:
    image = marked()
    data = saved(image, form, exif=with_orientation(6), **options)
    picture = decoded(data, form, orientation=orientation)
    assert image_of(picture).tobytes() == upright(image, orientation).tobytes()


def test_a_format_without_exif_is_turned_when_told() -> None:
    assert decoded(saved(marked(), "BMP"), "BMP", orientation=8).frame == upright(marked(), 8).tobytes()


@pytest.mark.parametrize(("form", "options"), TURNING)
@pytest.mark.parametrize("orientation", [None, 8])
def test_a_picture_that_is_to_be_kept_is_not_turned(
    form: str, options: dict[str, object], orientation: int | None
) -> None:
    image = marked()
    data = saved(image, form, exif=with_orientation(6), **options)
    picture = decoded(data, form, orientation=orientation, keep=True)
    assert picture.frame == image.tobytes()
    assert any("to be turned" in warning for warning in picture.warnings)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WebP"])
def test_an_alpha_channel_that_hides_nothing_is_dropped_without_a_word(form: str, mode: str) -> None:
    image = marked(mode)
    options = {"lossless": True, "exact": True} if form == "WebP" else {}
    picture = decoded(saved(image, form, **options), form)
    colours = "RGB" if form == "WebP" else mode[:-1]
    assert picture.frame == image.convert(colours).tobytes()
    assert (picture.derivation, picture.warnings) == ((), ())


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_transparent_parts_are_laid_over_white_and_that_is_told(form: str, mode: str) -> None:
    image = marked(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    picture = decoded(saved(image, form), form)
    white = Image.new("RGBA", image.size, "white")
    expected = Image.alpha_composite(white, image.convert("RGBA")).convert(mode[:-1])
    assert distance(image_of(picture), expected) <= 1
    assert picture.derivation == ("Transparent parts laid over white",)
    assert any("transparent" in warning for warning in picture.warnings)
    assert picture.added_loss is True  # what was covered is gone


@pytest.mark.parametrize(("mode", "colour"), [("L", 7), ("RGB", (7, 7, 7)), ("1", 0), ("P", 0)])
def test_a_colour_that_png_calls_transparent_becomes_white(mode: str, colour: object) -> None:
    image = Image.new(mode, (3, 2), colour if mode != "1" else 1)
    if mode == "P":
        image.putpalette([7, 7, 7] * 256)
    else:
        image.putpixel((0, 0), colour)
    picture = decoded(saved(image, "PNG", transparency=colour), "PNG")
    assert image_of(picture).convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert picture.derivation == ("Transparent parts laid over white",)


def test_grey_of_16_bits_is_rounded_over_the_whole_range() -> None:
    samples = [0, 128, 129, 257, 385, 386, 32767, 65278, 65406, 65535]
    picture = decoded(png((10, 1), 16, 0, struct.pack(">10H", *samples)), "PNG")
    assert list(picture.frame) == [round(sample / 257) for sample in samples]
    assert picture.derivation == ("Reduced from 16 to 8 bits a sample, rounded",)
    assert (picture.lossless, picture.added_loss, picture.untouched) == (True, True, False)
    assert any("16 bits" in warning for warning in picture.warnings)


@pytest.mark.parametrize(("order", "bits"), [("<", 16), (">", 16), ("<", 12)])
def test_grey_tiff_of_more_than_8_bits_is_rounded(order: str, bits: int) -> None:
    most = 2**bits - 1
    samples = [0, 1, most // 3, most // 2, most - 1, most, 8, 9, 10, 11, 12, 13]
    packed = struct.pack(f"{order}12H", *samples) if bits == 16 else _twelve_bits(samples)
    picture = decoded(tiff(grey_page(packed, t258=[bits]), order=order), "TIFF")
    assert list(picture.frame) == [round(sample * 255 / most) for sample in samples]


def _twelve_bits(samples: list[int]) -> bytes:
    pairs = zip(samples[::2], samples[1::2], strict=True)
    return b"".join(((first << 12) | second).to_bytes(3, "big") for first, second in pairs)


@pytest.mark.parametrize("alpha", [False, True])
def test_colour_of_16_bits_loses_its_lower_bits_and_that_is_told(alpha: bool) -> None:
    pixel = struct.pack(">3H", 0x12FF, 0x8000, 0xFFFF) + (b"\xff\xff" if alpha else b"")
    picture = decoded(png((2, 1), 16, 6 if alpha else 2, pixel * 2), "PNG")
    assert picture.frame == bytes((0x12, 0x80, 0xFF)) * 2
    assert picture.derivation == ("Reduced from 16 to 8 bits a sample, the lower 8 bits cut off",)
    assert picture.added_loss


@pytest.mark.parametrize("order", "<>")
def test_colour_tiff_of_16_bits_keeps_the_upper_byte(order: str) -> None:
    samples = struct.pack(f"{order}3H", 0x12FF, 0x8000, 0xFFFF) * 12
    page = grey_page(samples, t258=[16, 16, 16], t262=[2], t277=[3])
    assert decoded(tiff(page, order=order), "TIFF").frame == bytes((0x12, 0x80, 0xFF)) * 12


def test_grey_with_alpha_of_16_bits_stays_grey() -> None:
    picture = decoded(png((2, 1), 16, 4, struct.pack(">4H", 0x12FF, 0xFFFF, 0x8000, 0xFFFF)), "PNG")
    assert (picture.samples, picture.frame) == (1, bytes((0x12, 0x80)))


@pytest.mark.parametrize(
    ("bits", "samples"), [(8, bytes(range(12))), (16, struct.pack("<12H", *(257 * value for value in range(12))))]
)
def test_where_white_is_zero_the_samples_are_inverted(bits: int, samples: bytes) -> None:
    picture = decoded(tiff(grey_page(samples, t258=[bits], t262=[0])), "TIFF")
    assert list(picture.frame) == [255 - value for value in range(12)]


def test_bigtiff_is_read() -> None:
    assert decoded(tiff(grey_page(), big=True), "TIFF").frame == bytes(range(12))


def test_cmyk_is_converted_loses_its_profile_and_that_is_told() -> None:
    image = marked("CMYK")
    picture = decoded(saved(image, "TIFF", icc_profile=b"a profile of CMYK"), "TIFF")
    assert picture.frame == image.convert("RGB").tobytes()
    assert (picture.derivation, picture.icc) == (("Converted from CMYK to RGB",), b"")
    assert any("CMYK" in warning for warning in picture.warnings)


@pytest.mark.parametrize("kind", LOSSY)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_lossy_picture_is_compressed_again_and_both_losses_are_told(kind: str, mode: str) -> None:
    image = smooth(mode)
    data = lossy(kind, image)
    picture = decoded(data, kind)
    grey = mode == "L" and kind != "WebP"
    assert picture.samples == (1 if grey else 3)
    assert distance(image_of(picture).convert(mode), image) < 4
    assert [step.method for step in picture.steps] == [OWN_METHOD[kind], "ISO_10918_1"]
    assert picture.steps[1].ratio == pytest.approx(60 * 44 * picture.samples / len(picture.frame))
    assert picture.steps[0].ratio > 1
    assert (picture.lossless, picture.added_loss, picture.untouched) == (False, True, False)
    (told,) = picture.derivation
    assert told.startswith(f"Decoded from {kind}")
    assert told.endswith("compressed again as JPEG, quality 95")


@pytest.mark.parametrize("kind", LOSSY)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_lossy_picture_is_upright_whoever_turns_it(kind: str, orientation: int) -> None:
    image = smooth()
    picture = decoded(lossy(kind, image, exif=with_orientation(orientation).tobytes()), kind)
    assert distance(image_of(picture), upright(image, orientation)) < 4


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
@pytest.mark.parametrize("keep", [False, True])
def test_a_turn_that_the_container_describes_is_done_once_and_a_given_one_after_it(kind: str, keep: bool) -> None:
    image = smooth()
    data = lossy(kind, image, exif=with_orientation(6).tobytes())
    picture = decoded(data, kind, orientation=3, keep=keep)
    expected = upright(image, 6) if keep else upright(upright(image, 6), 3)
    assert distance(image_of(picture), expected) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_decoded_turned_and_compressed_again(mode: str, orientation: int) -> None:
    image = smooth(mode)
    picture = decoded(photos.jpeg(image, quality=95), "JPEG", orientation=orientation)
    expected = upright(image if mode == "L" else image.convert("RGB"), orientation)
    assert distance(image_of(picture), expected) < 4
    assert [step.method for step in picture.steps] == ["ISO_10918_1", "ISO_10918_1"]
    assert ("Converted from CMYK to RGB" in picture.derivation) is (mode == "CMYK")


def test_a_jpeg_of_rgb_components_becomes_one_of_ycbcr() -> None:
    data = photos.jpeg(smooth(), keep_rgb=True, quality=95)
    assert distance(image_of(decoded(data, "JPEG", orientation=1)), smooth()) < 2


def test_nothing_of_the_file_is_in_the_stream_but_the_picture() -> None:
    secret = saved(smooth(), "WebP", quality=80, exif=photos.exif(), icc_profile=b"secret", xmp=b"secret")
    picture = decoded(secret, "WebP")
    assert set(hidden(picture.frame)) <= {"APP0"}
    assert b"secret" not in picture.frame
    assert decoded(lossy("HEIC", smooth(), exif=photos.exif()), "HEIC").frame.count(b"Acme") == 0


@pytest.mark.parametrize("bits", [10, 12])
def test_heic_of_more_bits_says_that_they_are_lost(bits: int) -> None:
    picture = decoded(heic_of_bits(bits), "HEIC")
    assert f"Reduced from {bits} to 8 bits a sample" in picture.derivation


@pytest.mark.parametrize(("kind", "form"), [("PNG", "PNG"), ("TIFF", "TIFF"), ("WebP", "WebP"), ("AVIF", "AVIF")])
def test_exif_and_profile_are_handed_on(kind: str, form: str) -> None:
    data = saved(smooth(), form, exif=photos.exif(), icc_profile=b"a profile", **LOSSY.get(kind, {}))
    picture = decoded(data, kind)
    assert picture.exif.startswith((b"II*\0", b"MM\0*"))
    assert photos.EXIF_MODEL.encode() in picture.exif
    assert picture.icc == b"a profile"


def test_of_a_tiff_neither_place_nor_owner_is_handed_on() -> None:
    exif = decoded(saved(smooth(), "TIFF", exif=photos.exif()), "TIFF").exif
    assert photos.SERIAL.encode() in exif
    assert not [secret for secret in (*photos.SECRETS, photos.OWNER.encode()) if secret in exif]


def test_an_exif_block_from_before_png_had_a_chunk_for_it_is_found() -> None:
    block = with_orientation(6).tobytes()
    profile = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    text = chunk(b"tEXt", b"Raw profile type exif\0" + profile)
    picture = decoded(png((2, 1), 8, 0, b"\1\2", text), "PNG")
    assert (picture.columns, picture.rows) == (1, 2)
    assert b"Acme" in picture.exif


@pytest.mark.parametrize("block", [b"garbage", b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", bytes(3)])
@pytest.mark.parametrize("form", ["PNG", "WebP"])
def test_a_broken_exif_block_turns_nothing_and_refuses_nothing(form: str, block: bytes) -> None:
    picture = decoded(saved(marked(), form, exif=block, **({"lossless": True} if form == "WebP" else {})), form)
    assert picture.frame == marked().tobytes()
