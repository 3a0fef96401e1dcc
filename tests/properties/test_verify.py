"""What must hold of verify, inspect and unwrap for any bytes at all."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from dicomwrap import iodtables
from dicomwrap.bitstream.boxcarriers import box_carriers
from dicomwrap.bitstream.codestreams import jpeg_2000, jpeg_ls
from dicomwrap.bitstream.encapsulation import taken_apart
from dicomwrap.bitstream.video import film
from dicomwrap.cli.summarylines import lines
from dicomwrap.errors import DicomwrapError
from dicomwrap.judging.opening import UnfitFileError, read
from dicomwrap.judging.profile import description_of, texts_of
from dicomwrap.pictures import pictures
from dicomwrap.summary import summary
from dicomwrap.verify import FINDINGS, Severity, verify
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import encoded, sound, srgb, uncompressed
from tests.unit.dicomwrap.judged import jpeg_2000 as codestream
from tests.unit.dicomwrap.test_verify_pictures import FTYP, UDTA, box, coded, j2k, jls, rle
from tests.unit.dicomwrap.test_verify_pictures import film as film_object

pytestmark = pytest.mark.filterwarnings("ignore")
LONGEST = 2.0  # seconds, for a few thousand bytes
OBJECTS = [
    encoded(each)
    for each in (
        sound(),
        sound(sop_class=iodtables.DERMOSCOPIC),
        uncompressed(photos.picture()),
        j2k(),
        coded(jls(), "4.80", "RGB"),
        coded(rle(), "5", "RGB"),
        film_object(FTYP + box(b"moov", UDTA)),
    )
]
Edits = list[tuple[int, bytes]]
_INTERESTING = [
    b"\xff", b"\0", b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0", b"SQ", b"UN",
    b"\xff\xd9", b"\xff\xda", b"acsp", b"\x08\x00\x05\x00",
]  # fmt: skip
edits = st.lists(
    st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=4) | st.sampled_from(_INTERESTING)), max_size=8
)


def edited(data: bytes, changes: Edits, *, insert: bool) -> bytes:
    for place, change in changes:
        at = 132 + place % (len(data) - 131)
        data = data[:at] + change + data[at if insert else at + len(change) :]
    return data


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(OBJECTS), edits, st.booleans(), st.floats(0.1, 1.0) | st.just(1.0))
def test_a_damaged_object_is_judged_in_bounded_time(data: bytes, changes: Edits, insert: bool, part: float) -> None:
    damaged = edited(data, changes, insert=insert)
    started = time.monotonic()
    findings = verify(damaged[: int(len(damaged) * part)], key=b"key")
    assert time.monotonic() - started < LONGEST
    assert all(finding.code in FINDINGS for finding in findings)
    json.dumps([finding.message for finding in findings])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(OBJECTS), edits, st.booleans())
def test_a_damaged_object_is_summed_up(data: bytes, changes: Edits, insert: bool) -> None:
    try:
        dataset = read(BytesIO(edited(data, changes, insert=insert)))
    except UnfitFileError:
        return
    found = summary(dataset, file="x")
    assert list(lines(found))
    assert json.dumps(found.as_json())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(OBJECTS), edits, st.booleans())
def test_a_damaged_object_gives_pictures_or_our_own_error(data: bytes, changes: Edits, insert: bool) -> None:
    try:
        found = list(pictures(read(BytesIO(edited(data, changes, insert=insert)))))
    except (UnfitFileError, DicomwrapError):
        return
    assert all(picture.suffix.startswith(".") for picture in found)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_judged(data: bytes) -> None:
    for beginning in (b"", bytes(128) + b"DICM"):
        assert any(finding.severity is Severity.ERROR for finding in verify(beginning + data))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), edits, st.booleans())
def test_the_readers_of_streams_answer_any_bytes(data: bytes, changes: Edits, insert: bool) -> None:
    seeds = (codestream(), jls(), FTYP + UDTA, encapsulate([b"ab", b"cd"]), srgb())
    for stream in (data, *(edited(bytes(132) + seed, changes, insert=insert)[132:] for seed in seeds)):
        for reader in (jpeg_2000, jpeg_ls):
            with suppress(DicomwrapError):
                reader(stream)
        for end, start in zip(taken_apart(stream).fragments, taken_apart(stream).fragments[1:], strict=False):
            assert end[1] + 8 == start[0]
        assert all(name.isprintable() for name in (*box_carriers(stream), *texts_of(stream)))
        assert description_of(stream).isprintable()
        film(stream)


def test_deep_nesting_ends() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x12\x21SQ\0\0\xff\xff\xff\xff"
    data = encoded(sound(stamped=False))
    findings = verify(data + b"\xfd\x7f\x10\0SQ\0\0\xff\xff\xff\xff" + item * 5000)
    assert any(finding.severity is Severity.ERROR for finding in findings)


def test_a_file_that_inflates_without_end_is_given_up_on(tmp_path: Path) -> None:
    import zlib

    data = encoded(sound(stamped=False))
    meta = data[: data.index(b"\x08\0\x05\0CS")].replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.1.99")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(600)) + squeeze.flush()
    findings = verify(meta + bomb)
    assert [finding.code for finding in findings] == ["UNREADABLE"]
