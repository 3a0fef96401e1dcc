"""What must hold of reading EXIF for any bytes at all."""

from __future__ import annotations

import math
import struct
import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomwrap.exif import EXPOSURE_KEYWORDS, OLDEST_YEAR, capture_facts
from dicomwrap.photograph import CaptureFacts
from tests.unit.dicomwrap import exifblocks as blocks
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.test_exif import MAIN, TAKEN, WRITTEN

LONG_ENOUGH = 0.25  # seconds of this thread; a camera's block takes 0.00005
KNOWN = {tag: field for tag, (field, _, _) in WRITTEN.items()}
DETAIL = {**KNOWN, **TAKEN, 0x9209: blocks.short(0x59), 0x9011: blocks.ascii_("-03:30")}
CAMERAS = (
    photos.exif(orientation=6),
    blocks.block(MAIN, DETAIL, order="<"),
    blocks.block(MAIN, DETAIL, order=">"),
    bytes(4) + blocks.tiff(MAIN, DETAIL),
)
Edits = list[tuple[int, bytes]]
INTERESTING = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1", b"\x87\x69", b"\x69\x87", b"\0\0\0\x08", b"\x7f\xff\xff\xff")


def edits() -> st.SearchStrategy[Edits]:
    change = st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(INTERESTING))
    return st.lists(st.tuples(st.integers(0, 2**12), change), max_size=12)


def took(payload: bytes) -> float:
    """Return the seconds of this thread that reading takes."""
    begun = time.thread_time()
    capture_facts(payload)
    return time.thread_time() - begun


def told(payload: bytes) -> CaptureFacts:
    """Return the facts, having checked all that must hold of them."""
    facts = capture_facts(payload)
    # What is slow is slow each time; what else the interpreter does meanwhile, such as collecting garbage, is not.
    assert any(took(payload) < LONG_ENOUGH for _ in range(3))
    assert facts.orientation in {None, *range(1, 9)}
    assert facts.taken_at is None or facts.taken_at.year >= OLDEST_YEAR
    assert facts.offset is None or timedelta(hours=-12) <= facts.offset <= timedelta(hours=14)
    assert facts.exposure.keys() <= EXPOSURE_KEYWORDS
    device = facts.device
    for value in (*facts.exposure.values(), device.manufacturer, device.model, device.software, device.serial_number):
        for each in value if isinstance(value, tuple) else (value,):
            assert fit(each), each
    return facts


def fit(value: float | str) -> bool:
    if isinstance(value, str):
        return value.isprintable() and len(value) <= 64 and "\\" not in value and value == value.strip()
    return 0 <= value < 2**31 if isinstance(value, int) else math.isfinite(value)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(CAMERAS), edits(), st.booleans(), st.integers(0, 2**12))
def test_a_damaged_block_is_read_or_not_and_never_anything_else(
    block: bytes, changes: Edits, cut: bool, length: int
) -> None:
    for place, change in changes:
        block = photos.patched(block, place % len(block), change)
    told(block[: length % len(block)] if cut else block)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"Exif\0\0", b"Exif\0\0II*\0", b"MM\0*\0\0\0\x08", b"\0\0\0\0II*\0"])
)
def test_arbitrary_bytes_give_facts(data: bytes, begin: bytes) -> None:
    told(begin + data)


def field(kind: int, raw: bytes) -> blocks.Field:
    sizes = {3: 2, 8: 2, 4: 4, 9: 4, 11: 4, 13: 4, 5: 8, 10: 8, 12: 8}
    return kind, len(raw) // sizes.get(kind, 1), lambda _: raw


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*DETAIL, *MAIN]), st.tuples(st.integers(0, 14), st.binary(max_size=40))))
def test_any_field_may_have_any_type_and_value(written: dict[int, tuple[int, bytes]]) -> None:
    odd = {tag: field(kind, raw) for tag, (kind, raw) in written.items()}
    told(blocks.block(odd, odd))


@pytest.mark.parametrize("size", [2**16, 2**24], ids=["as long as a segment", "as long as a PNG chunk"])
@pytest.mark.parametrize("kind", [2, 5, 7, 12], ids=["text", "fractions", "bytes", "numbers"])
def test_the_worst_block_is_read_in_no_time(kind: int, size: int) -> None:
    count = 1024 // {2: 1, 5: 8, 7: 1, 12: 8}[kind]
    tags = [tag for tag in (*MAIN, *DETAIL) for _ in range(8)]
    entries = b"".join(struct.pack("<HHII", tag, kind, count, size - 1024) for tag in tags)
    pointer = struct.pack("<HHII", blocks.EXIF_IFD, 4, 1, 8)
    directory = struct.pack("<H", len(tags) + 1) + entries + pointer
    told((b"II*\0\x08\0\0\0" + directory).ljust(size, b"\xe4"))
    told(b"Exif\0\0" * (size // 6))


@given(st.sampled_from(CAMERAS), st.binary(max_size=64))
def test_what_stands_behind_the_block_changes_nothing(block: bytes, behind: bytes) -> None:
    assert told(block + behind) == told(block)
