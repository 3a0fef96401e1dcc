"""An object is read once, and refused wherever another parser could read it otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.filereader import data_element_generator

from dicomwrap.bitstream.verify import contradictions
from orthanc_plugin.enforcement.reading import IntakeRefusedError, parsed, streams, without_hidden_metadata
from tests.fakes.nested import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    PIXELS,
    PRIVATE,
    SEQUENCE,
    element,
    file_of,
    identified,
    item,
    nested,
    sequence,
    text,
)
from tests.fakes.pictures import encoded, photograph, photograph_bytes
from tests.unit.dicomwrap import photos

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

META_START = 144  # preamble, magic word, and the group length's own element
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
PATIENT = text((0x0010, 0x0020), "LO", "P9")
OTHER = text((0x0010, 0x0020), "LO", "P8")
AFTER = element((0xFFFC, 0xFFFC), "OB", b"\0\0")
WHOLE = identified(2)


def tags(content: bytes) -> Iterator[int]:
    """Give the tags of the top level as pydicom's own generator meets them: a second reading, element by element."""
    syntax = dcmread(BytesIO(content), stop_before_pixels=True).file_meta
    stream = BytesIO(content)
    stream.seek(META_START + int(syntax.FileMetaInformationGroupLength))
    uid = syntax.TransferSyntaxUID
    for each in data_element_generator(stream, uid.is_implicit_VR, uid.is_little_endian):
        yield int(each.tag)


def accepted(content: bytes) -> bool:
    try:
        parsed(content)
    except IntakeRefusedError:
        return False
    return True


def with_pixels(fragment: bytes, after: bytes = b"") -> bytes:
    return WHOLE + sequence(item(b"") + item(fragment), "OB", tag=PIXELS, delimited=True) + after


AMBIGUOUS = {
    "an element twice": WHOLE.replace(PATIENT, PATIENT + PATIENT),
    "another patient's number after it": WHOLE.replace(PATIENT, PATIENT + OTHER),
    "another patient's number at the end": WHOLE + OTHER,
    "a number before the UIDs": file_of(PATIENT + WHOLE[len(file_of(b"")) :]),
    "an element after the pixels that belongs before them": with_pixels(b"\0\0", PATIENT),
    "two pixel data": with_pixels(b"\0\0") + sequence(item(b""), "OB", tag=PIXELS, delimited=True),
    "a group length that is no number": WHOLE.replace(b"\x02\0\0\0UL", b"\x02\0\0\0LO"),
    "an unknown transfer syntax": file_of(WHOLE[len(file_of(b"")) :], "2.25.1234"),
    "an element of group 0000": file_of(element((0, 0), "UL", b"\0\0\0\0") + WHOLE[len(file_of(b"")) :]),
}


@pytest.mark.parametrize("content", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_two_parsers_could_take_for_two_objects_is_refused(content: bytes) -> None:
    assert accepted(WHOLE)
    with pytest.raises(IntakeRefusedError, match="not well formed"):
        parsed(content)


def test_a_delimiter_inside_a_fragment_is_part_of_the_picture() -> None:
    for hidden in (DELIMITER, DELIMITER + OTHER, DELIMITER + AFTER):
        content = with_pixels(hidden, AFTER)
        assert accepted(content)
        assert hidden in parsed(content).PixelData
        assert parsed(content).PatientID == "P9"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_an_encoding_that_contradicts_its_transfer_syntax_is_refused(syntax: str) -> None:
    """pydicom would guess; Orthanc does not."""
    dataset = WHOLE[len(file_of(b"")) :]
    assert accepted(file_of(dataset, syntax)) is (syntax == EXPLICIT)


EDITS = st.lists(st.tuples(st.integers(0, 2**14), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4)
PARTS = st.lists(
    st.sampled_from(
        [
            PATIENT,
            OTHER,
            AFTER,
            DELIMITER,
            text((0x0008, 0x0018), "UI", "2.25.77"),
            element(PRIVATE, "UN", b"\0\0"),
            element(PIXELS, "OB", b"\0\0"),
            nested(1, tag=SEQUENCE),
            nested(2, "UN", tag=PRIVATE, delimited=True),
            sequence(item(b"") + item(DELIMITER + OTHER), "OB", tag=PIXELS, delimited=True),
        ]
    ),
    max_size=4,
)


@settings(max_examples=300)
@given(EDITS, PARTS, st.booleans())
def test_nothing_is_accepted_that_a_second_reading_finds_out_of_order(
    edits: list[tuple[int, bytes]], parts: list[bytes], damaged: bool
) -> None:
    content = WHOLE + b"".join(parts)
    for place, change in edits if damaged else ():
        at = META_START + place % (len(content) - META_START)
        content = content[:at] + change + content[at + len(change) :]
    if accepted(content):
        found = list(tags(content))
        assert found == sorted(set(found))
        assert found == [int(tag) for tag in parsed(content).keys()]  # noqa: SIM118 - a data set gives its elements


@pytest.mark.parametrize(
    "stream", [photos.jpeg(), photos.jpeg(comment=b"Doe"), photos.jpeg()[:-40], b"no JPEG"], ids=len
)
def test_a_stream_taken_apart_before_contradicts_as_much_as_one_that_was_not(stream: bytes) -> None:
    dataset = photograph(PixelData=encapsulate([stream]), Rows=7)
    taken = streams(dataset)
    assert contradictions(dataset, taken) == contradictions(dataset) != ()


def test_streams_of_other_frames_are_not_believed() -> None:
    honest, hiding = photograph(), photograph(PixelData=encapsulate([photos.jpeg(comment=b"Doe lives here")]))
    assert contradictions(honest) == ()
    assert contradictions(hiding, streams(honest)) == contradictions(hiding) != ()
    foreign = tuple(replace(each, data=each.data + b"\0\0") for each in streams(honest))
    assert contradictions(honest, foreign) == ()


def test_one_broken_frame_leaves_the_object_as_it_came() -> None:
    dataset = photograph(PixelData=encapsulate([photos.jpeg(comment=b"Doe"), b"broken"]), NumberOfFrames=2)
    assert streams(dataset) == ()
    assert without_hidden_metadata(dataset, b"as it came", ()) == b"as it came"
    assert contradictions(dataset, ())


def test_a_photograph_is_read_as_it_was_written() -> None:
    assert encoded(parsed(photograph_bytes())) == photograph_bytes()
