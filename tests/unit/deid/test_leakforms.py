"""What is packed, or written, among other bytes is laid open wherever it begins, and however many bytes there are."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.deid.leakforms import bare, packed, written

PIECE = 1 << 16  # bytes that are looked through at a time
NAME = b"Jane Doe, 12 High Street"
NOISE = bytes(each for each in random.Random(7).randbytes(3 * PIECE) if each not in b"\x78\x1f\x50" and each > 127)  # noqa: S311
LEVELS = [(level, strategy) for level in range(10) for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED)]


def deflated(data: bytes, level: int, strategy: int) -> bytes:
    work = zlib.compressobj(level, wbits=-15, strategy=strategy)
    return work.compress(data) + work.flush()


@pytest.mark.parametrize(("level", "strategy"), LEVELS)
@given(data=st.binary(max_size=2000))
def test_what_is_deflated_without_a_head_is_read_in_each_kind_of_block(level: int, strategy: int, data: bytes) -> None:
    assert bare(deflated(data, level, strategy)) == data


@given(data=st.binary(max_size=300))
def test_any_bytes_say_what_zlib_reads_in_them(data: bytes) -> None:
    work, read = zlib.decompressobj(-15), b""
    try:
        for start, end in ((0, 64), (64, 192), (192, 448)):  # what comes before a fault in the same piece is lost
            read += b"" if work.eof else work.decompress(data[start:end])
    except zlib.error:
        pass
    assert bare(data) == read


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", NAME)
    return buffer.getvalue()


PACKED = {
    **{f"zlib {level}": zlib.compress(NAME, level) for level in (0, 1, 5, 6, 9)},
    "gzip": gzip.compress(NAME),
    "zip": zipped(),
}


@pytest.mark.parametrize("at", [0, 1, PIECE - 3, PIECE - 2, PIECE - 1, PIECE, 2 * PIECE - 1, len(NOISE)])
@pytest.mark.parametrize("inner", PACKED.values(), ids=PACKED)
def test_what_is_packed_is_found_wherever_it_begins(inner: bytes, at: int) -> None:
    assert NAME in list(packed(NOISE[:at] + inner + NOISE[at:]))


@pytest.mark.parametrize("at", [0, PIECE - 30, PIECE - 5, PIECE - 1, PIECE, len(NOISE)])
def test_text_is_found_wherever_it_begins_and_once(at: int) -> None:
    assert written(NOISE[:at] + NAME + NOISE[at:]) == NAME


def test_a_long_text_is_one_stretch() -> None:
    text = NAME * (3 * PIECE // len(NAME))
    assert written(NOISE[:7] + text + NOISE[:7]) == text


@pytest.mark.parametrize("before", [2038, 2040, 2044, 2046, 2047, 2048, 2050, 4090, 32_760])
def test_wide_letters_are_found_across_the_windows_that_are_looked_through(before: int) -> None:
    text = ("." * before).encode() + NAME
    wide = text.decode().encode("utf-16-le")
    assert NAME in written(NOISE[:9] + wide + NOISE[:9])
