"""Picture files other than JPEG, made on the spot: by Pillow, or byte by byte where Pillow writes no such thing."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

from PIL import Image, ImageOps
from PIL.ExifTags import Base

from tests.unit.dicomwrap import photos

WIDTH, HEIGHT = 40, 24


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """Return the file that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    """Return a HEIC file."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return saved(image, "HEIF", **options)


def heic_of_bits(bits: int) -> bytes:
    """Return a HEIC file of 10 or 12 bits a sample."""
    import pillow_heif

    before, pillow_heif.options.SAVE_HDR_TO_12_BIT = pillow_heif.options.SAVE_HDR_TO_12_BIT, bits == 12
    buffer = io.BytesIO()
    try:
        samples = struct.pack("<3H", 0, 2**15, 2**16 - 1) * (64 * 64)
        pillow_heif.from_bytes("RGB;16", (64, 64), samples).save(buffer, quality=90)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    return buffer.getvalue()


def marked(mode: str = "RGB") -> Image.Image:
    """Return a picture that looks different in each of the eight ways to turn it."""
    return photos.picture(WIDTH, HEIGHT, mode)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as Pillow turns it by an EXIF orientation."""
    turned = image.copy()
    turned.getexif()[Base.Orientation] = orientation
    return ImageOps.exif_transpose(turned)


def with_orientation(orientation: int) -> Image.Exif:
    """Return an EXIF block with little in it."""
    block = Image.Exif()
    block[Base.Make], block[Base.Orientation] = "Acme", orientation
    return block


def chunk(name: bytes, body: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(size: tuple[int, int], bits: int, colour_type: int, samples: bytes, *more: bytes) -> bytes:
    """Return a PNG of samples as they stand in the file, row by row, without filters."""
    stride = len(samples) // size[1]
    rows = b"".join(b"\0" + samples[at : at + stride] for at in range(0, len(samples), stride))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(*pages: tuple[Mapping[int, Sequence[int]], bytes], order: str = "<", big: bool = False) -> bytes:
    """Return an uncompressed TIFF or BigTIFF; a page is its fields, all LONG, and its one strip."""
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    out = bytearray(magic + (struct.pack(order + "HHQ", 8, 0, 0) if big else struct.pack(order + "L", 0)))
    link, word = (8, "Q") if big else (4, "L")
    for fields, strip in pages:
        place = len(out)
        out += strip
        entries = {**fields, 273: [place], 279: [len(strip)]}
        encoded = [_entry(out, tag, values, order, word) for tag, values in sorted(entries.items())]
        struct.pack_into(order + word, out, link, len(out))
        out += struct.pack(order + ("Q" if big else "H"), len(encoded)) + b"".join(encoded)
        link = len(out)
        out += struct.pack(order + word, 0)
    return bytes(out)


def _entry(out: bytearray, tag: int, values: Sequence[int], order: str, word: str) -> bytes:
    body = struct.pack(f"{order}{len(values)}L", *values)
    room = struct.calcsize("<" + word)
    if len(body) > room:
        place = len(out)
        out += body
        body = struct.pack(order + word, place)
    return struct.pack(order + "HH" + word, tag, 4, len(values)) + body.ljust(room, b"\0")


def grey_page(samples: bytes = bytes(range(12)), **changes: Sequence[int]) -> tuple[dict[int, Sequence[int]], bytes]:
    """Return a page of 4 by 3 grey pixels; changes are fields by their number, such as ``t262=[0]``."""
    fields: dict[int, Sequence[int]] = {256: [4], 257: [3], 258: [8], 259: [1], 262: [1], 277: [1], 278: [3]}
    fields.update({int(name[1:]): values for name, values in changes.items()})
    return fields, samples
