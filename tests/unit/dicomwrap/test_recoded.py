"""JPEG-LS, JPEG 2000, JPEG XL and RLE streams: everything but the picture is taken out, and no bit of the picture."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image
from pydicom.pixels.encoders.native import _encode_segment

from dicomwrap.bitstream.codestreams import jpeg_2000, jpeg_ls
from dicomwrap.bitstream.recoded import jpeg_2000_cleaned, jpeg_ls_cleaned, jpeg_xl_cleaned, rle_cleaned
from dicomwrap.errors import DicomwrapError
from tests.unit.dicomwrap import judged, photos
from tests.unit.dicomwrap.canaries import found, word

SIZ_END = 4 + int.from_bytes(judged.jpeg_2000()[4:6], "big")


def comment(marker: int = 0x64, text: str = "COM") -> bytes:
    return photos.segment(marker, b"\0\1" + word(text))


def shown(stream: bytes) -> bytes:
    return Image.open(io.BytesIO(stream)).tobytes()


def plain(**options: object) -> bytes:
    """Return a codestream without the encoder's signature."""
    buffer = io.BytesIO()
    photos.picture().save(buffer, "JPEG2000", no_jp2=True, irreversible=False, **options)
    return jpeg_2000_cleaned(buffer.getvalue())


def in_main(stream: bytes, *segments: bytes) -> bytes:
    return stream[:SIZ_END] + b"".join(segments) + stream[SIZ_END:]


def in_tile(stream: bytes, segment: bytes) -> bytes:
    """Put a segment into the head of the first tile-part."""
    at = stream.index(b"\xff\x90\0\x0a")
    length = int.from_bytes(stream[at + 6 : at + 10], "big") + len(segment)
    return stream[: at + 6] + length.to_bytes(4, "big") + stream[at + 10 : at + 12] + segment + stream[at + 12 :]


def endless(stream: bytes) -> bytes:
    """Say that the last tile-part runs to the end."""
    at = stream.rindex(b"\xff\x90\0\x0a")
    return stream[: at + 6] + bytes(4) + stream[at + 10 :]


PLAIN = plain()
DRESSED = {
    "plain": PLAIN,
    "main header": in_main(PLAIN, comment(), comment()),
    "tile header": in_tile(PLAIN, comment()),
    "lengths of packets": in_tile(PLAIN, comment(0x58)),
    "behind the end": PLAIN + word("trailer"),
    "padding": PLAIN + b"\0",
    "a tile without a length": endless(PLAIN) + word("trailer"),
    "all": in_tile(in_main(PLAIN, comment()), comment()) + b"\0\0" + word("trailer"),
    "many tiles": in_main(plain(tile_size=(16, 16)), comment()) + word("trailer"),
}


@pytest.mark.parametrize("stream", DRESSED.values(), ids=DRESSED)
def test_a_jpeg_2000_stream_keeps_its_picture_and_nothing_else(stream: bytes) -> None:
    clean = jpeg_2000_cleaned(stream)
    assert (found(clean), jpeg_2000(clean).carriers, jpeg_2000(clean).signed) == ([], (), False)
    assert shown(clean) == photos.picture().tobytes()
    assert jpeg_2000_cleaned(clean) == clean


def test_the_encoders_signature_goes_too() -> None:
    assert b"OpenJPEG" in judged.jpeg_2000()
    assert b"OpenJPEG" not in jpeg_2000_cleaned(judged.jpeg_2000())


LENGTHS = photos.segment(0x55, b"\0\x50\0" + bytes(4))


def jls(*segments: bytes, tail: bytes = b"") -> bytes:
    frame = photos.segment(0xF7, struct.pack(">BHHB", 8, 48, 64, 3) + b"\1\x11\0\2\x11\0\3\x11\0")
    scan = photos.segment(0xDA, b"\3\1\0\2\0\3\0\0\2\0")
    return b"\xff\xd8" + b"".join(segments) + frame + scan + b"\x12\xff\x7f\x34\xff\xd9" + tail


def test_a_jpeg_ls_stream_keeps_its_picture_and_its_colour_transform() -> None:
    colours = photos.segment(0xE8, b"mrfx\1")
    dressed = jls(
        photos.segment(0xE1, word("APP1")), colours, photos.segment(0xE8, b"SPIFF\0" + bytes(24)),
        photos.segment(0xFE, b""), photos.segment(0xFE, word("COM")), tail=word("trailer"),
    )  # fmt: skip
    clean = jpeg_ls_cleaned(dressed)
    assert clean == jls(colours)
    assert (jpeg_ls(clean).carriers, jpeg_ls_cleaned(clean)) == ((), clean)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
