"""Pictures of every coding that can be checked: a clean copy with the same samples, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.verify import frames
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import encoded, photograph
from tests.unit.deid.greys import COLUMNS, PROFILE, PSEUDONYMS, ROWS, SAMPLES, copied, grey
from tests.unit.dicomwrap import photos

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def coded(kind: str, **options: object) -> bytes:
    """Return the picture as a file of Pillow's."""
    buffer = BytesIO()
    Image.frombytes("L", (COLUMNS, ROWS), SAMPLES).save(buffer, kind, **options)
    return buffer.getvalue()


def codestream(*, irreversible: bool = False) -> bytes:
    """Return a JPEG 2000 codestream without the encoder's signature."""
    return coded("JPEG2000", no_jp2=True, irreversible=irreversible, comment="")


def rle(after: bytes = b"") -> bytes:
    """Return the picture as RLE, in runs of literals, with bytes after it."""
    rows = (SAMPLES[at : at + COLUMNS] for at in range(0, len(SAMPLES), COLUMNS))
    segment = b"".join(bytes([COLUMNS - 1]) + row for row in rows) + after
    head = (1).to_bytes(4, "little") + (64).to_bytes(4, "little")
    return head.ljust(64, b"\0") + segment + b"\0" * (len(segment) % 2)


CLEAN: dict[str, Callable[[], Dataset]] = {
    "explicit": lambda: grey(ExplicitVRLittleEndian, SAMPLES, fragments=False),
    "implicit": lambda: grey(ImplicitVRLittleEndian, SAMPLES, fragments=False),
    "RLE": lambda: grey(RLELossless, rle()),
    "JPEG 2000 lossless": lambda: grey(JPEG2000Lossless, codestream()),
    "JPEG 2000": lambda: grey(JPEG2000, codestream(irreversible=True), LossyImageCompression="01"),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_picture_of_another_coding_is_copied_as_it_is(name: str) -> None:
    original = CLEAN[name]()
    copy = copied(original)
    assert copy.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    if name.startswith("JPEG 2000"):  # whose encoder no longer names itself
        before, after = (Image.open(BytesIO(*frames(each))).tobytes() for each in (original, copy))
        assert before == after
        assert b"OpenJPEG" not in copy.PixelData
    else:
        assert copy.PixelData == original.PixelData
    assert copy.PatientID != original.PatientID


def test_a_film_s_frames_are_each_cleaned() -> None:
    stream = photos.jpeg()
    original = photograph(data=stream, NumberOfFrames="3")
    original.PixelData = encapsulate([photos.with_segments(cleaned(stream), photos.segment(0xFE, b"Doe^Jane"))] * 3)
    copy = copied(original)
    assert len(frames(copy)) == 3
    assert b"Doe^Jane" not in copy.PixelData


def test_a_comment_of_jpeg_2000_is_gone_and_the_rest_is_as_it_was() -> None:
    plain = codestream()
    copy = copied(grey(JPEG2000Lossless, plain.replace(b"\xff\x52", J2K_COMMENT + b"\xff\x52", 1)))
    assert frames(copy)[0].rstrip(b"\0") == b"".join(plain.split(_signature(plain))).rstrip(b"\0")


@pytest.mark.parametrize(
    ("dressed", "plain"),
    [
        (grey(RLELossless, rle(b"Doe^Jane")), grey(RLELossless, rle())),
        (grey(JPEG2000Lossless, codestream() + b"Doe^Jane"), grey(JPEG2000Lossless, codestream())),
    ],
    ids=["RLE", "JPEG 2000"],
)
def test_what_stands_after_a_stream_is_gone(dressed: Dataset, plain: Dataset) -> None:
    assert copied(dressed).PixelData == copied(plain).PixelData


def _signature(stream: bytes) -> bytes:
    """Return the segment in which the encoder names itself."""
    at = stream.index(b"\xff\x64")
    return stream[at : at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")]


J2K_COMMENT = b"\xff\x64\x00\x11\x00\x01Doe^Jane ward"
UNCLEAN: dict[str, tuple[Callable[[], Dataset], str]] = {
    "fewer samples": (lambda: grey(ExplicitVRLittleEndian, SAMPLES[:-2], fragments=False), "header asks for"),
    "more samples": (
        lambda: grey(ExplicitVRLittleEndian, SAMPLES + b"Doe^Jane", fragments=False),
        "more than the picture has",
    ),
    "lossy called lossless": (lambda: grey(JPEG2000Lossless, codestream(irreversible=True)), "lossy"),
    "JPEG called JPEG 2000": (lambda: grey(JPEG2000Lossless, cleaned(coded("JPEG"))), "codestream"),
    "JPEG called JPEG-LS": (lambda: grey(JPEGLSLossless, cleaned(coded("JPEG"))), "JPEG-LS"),
    "JPEG called lossless JPEG": (lambda: grey(JPEGLosslessSV1, cleaned(coded("JPEG"))), "JPEG lossless"),
    "no fragments": (lambda: grey(JPEGExtended12Bit, b"nothing of a picture"), "anonymised"),
    "palette": (
        lambda: grey(ExplicitVRLittleEndian, SAMPLES, fragments=False, PhotometricInterpretation="PALETTE COLOR"),
        "PhotometricInterpretation",
    ),
    "JPEG XL": (lambda: grey("1.2.840.10008.1.2.4.110", b"\xff\x0a" + bytes(20)), "JPEG XL"),
    "HEVC": (lambda: grey("1.2.840.10008.1.2.4.107", b"\0\0\0\1\x40\x01" + bytes(20)), "film"),
    "private syntax": (lambda: grey("1.2.3.4", SAMPLES), "transfer syntax"),
}


@pytest.mark.parametrize("name", UNCLEAN)
def test_a_stream_that_can_t_be_proven_is_refused_with_the_reason(name: str) -> None:
    make, reason = UNCLEAN[name]
    original = make()
    syntax, original.file_meta.TransferSyntaxUID = original.file_meta.TransferSyntaxUID, JPEG2000Lossless
    if not original["PixelData"].is_undefined_length:
        original.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = encoded(original)
    said = str(original.file_meta.TransferSyntaxUID)
    content = _relabelled(content, said, str(syntax))
    with pytest.raises(DeidentificationError, match=reason):
        deidentify(content, PROFILE, PSEUDONYMS, confirmed=True)


def _relabelled(content: bytes, old: str, new: str) -> bytes:
    """Write another transfer syntax into the file meta information, which pydicom would refuse to write."""
    before, after = (uid.encode() + b"\0" * (len(uid) % 2) for uid in (old, new))
    at = content.index(b"\x02\x00\x10\x00UI") + 6
    end = at + 2 + len(before)
    assert content[at + 2 : end] == before
    length = int.from_bytes(content[140:144], "little") + len(after) - len(before)
    head = content[:140] + length.to_bytes(4, "little") + content[144:at]
    return head + len(after).to_bytes(2, "little") + after + content[end:]


def test_a_jpeg_of_12_bits_is_refused_with_the_reason() -> None:
    stream = bytearray(cleaned(coded("JPEG")))
    at = stream.index(b"\xff\xc0")
    stream[at : at + 5] = b"\xff\xc1" + bytes(stream[at + 2 : at + 4]) + b"\x0c"
    original = grey(JPEGExtended12Bit, bytes(stream), BitsAllocated=16, BitsStored=12, HighBit=11)
    with pytest.raises(DeidentificationError, match="12 bits"):
        copied(original)
