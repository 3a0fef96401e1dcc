"""What ``dicomwrap verify`` finds out about pictures: header against bitstream, and what hides in it."""

from __future__ import annotations

import struct

import pytest
from pydicom.dataset import Dataset

from dicomwrap import iodtables
from dicomwrap.bitstream.clean import cleaned
from dicomwrap.verify import Severity, verify
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import (
    ROOT,
    Break,
    describe,
    encapsulated,
    encoded,
    faults,
    found,
    jpeg_2000,
    sound,
    uncompressed,
    with_frame,
    without_loss,
)  # fmt: skip

PLAIN = cleaned(photos.jpeg())
PROGRESSIVE = cleaned(photos.jpeg(progressive=True))
CODESTREAM = jpeg_2000()
SIZ_END = 4 + int.from_bytes(CODESTREAM[4:6], "big")
FTYP = b"\0\0\0\x10ftypisom\0\0\0\0"
UDTA = b"\0\0\0\x1cudta\0\0\0\x14\xa9xyz\0\x08\0\0+51-001/"


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def track(handler: bytes) -> bytes:
    return box(b"trak", box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(13))))


def jpeg(stream: bytes, syntax: str = f"{ROOT}.4.50") -> Dataset:
    dataset = sound()
    with_frame(dataset, stream, syntax)
    return dataset


def coded(frame: bytes, syntax: str, photometric: str, *, loss: bool = False) -> Dataset:
    dataset = sound() if loss else without_loss(sound())
    describe(dataset, 48, 64, photometric)
    encapsulated(dataset, [frame], f"{ROOT}.{syntax}")
    return dataset


def j2k(frame: bytes = CODESTREAM, syntax: str = "4.90", photometric: str = "YBR_RCT") -> Dataset:
    return coded(frame, syntax, photometric)


def film(data: bytes) -> Dataset:
    dataset = sound(sop_class=iodtables.VIDEO_PHOTOGRAPHIC)
    dataset.NumberOfFrames, dataset.FrameIncrementPointer, dataset.FrameTime = 25, 0x00181063, "40"
    describe(dataset, 48, 64, "YBR_PARTIAL_420")
    encapsulated(dataset, [data], f"{ROOT}.4.102")
    return dataset


def jls(*segments: bytes, near: int = 0, rows: int = 48, tail: bytes = b"") -> bytes:
    """Return the bones of a JPEG-LS stream."""
    frame = photos.segment(0xF7, struct.pack(">BHHB", 8, rows, 64, 3) + b"\1\x11\0\2\x11\0\3\x11\0")
    scan = photos.segment(0xDA, b"\3\1\0\2\0\3\0" + bytes((near, 2, 0)))
    return b"\xff\xd8" + b"".join(segments) + frame + scan + b"\x12\xff\x7f\x34" + b"\xff\xd9" + tail


def rle(*, segments: int = 3, head: bytes = b"") -> bytes:
    starts = [64 + 2 * number for number in range(segments)]
    header = struct.pack("<16I", segments, *starts, *(0 for _ in range(15 - segments)))
    return header[: 64 - len(head)] + head + b"\0\1" * segments


def with_header(change: Break) -> Dataset:
    dataset = sound()
    change(dataset)
    return dataset


def native(extra: bytes = b"", *, missing: int = 0) -> Dataset:
    dataset = uncompressed(photos.picture())
    dataset["PixelData"].value = dataset.PixelData[: len(dataset.PixelData) - missing] + extra
    return dataset


def fragmented(change: Break) -> Dataset:
    dataset = sound()
    change(dataset)
    return dataset


def value(replacement: bytes) -> Break:
    return lambda dataset: setattr(dataset["PixelData"], "value", replacement)


SOUND = {
    "grey": jpeg(cleaned(photos.jpeg(photos.picture(mode="L")))),
    "extended": jpeg(PLAIN, f"{ROOT}.4.51"),
    "JPEG 2000": j2k(),
    "JPEG-LS": coded(jls(), "4.80", "RGB"),
    "JPEG-LS with a SPIFF header": coded(jls(photos.segment(0xE8, b"SPIFF\0" + bytes(24))), "4.80", "RGB"),
    "near-lossless": coded(jls(near=2), "4.81", "RGB", loss=True),
    "RLE": coded(rle(), "5", "RGB"),
    "uncompressed": uncompressed(photos.picture()),
    "uncompressed, odd": uncompressed(photos.picture(5, 5)),
    "MP4": film(FTYP + box(b"moov", box(b"mvhd", bytes(100))) + box(b"mdat", bytes(20)) + box(b"free", bytes(8))),
    "transport stream": film((b"\x47" + bytes(187)) * 4),
    "elementary stream": film(b"\0\0\0\1\x67\x64\0\x1f"),
}


