"""What is put together from a strict walk is what pydicom reads of the same bytes, or it is left to pydicom."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from orthanc_plugin.enforcement.nesting import StructureError, places
from orthanc_plugin.enforcement.quickread import CHARACTER_SET, quickly
from tests.fakes.pictures import ct, encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

WHOLE: Final = (
    encoded(photograph()),
    encoded(photograph(SpecificCharacterSet="ISO_IR 100", PatientName="M\xfcller^Zo\xeb")),
    encoded(photograph(SpecificCharacterSet=None)),
    encoded(photograph(PatientID="", WindowWidth="", ReferencedImageSequence=[])),
    encoded(ct(PixelData=b"\0\1" * 32, BitsAllocated=16, OtherPatientIDs=["a", "b"])),
)
HEAD: Final = 2**11  # where most of what a parser could stumble over is; the end is reached from behind
edits: Final = st.lists(st.tuples(st.integers(-40, HEAD), st.binary(min_size=1, max_size=4)), max_size=3)
VRS: Final = st.sampled_from([b"UN", b"SQ", b"OB", b"OW", b"UT", b"UC", b"CS", b"UI", b"US", b"ox", b"\0\0"])


def edited(content: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    for place, change in changes:
        at = place % len(content)
        content = content[:at] + change + content[at + len(change) :]
    return content


def told(dataset: Dataset) -> list[object]:
    """Return the elements as they were read; of the character set, which pydicom has looked at already, the value."""
    return [
        (each.tag, each.VR, dataset[each.tag].value) if each.tag == CHARACTER_SET else tuple(raw(each))
        for each in tuple(dataset.values())
    ]


def raw(element: RawDataElement | DataElement) -> RawDataElement:
    assert isinstance(element, RawDataElement)
    return element


def compared(content: bytes) -> bool:
    """Tell whether it was read quickly; then it must be read as pydicom reads it."""
    try:
        found = places(content)
    except StructureError:
        return False
    quick = quickly(content, found)
    if quick is None:
        return False
    slow = dcmread(BytesIO(content))
    assert told(quick) == told(slow)
    assert list(quick.file_meta.keys()) == list(slow.file_meta.keys())
    assert [(each.VR, each.value) for each in quick.file_meta] == [(each.VR, each.value) for each in slow.file_meta]
    assert quick.original_encoding == slow.original_encoding
    assert quick.original_character_set == slow.original_character_set
    assert getattr(quick, "preamble", None) == slow.preamble
    return True


@pytest.mark.parametrize("content", WHOLE)
def test_a_photograph_is_read_quickly_and_as_pydicom_reads_it(content: bytes) -> None:
    assert compared(content)
    quick, slow = quickly(content, places(content)), dcmread(BytesIO(content))
    assert quick is not None
    assert encoded(quick) == encoded(slow)
    assert quick == Dataset(slow)


@given(st.sampled_from(WHOLE), edits, st.integers(0, 12))
@example(WHOLE[0], [(-8, b"\xfe\xff\x0d\xe0")], 0)
@example(WHOLE[0], [(-1, b"\1")], 0)
def test_what_is_damaged_is_read_as_pydicom_reads_it_or_left_to_it(
    content: bytes, changes: list[tuple[int, bytes]], cut: int
) -> None:
    damaged = edited(content, changes)
    compared(damaged[: len(damaged) - cut])


@given(st.sampled_from(WHOLE), st.integers(0, 200), VRS)
def test_another_value_representation_is_read_as_pydicom_reads_it_or_left_to_it(
    content: bytes, which: int, vr: bytes
) -> None:
    found = places(content)
    every = [*found.meta, *found.top]
    start = every[which % len(every)].start
    short = content[start - 8 : start][4:6].isalpha() and content[start - 12 : start][4:6] != b"OB"
    compared(edited(content, [(start - (4 if short else 8), vr)]))


def test_any_other_transfer_syntax_is_left_to_pydicom() -> None:
    content = encoded(ct())
    other = content.replace(ExplicitVRLittleEndian.encode() + b"\0", b"1.2.840.10008.1.2.2\0")
    assert other != content
    assert not compared(other)
