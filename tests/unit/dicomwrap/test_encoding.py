"""Our own encoder: what it writes is what others read."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomwrap.elements import Elements, Value, code
from dicomwrap.encoding import Part10, decimal, read_beginning
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE
from dicomwrap.wrap import encoded
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import built
from tests.unit.dicomwrap.rasterfiles import saved
from tests.unit.dicomwrap.validators import dumped, is_part_10

META = Elements(
    MediaStorageSOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4",
    MediaStorageSOPInstanceUID="2.25.3",
    TransferSyntaxUID=EXPLICIT_VR_LITTLE_ENDIAN,
    ImplementationClassUID="2.25.4",
    ImplementationVersionName="TEST",
)


def file_of(elements: Elements, *frame: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """Return a file as we encode it."""
    meta = Elements({**META, "TransferSyntaxUID": syntax})
    made = Part10(meta=meta, elements=elements, frame=frame, encapsulated=syntax == JPEG_BASELINE)
    return b"".join(made.pieces())


def read(elements: Elements, *frame: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Dataset:
    """Return what pydicom reads of it."""
    with_letters = Elements({"SpecificCharacterSet": "ISO_IR 192", **elements})
    return dcmread(BytesIO(file_of(with_letters, *frame, syntax=syntax)))


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientName", "Müller^Zoë=山田^太郎", "Müller^Zoë=山田^太郎"),
        ("PatientID", "Ж1", "Ж1"),
        ("PatientID", "", ""),
        ("PatientBirthDate", "19800615", "19800615"),
        ("ImageType", ("ORIGINAL", "PRIMARY"), ["ORIGINAL", "PRIMARY"]),
        ("ReasonForVisit", "ä" * 50_000, "ä" * 50_000),
        ("ReasonForVisit", "a\\b", "a\\b"),
        ("DerivationDescription", "Turned. Compressed\\again", "Turned. Compressed\\again"),
        ("Rows", 65_535, 65_535),
        ("Rows", 0, 0),
        ("NonidentifyingPrivateElements", (1, 2, 16), [1, 2, 16]),
        ("EncapsulatedDocumentLength", 4_294_967_295, 4_294_967_295),
        ("FrameIncrementPointer", 0x00181063, 0x00181063),
        ("FNumber", 2.8, 2.8),
        ("FNumber", "2.80", 2.8),
        ("LensSpecification", (24.0, 70.0, 2.8, 4), [24, 70, 2.8, 4]),
        ("PhotographicSensitivity", 400, 400),
        ("SubjectArea", (10, 20, 30, 40), [10, 20, 30, 40]),
        ("StudyInstanceUID", "2.25.1", "2.25.1"),
        ("StudyInstanceUID", "2.25.12", "2.25.12"),
        ("ICCProfile", b"\1\2\3", b"\1\2\3\0"),
        ("ICCProfile", b"", None),
        ("LossyImageCompressionRatio", ("10.5", "3.25"), [10.5, 3.25]),
    ],
)
def test_a_value_is_read_as_it_was_meant(keyword: str, value: Value, expected: object) -> None:
    element = read(Elements({keyword: value}))[keyword]
    found = list(element.value) if isinstance(expected, list) else element.value
    assert (str(found) if isinstance(expected, str) else found) == expected


@pytest.mark.parametrize("keyword", ["AcquisitionContextSequence", "AnatomicRegionSequence"])
def test_an_empty_sequence_is_there_and_empty(keyword: str) -> None:
    assert list(read(Elements({keyword: []}))[keyword].value) == []


def test_an_empty_item_is_an_item() -> None:
    items = read(Elements(AcquisitionContextSequence=[Elements(), Elements()])).AcquisitionContextSequence
    assert [len(item) for item in items] == [0, 0]


def test_sequences_lie_in_sequences() -> None:
    inner = Elements(ConceptNameCodeSequence=[code("1", "99X", "ü"), code("22", "99X", "odd")])
    item = read(Elements(AcquisitionContextSequence=[inner, Elements(CodeValue="x")])).AcquisitionContextSequence[0]
    assert [each.CodeMeaning for each in item.ConceptNameCodeSequence] == ["ü", "odd"]


def test_private_elements_are_keyed_by_tag_and_vr() -> None:
    dataset = read(Elements({"00771001LO": ("a", "b"), "00770010LO": "CREATOR", "00771002UT": "x"}))
    block = dataset.private_block(0x0077, "CREATOR")
    assert (list(block[1].value), block[2].value) == (["a", "b"], "x")


def test_elements_stand_in_the_order_of_their_tags() -> None:
    dataset = dcmread(BytesIO(encoded(built())))
    assert list(dataset.keys()) == sorted(dataset.keys())
    assert all(list(item.keys()) == sorted(item.keys()) for item in dataset.ContributingEquipmentSequence)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 65_535, 65_536])
def test_a_compressed_frame_of_any_length_is_one_padded_fragment(length: int) -> None:
    from pydicom.encaps import generate_fragments, parse_basic_offsets

    frame = bytes(index % 251 for index in range(length))
    dataset = read(Elements(), frame[: length // 2], memoryview(frame)[length // 2 :], syntax=JPEG_BASELINE)
    assert parse_basic_offsets(dataset.PixelData) == [0]
    assert list(generate_fragments(dataset.PixelData))[1:] == [frame + bytes(length % 2)]


@pytest.mark.parametrize("length", [1, 2, 3, 65_535, 65_537])
def test_samples_of_any_length_are_padded_to_an_even_one(length: int) -> None:
    dataset = read(Elements(), bytes([7]) * length)
    assert dataset.PixelData == bytes([7]) * length + bytes(length % 2)
    assert dataset["PixelData"].VR == "OB"


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.008, "0.008"), (2.8, "2.8"), (1 / 3, "0.33333333333333"), (-1 / 3, "-0.3333333333333"), (1e-05, "1e-05"),
        (50.0, "50"), (0.0, "0"), (1e300, "1e+300"), (123456789.123456789, "123456789.123457"), (400, "400"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_short_as_it_is_exact(number: float, written: str) -> None:
    assert decimal(number) == written


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(photos.camera_photo(), id="JPEG"),
        pytest.param(photos.with_colour_profile(), id="with a profile"),
        pytest.param(saved(photos.picture(33, 7), "PNG"), id="PNG"),
    ],
)
def test_the_file_saved_again_by_pydicom_has_the_same_data_set(data: bytes) -> None:
    first = dcmread(BytesIO(encoded(built(data))))
    buffer = BytesIO()
    first.save_as(buffer, enforce_file_format=True)
    again = dcmread(BytesIO(buffer.getvalue()))
    assert again == first
    assert again.PixelData == first.PixelData
    assert again.file_meta.TransferSyntaxUID == first.file_meta.TransferSyntaxUID


@pytest.mark.parametrize("implicit", [True, False])
def test_the_header_survives_another_encoding(implicit: bool) -> None:
    first = dcmread(BytesIO(encoded(built(saved(photos.picture(), "PNG")))))
    first.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    buffer = BytesIO()
    first.save_as(buffer, implicit_vr=implicit, little_endian=True)
    again = dcmread(BytesIO(buffer.getvalue()))
    assert [element.tag for element in again] == [element.tag for element in first]
    assert all(again[each.tag].value == each.value for each in first if not each.tag.is_private)


def test_dcmtk_reads_every_element(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(encoded(built()))
    said = dumped(path)
    assert is_part_10(path)
    assert all(f"({element.tag.group:04x},{element.tag.elem:04x}) {element.VR}" in said for element in dcmread(path))


def test_the_beginning_of_a_file_is_read_back() -> None:
    data = encoded(built())
    found = read_beginning(data)
    assert found.values[0x00080018].rstrip(b"\0") == b"2.25.3"
    assert found.values[0x00100010] == b"Doe^Jane"
    assert found.pixels_at is not None
    assert data[found.pixels_at :].startswith(b"\xff\xd8\xff")


NO_FILES = {
    "nothing": b"",
    "no preamble": bytes(200),
    "half a length": bytes(128) + b"DICM" + b"\2\0\0\0UL",
    "no letters": bytes(128) + b"DICM\2\0\0\0\xff\xffxx",
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in NO_FILES.items()])
def test_what_is_no_file_of_ours_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_beginning(data)