@pytest.mark.parametrize("dataset", SOUND.values(), ids=SOUND)
def test_every_coding_can_be_sound(dataset: Dataset) -> None:
    assert faults(dataset) == set()


BROKEN: dict[str, tuple[Dataset, str]] = {
    "progressive labelled baseline": (jpeg(PROGRESSIVE), "TRANSFER_SYNTAX_STREAM"),
    "progressive": (jpeg(PROGRESSIVE, f"{ROOT}.4.55"), "RETIRED_TRANSFER_SYNTAX"),
    "baseline labelled lossless": (jpeg(PLAIN, f"{ROOT}.4.70"), "TRANSFER_SYNTAX_STREAM"),
    "rows": (with_header(lambda d: setattr(d, "Rows", 47)), "HEADER_BITSTREAM"),
    "samples": (with_header(lambda d: setattr(d, "SamplesPerPixel", 1)), "HEADER_BITSTREAM"),
    "colours": (with_header(lambda d: setattr(d, "PhotometricInterpretation", "RGB")), "HEADER_BITSTREAM"),
    "colours nobody expects": (
        with_header(lambda d: setattr(d, "PhotometricInterpretation", "YBR_FULL")), "COLOUR_MODEL",
    ),
    "comment": (jpeg(photos.with_segments(PLAIN, photos.segment(0xFE, b"secret"))), "HIDDEN_METADATA"),
    "exif": (jpeg(photos.jpeg(exif=photos.exif())), "HIDDEN_METADATA"),
    "exif of a lying camera": (jpeg(photos.jpeg(exif=photos.exif(orientation=6))), "ORIENTATION"),
    "trailer": (jpeg(PLAIN + b"ftypmp4 51.5"), "TRAILING_DATA"),
    "no JPEG": (coded(b"no JPEG!", "4.50", "YBR_FULL_422", loss=True), "TRANSFER_SYNTAX_STREAM"),
    "frames missing": (with_header(lambda d: setattr(d, "NumberOfFrames", 3)), "ENCAPSULATION"),
    "odd fragment": (fragmented(value(b"\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\3\0\0\0abc")), "ENCAPSULATION"),
    "bytes between fragments": (
        fragmented(lambda d: value(d.PixelData[:8] + b"hidden!!" + d.PixelData[8:])(d)), "ENCAPSULATION",
    ),
    "bytes after fragments": (fragmented(lambda d: value(d.PixelData + b"hidden!!")(d)), "ENCAPSULATION"),
    "offsets to nowhere": (
        fragmented(lambda d: value(b"\xfe\xff\0\xe0\4\0\0\0\7\0\0\0" + d.PixelData[12:])(d)), "ENCAPSULATION",
    ),
    "J2K rows": (j2k(CODESTREAM.replace(b"\0\0\0\x30", b"\0\0\0\x2f")), "HEADER_BITSTREAM"),
    "J2K colours": (j2k(photometric="RGB"), "HEADER_BITSTREAM"),
    "J2K comment": (j2k(CODESTREAM[:SIZ_END] + photos.segment(0x64, b"\0\1Jane Doe") + CODESTREAM[SIZ_END:]),
                    "HIDDEN_METADATA"),
    "J2K trailer": (j2k(CODESTREAM + b"more"), "TRAILING_DATA"),
    "JP2 file": (j2k(b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"uuid", b"x" * 20)), "HIDDEN_METADATA"),
    "J2K cut": (j2k(CODESTREAM[:60]), "TRANSFER_SYNTAX_STREAM"),
    "JPEG-LS rows": (coded(jls(rows=47), "4.80", "RGB"), "HEADER_BITSTREAM"),
    "JPEG-LS lossy": (coded(jls(near=1), "4.80", "RGB"), "TRANSFER_SYNTAX_STREAM"),
    "JPEG-LS comment": (coded(jls(photos.segment(0xFE, b"secret")), "4.80", "RGB"), "HIDDEN_METADATA"),
    "JPEG-LS SPIFF": (coded(jls(photos.segment(0xE8, b"SPIFF\0")), "4.80", "RGB"), "HIDDEN_METADATA"),
    "JPEG-LS trailer": (coded(jls(tail=b"more"), "4.80", "RGB"), "TRAILING_DATA"),
    "RLE segments": (coded(rle(segments=1), "5", "RGB"), "HEADER_BITSTREAM"),
    "RLE header": (coded(rle(head=b"Jane"), "5", "RGB"), "HIDDEN_METADATA"),
    "no RLE": (coded(b"short!", "5", "RGB"), "TRANSFER_SYNTAX_STREAM"),
    "JPEG XL": (coded(b"no JPEG XL", "4.110", "RGB"), "TRANSFER_SYNTAX_STREAM"),
    "JPEG XL with EXIF": (
        coded(b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"Exif", bytes(8)), "4.110", "RGB"), "HIDDEN_METADATA",
    ),
    "too short": (native(missing=2), "HEADER_BITSTREAM"),
    "too long": (native(b"hidden"), "TRAILING_DATA"),
    "film with a place": (film(FTYP + box(b"moov", UDTA)), "HIDDEN_METADATA"),
    "film with a place in a track": (film(FTYP + box(b"moov", track(b"meta"))), "HIDDEN_METADATA"),
    "film with sound": (film(FTYP + box(b"moov", track(b"vide") + track(b"soun"))), "SOUND"),
    "film with a filled gap": (film(FTYP + box(b"free", b"Jane Doe")), "HIDDEN_METADATA"),
    "film with a tail": (film(FTYP + b"SEFT"), "HIDDEN_METADATA"),
    "no film": (film(b"no film at all"), "TRANSFER_SYNTAX_STREAM"),
    "unknown syntax": (jpeg(PLAIN, f"{ROOT}.4.999"), "UNKNOWN_TRANSFER_SYNTAX"),
}  # fmt: skip


