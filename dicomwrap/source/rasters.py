"""Make a decoder's picture what an object can hold: 8 bits, grey or RGB, opaque, upright.

Knows Pillow's modes and what becomes of each. Must not know how any format is read. Runs in the decoding child only.
Whatever is done to the pixels is written down as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

from PIL import Image
from PIL.Image import Transpose

from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import LossyStep
from dicomwrap.source.answer import MOST_METADATA, MOST_SIDE, Decoded

QUALITY: Final = 95
JPEG_METHOD: Final = "ISO_10918_1"
ORDINARY: Final = "Export the picture as an ordinary JPEG, PNG or TIFF (8 bits, grey or RGB) and wrap that file."
SMALLER: Final = "Export the picture in a smaller size and wrap that file, or raise --max-megapixels."
ON_WHITE: Final = "Transparent parts laid over white"
UPRIGHT: Final = 1
_TURNS: Final = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
}  # fmt: skip
_OPPOSITE: Final = {6: 8, 8: 6}
_REFUSED_MODES: Final = {"F": "floating-point samples", "I": "signed or 32-bit samples", "LAB": "CIE L*a*b* colours"}
_CONVERTED: Final = {"CMYK": "CMYK", "YCbCr": "YCbCr"}
_WITH_ALPHA: Final = {"LA": "LA", "La": "LA", "RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA"}

Image.MAX_IMAGE_PIXELS = None  # the limit is the caller's; ``refuse_size`` holds it before anything is decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which pictures of a file are wanted, and how.

    Attributes:
        orientation: EXIF orientation to believe in place of the file's.
        page: the picture's number from 1; 0 for all.
        most_pixels: more are refused.
        keep: leave the picture as it is stored.
    """

    orientation: int | None
    page: int
    most_pixels: int
    keep: bool

    def has(self, number: int) -> bool:
        """Tell whether a page is wanted."""
        return self.page in (0, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    r"""A picture as its decoder gives it.

    Attributes:
        image: the pixels, loaded.
        codec: what they were decoded from, for a sentence.
        lossy: the file's own lossy compression; empty for a lossless one.
        orientation: EXIF orientation that the file tells.
        turned: the orientation that the decoder has already applied.
        bits: bits a sample in the file.
        inverted: whether 0 is white.
        exif: EXIF block, with or without ``Exif\0\0``.
        icc: colour profile.
        number: which picture of the file.
        count: pictures in the file.
        derivation: what the decoder did to the pixels beyond decoding.
        warnings: sentences for a person.
    """

    image: Image.Image
    codec: str
    lossy: tuple[LossyStep, ...] = ()
    orientation: int = UPRIGHT
    turned: int = UPRIGHT
    bits: int = 8
    inverted: bool = False
    exif: bytes = b""
    icc: bytes = b""
    number: int = 1
    count: int = 1
    derivation: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def refuse_size(columns: int, rows: int, most_pixels: int, name: str) -> None:
    """Refuse what is too large for the caller or for DICOM, or is nothing at all.

    Raises:
        DicomwrapError: the picture has such a size.
    """
    if columns < 1 or rows < 1:
        raise DamagedPhotographError(f"The {name} says that it is {columns} by {rows} pixels")
    if columns * rows > most_pixels:
        limit = f"{most_pixels / 1_000_000:g} megapixels"
        raise UnsupportedPhotographError(f"The {name} is {columns} by {rows} pixels; the limit is {limit}", SMALLER)
    if max(columns, rows) > MOST_SIDE:
        raise UnsupportedPhotographError(
            f"The {name} is {columns} by {rows} pixels; DICOM images have at most {MOST_SIDE} a side", SMALLER
        )


def refuse_animation(name: str, frames: int) -> None:
    """Refuse a film in a picture's clothes.

    Raises:
        UnsupportedPhotographError: it has more than one frame.
    """
    if frames > 1:
        raise UnsupportedPhotographError(
            f"The {name} is an animation of {frames} frames",
            "Export the one picture that is wanted and wrap that file.",
        )


def exif_orientation(block: bytes) -> int:
    """Return the orientation that an EXIF block tells; a broken block tells nothing."""
    exif = Image.Exif()
    try:
        exif.load(block)
        return believable(exif.get(0x0112))
    except (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError):
        return UPRIGHT


def believable(orientation: object) -> int:
    """Return the orientation; upright for one that EXIF doesn't know."""
    return orientation if isinstance(orientation, int) and orientation in _TURNS else UPRIGHT


def block(value: object) -> bytes:
    """Return a block of metadata; what is none, such as a text that only bears its name, or is endless is nothing."""
    return value if isinstance(value, bytes) and len(value) <= MOST_METADATA else b""


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as an EXIF orientation says that it is to be shown."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def reduction(bits: int) -> tuple[str, ...]:
    """Return the sentence for samples that the decoder itself made 8 bits long."""
    return (f"Reduced from {bits} to 8 bits a sample",) if bits > 8 else ()


def finished(page: Page, wanted: Wanted) -> Decoded:
    """Convert, turn and encode a picture.

    Raises:
        UnsupportedPhotographError: its samples have no place in a photograph of 8 bits.
    """
    moved = _target(page, wanted) != UPRIGHT
    page = _turned(_converted(_opaque(_eight_bits(page))), wanted)
    image = page.image
    image.info.clear()  # an encoder would take a comment from there
    frame = _jpeg(image) if page.lossy else image.tobytes()
    samples = len(image.getbands())
    return Decoded(
        frame=frame,
        lossless=not page.lossy,
        rows=image.height,
        columns=image.width,
        samples=samples,
        steps=_steps(page, image.width * image.height * samples, len(frame)),
        added_loss=bool(page.lossy or page.derivation) or page.bits > 8,
        untouched=not (page.lossy or page.derivation or moved),
        derivation=_derivation(page),
        exif=page.exif.removeprefix(b"Exif\0\0"),
        icc=page.icc,
        page=page.number,
        pages=page.count,
        warnings=page.warnings,
    )


def _eight_bits(page: Page) -> Page:
    """Reduce grey samples of up to 16 bits over their whole range; of colour, Pillow has cut the lower bits already."""
    image = page.image
    if image.mode in _REFUSED_MODES:
        raise UnsupportedPhotographError(f"The {page.codec} has {_REFUSED_MODES[image.mode]}", ORDINARY)
    if page.bits <= 8:
        return page
    if image.mode.startswith("I;16"):
        most = 2**page.bits - 1
        table = [(min(value, most) * 255 + most // 2) // most for value in range(65536)]
        image = image.convert("I").point(table[::-1] if page.inverted else table, "L")
        how = "rounded"
    else:
        how = f"the lower {page.bits - 8} bits cut off"
    told = f"Reduced from {page.bits} to 8 bits a sample, {how}"
    warning = f"the picture has {page.bits} bits a sample; the object holds 8"
    return _done(page, image, told, warning)


def _opaque(page: Page) -> Page:
    image = page.image
    if "transparency" in image.info:
        image = _with_transparency(page)
    if image.mode not in _WITH_ALPHA:
        return replace(page, image=image)
    image = image.convert(_WITH_ALPHA[image.mode])
    alpha, colours = image.getchannel("A"), image.convert(image.mode[:-1])
    if alpha.getextrema() == (255, 255):
        return replace(page, image=colours)
    white = Image.new(colours.mode, colours.size, "white")
    white.paste(colours, mask=alpha)
    return _done(page, white, ON_WHITE, "the picture had transparent parts; they were laid over white")


def _with_transparency(page: Page) -> Image.Image:
    """Return the picture with the colour or the palette entries that PNG calls transparent as an alpha channel."""
    image = page.image
    if page.bits > 8:  # the transparent colour has 16 bits, the samples no longer
        return image
    return image.convert("LA" if image.mode in ("1", "L") else "RGBA")


def _converted(page: Page) -> Page:
    """Return a grey or RGB picture. What was converted from another colour space has lost its profile."""
    image = page.image
    if image.mode in ("L", "RGB"):
        return page
    if image.mode in ("1", "P"):
        return replace(page, image=image.convert("L" if image.mode == "1" else "RGB"))
    if image.mode not in _CONVERTED:
        raise UnsupportedPhotographError(f"The {page.codec} has samples of a kind that isn't read", ORDINARY)
    space = _CONVERTED[image.mode]
    warning = f"the picture's {space} colours were converted to RGB without a colour profile"
    return replace(_done(page, image.convert("RGB"), f"Converted from {space} to RGB", warning), icc=b"")


def _turned(page: Page, wanted: Wanted) -> Page:
    """Turn the picture upright. A turn moves pixels and changes none."""
    told, target = wanted.orientation or page.orientation, _target(page, wanted)
    image = page.image
    if target != page.turned:
        image = turned(turned(image, _OPPOSITE.get(page.turned, page.turned)), target)
    if not wanted.keep or told == UPRIGHT:
        return replace(page, image=image)
    warning = f"the picture is to be turned (EXIF orientation {told}); stored as it lies in the file"
    return replace(page, image=image, warnings=(*page.warnings, warning))


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:4:4", optimize=True)
    return buffer.getvalue()


def _target(page: Page, wanted: Wanted) -> int:
    return UPRIGHT if wanted.keep else wanted.orientation or page.orientation


def _steps(page: Page, uncompressed: int, compressed: int) -> tuple[LossyStep, ...]:
    if not page.lossy:
        return ()
    return (*page.lossy, LossyStep(ratio=uncompressed / compressed, method=JPEG_METHOD))


def _derivation(page: Page) -> tuple[str, ...]:
    if not page.lossy:
        return page.derivation
    return (f"Decoded from {page.codec} and compressed again as JPEG, quality {QUALITY}", *page.derivation)


def _done(page: Page, image: Image.Image, told: str, warning: str) -> Page:
    """Return the page with a changed picture and the words for it."""
    return replace(page, image=image, derivation=(*page.derivation, told), warnings=(*page.warnings, warning))
