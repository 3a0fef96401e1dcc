"""The ZIP that leaves while it grows: whole, the same each time, and readable from its beginning."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import pytest

from orthanc_plugin.enforcement.zippieces import ZipPieces

FILES = {"00001.dcm": b"first" * 1000, "00002.dcm": b"", "MANIFEST.json": b"{}\n"}


def pieces() -> list[bytes]:
    zip_pieces = ZipPieces()
    return [*(zip_pieces.add(name, content) for name, content in FILES.items()), zip_pieces.end()]


def test_the_pieces_together_are_a_zip_of_the_files() -> None:
    archive = ZipFile(BytesIO(b"".join(pieces())))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_the_same_files_give_the_same_bytes() -> None:
    assert pieces() == pieces()


def test_each_header_is_complete_before_its_content_so_that_a_reader_needs_no_descriptor() -> None:
    first = pieces()[0]
    signature, _, flags, method, _, _, crc, packed, size = struct.unpack("<IHHHHHIII", first[:26])
    content = FILES["00001.dcm"]
    assert (signature, flags & 8, method) == (0x04034B50, 0, 0)
    assert (crc, packed, size) == (zlib.crc32(content), len(content), len(content))


@pytest.mark.parametrize("missing", [1, 2])
def test_what_broke_off_is_no_zip(missing: int) -> None:
    with pytest.raises(BadZipFile):
        ZipFile(BytesIO(b"".join(pieces()[:-missing])))


def test_a_piece_is_as_long_as_its_file_and_its_header() -> None:
    name = "00001.dcm"
    assert len(pieces()[0]) == 30 + len(name) + len(FILES[name])