@pytest.mark.parametrize(("dataset", "expected"), BROKEN.values(), ids=BROKEN)
def test_header_and_bitstream_that_disagree_are_found(dataset: Dataset, expected: str) -> None:
    assert expected in faults(dataset)


def test_what_hides_in_the_stream_is_named_and_never_quoted() -> None:
    told = [finding.message for finding in found(jpeg(photos.camera_photo())) if finding.code == "HIDDEN_METADATA"]
    assert told == [
        "PixelData: hidden metadata in the stream (APP1): XMP, EXIF with a place",
        "PixelData: hidden metadata in the stream (APP2): more pictures",
        "PixelData: hidden metadata in the stream (APP13): IPTC",
        "PixelData: hidden metadata in the stream (COM)",
        "PixelData: a JFIF header in the stream (APP0), which tells dots an inch only",
    ]


def test_fragments_where_the_transfer_syntax_has_none_are_found() -> None:
    told = f"{ROOT}.4.50".encode()
    findings = verify(encoded(sound()).replace(told, f"{ROOT}.1".encode().ljust(len(told), b"\0")))
    assert "ENCAPSULATION" in {finding.code for finding in findings}


def test_a_bare_jfif_header_is_no_fault() -> None:
    findings = [finding for finding in found(jpeg(photos.jpeg())) if finding.code == "HIDDEN_METADATA"]
    assert [finding.severity for finding in findings] == [Severity.NOTE]


@pytest.mark.parametrize(
    ("trailer", "severity"), [(b"\0" * 9, Severity.WARNING), (b"\xff", Severity.WARNING), (b"ab", Severity.ERROR)]
)
def test_padding_that_isnt_as_it_should_be_is_no_error(trailer: bytes, severity: Severity) -> None:
    findings = {finding.code: finding.severity for finding in found(jpeg(PLAIN + trailer))}
    assert findings["TRAILING_DATA"] is severity


def test_the_signature_of_an_encoder_is_no_fault_unless_somebody_writes_into_it() -> None:
    signed = photos.segment(0x64, b"\0\1Kakadu-v7.2")
    written = photos.segment(0x64, b"\0\1Kakadu-v7.2 for Jane Doe")
    told = [
        {
            each.severity
            for each in found(j2k(CODESTREAM[:SIZ_END] + mark + CODESTREAM[SIZ_END:]))
            if each.code == "HIDDEN_METADATA"
        }
        for mark in (signed, written)
    ]
    assert told == [{Severity.NOTE}, {Severity.NOTE, Severity.ERROR}]


def test_of_a_thousand_faults_of_a_kind_only_so_many_are_told() -> None:
    dataset = sound()
    dataset.NumberOfFrames = 300
    encapsulated(dataset, [b"no"] * 300, f"{ROOT}.4.50")
    findings = found(dataset)
    assert len(findings) < 60
    assert "MORE" in {finding.code for finding in findings}