STREAM = b"\xff\x0a" + bytes(range(40))
JXL = {
    "bare": STREAM,
    "boxed": SIGNATURE + box(b"Exif", word("Exif")) + box(b"jxlc", STREAM) + box(b"xml ", word("XMP")),
    "in parts": SIGNATURE + box(b"jxlp", bytes(4) + STREAM[:9]) + box(b"brob", word("brob"))
    + box(b"jxlp", b"\x80\0\0\1" + STREAM[9:]),
}  # fmt: skip


@pytest.mark.parametrize("stream", JXL.values(), ids=JXL)
def test_a_jpeg_xl_leaves_as_its_bare_codestream(stream: bytes) -> None:
    assert jpeg_xl_cleaned(stream) == STREAM


def rle(*segments: bytes, slack: bytes = b"") -> bytes:
    starts, at = [], 64
    for segment in segments:
        starts.append(at)
        at += len(segment) + len(slack)
    header = struct.pack("<16I", len(segments), *starts, *([0] * (15 - len(segments))))
    return header + b"".join(segment + slack for segment in segments)


SEGMENTS = [bytes(_encode_segment(bytes(row % 7 for row in range(100)), 10)) for _ in range(3)]


def test_an_rle_segment_ends_with_its_last_sample() -> None:
    assert rle_cleaned(rle(*SEGMENTS), 100) == rle(*SEGMENTS)
    dressed = bytearray(rle(*SEGMENTS, slack=word("slack")))
    dressed[40:48] = word("head")[:8]
    assert rle_cleaned(bytes(dressed), 100) == rle(*SEGMENTS)


REFUSED = {
    "JPEG 2000: nothing": (jpeg_2000_cleaned, b""),
    "JPEG 2000: cut short": (jpeg_2000_cleaned, PLAIN[:-40]),
    "JPEG 2000: an unknown segment": (jpeg_2000_cleaned, in_main(PLAIN, photos.segment(0x6F, word("?")))),
    "JPEG 2000: a segment that runs out": (jpeg_2000_cleaned, in_main(PLAIN, b"\xff\x64\xff\xff")),
    "JPEG 2000: stale lengths": (jpeg_2000_cleaned, in_tile(in_main(PLAIN, LENGTHS), comment())),
    "JPEG-LS: nothing": (jpeg_ls_cleaned, b""),
    "JPEG-LS: cut short": (jpeg_ls_cleaned, jls()[:-2]),
    "JPEG-LS: a JPEG": (jpeg_ls_cleaned, photos.jpeg()),
    "JPEG XL: nothing": (jpeg_xl_cleaned, b""),
    "JPEG XL: a JPEG to rebuild": (jpeg_xl_cleaned, SIGNATURE + box(b"jbrd", b"") + box(b"jxlc", STREAM)),
    "JPEG XL: two pictures": (jpeg_xl_cleaned, SIGNATURE + box(b"jxlc", STREAM) * 2),
    "JPEG XL: no picture": (jpeg_xl_cleaned, SIGNATURE),
    "JPEG XL: a box that runs out": (jpeg_xl_cleaned, SIGNATURE + b"\0\0\xff\xffjxlc" + STREAM),
    "RLE: nothing": (lambda data: rle_cleaned(data, 100), b""),
    "RLE: no segments": (lambda data: rle_cleaned(data, 100), bytes(64)),
    "RLE: too few samples": (lambda data: rle_cleaned(data, 101), rle(*SEGMENTS)),
    "RLE: too many samples": (lambda data: rle_cleaned(data, 99), rle(*SEGMENTS)),
    "RLE: segments elsewhere": (lambda data: rle_cleaned(data, 1), struct.pack("<4I", 2, 70, 64, 0) + bytes(64)),
}  # fmt: skip


@pytest.mark.parametrize(("clean", "stream"), REFUSED.values(), ids=REFUSED)
def test_what_can_t_be_followed_to_its_end_is_refused(clean: object, stream: bytes) -> None:
    with pytest.raises(DicomwrapError):
        clean(stream)  # type: ignore[operator]
