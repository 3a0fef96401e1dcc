"""Objects of which no copy is made, each with its reason, and never a half-cleaned one."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final

import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicomwrap.confidentiality import Option
from dicomwrap.judging.opening import LARGEST_INFLATED
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

PROFILE: Final = Profile(name="p", pseudonym_domain="p", options=frozenset({Option.RETAIN_UIDS}))
PSEUDONYMS: Final = Pseudonyms(key=bytes(range(32)), domain="p")
PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"


def nested(levels: int) -> Dataset:
    original, deepest = photograph(), Dataset()
    deepest.PatientComments = "deep"
    for _ in range(levels):
        outer = Dataset()
        outer.ContentSequence = [deepest]
        deepest = outer
    original.update(deepest)
    return original


def of_another_vr(keyword: str, vr: str, value: object) -> Dataset:
    original = photograph()
    original[keyword] = DataElement(Tag(keyword), vr, value)
    return original


def with_element(element: DataElement) -> Dataset:
    original = photograph()
    original.add(element)
    return original


def in_an_item(element: DataElement) -> Dataset:
    original = photograph()
    original.AnatomicRegionSequence[0].add(element)
    return original


REFUSED: dict[str, tuple[Callable[[], Dataset], str]] = {
    "nested 100 deep": (lambda: nested(100), "nest"),
    "nested just too deep": (lambda: nested(17), "nest"),
    "wrong VR": (lambda: of_another_vr("PatientComments", "OB", b"Doe^Jane"), "PatientComments"),
    "wrong VR of a date": (lambda: of_another_vr("StudyDate", "LO", "1980 June"), "StudyDate"),
    "wrong VR in an item": (
        lambda: in_an_item(DataElement(Tag("StudyDescription"), "OB", b"Doe^Jane")),
        "StudyDescription",
    ),
    "private without creator": (
        lambda: with_element(DataElement(0x00991001, "LO", "Doe^Jane")),
        "private creator",
    ),
    "private without creator in an item": (lambda: in_an_item(DataElement(0x00991001, "LO", "x")), "private creator"),
    "the patient's number in a UID": (lambda: photograph(StudyInstanceUID="1.2.3.4711.9", PatientID="4711"), "UID"),
    "the birth date in a UID": (lambda: photograph(SeriesInstanceUID="1.2.19800615.3"), "UID"),
    "a UID of nobody's class": (lambda: photograph(SOPClassUID="1.2.840.10008.5.1.4.1.1.19800615"), "SOPClassUID"),
    "a document": (lambda: photograph(SOPClassUID=PDF), "consent forms"),
    "a document in a photograph": (lambda: photograph(EncapsulatedDocument=b"%PDF"), "consent forms"),
    "no picture": (lambda: photograph(PixelData=None), "no pixel data"),
    "two pictures": (lambda: photograph(FloatPixelData=b"\0\0\0\0"), "no pixel data"),
    "a link to the picture": (lambda: photograph(PixelDataProviderURL="http://example.org/jane"), "no pixel data"),
    "no SOP Instance UID": (lambda: photograph(SOPInstanceUID=""), "SOP Instance UID"),
    "two studies": (lambda: photograph(StudyInstanceUID=["2.25.1", "2.25.2"]), "one study"),
    "of nobody, in no study": (lambda: photograph(PatientID="", StudyInstanceUID=""), "no patient and of no study"),
    "another modality than the class": (lambda: photograph(Modality="CT"), "Modality"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_object_that_can_t_be_judged_is_refused_with_the_reason(name: str) -> None:
    make, reason = REFUSED[name]
    original = make()
    with pytest.raises(DeidentificationError, match=reason) as caught:
        deidentify(encoded(original), PROFILE, PSEUDONYMS)
    assert not [word for word in ("Doe", "Jane", "4711", "19800615") if word in str(caught.value)]


def test_sixteen_levels_are_copied() -> None:
    copy = dcmread(BytesIO(deidentify(encoded(nested(16)), PROFILE, PSEUDONYMS).content))
    assert "deep" not in str(copy)


@pytest.mark.parametrize("cut", [4, 20, 44])
def test_an_object_that_ends_within_a_sequence_is_refused(cut: int) -> None:
    content = encoded(photograph())
    end = content.index(b"\x08\x00\x18\x22SQ") + 12 + cut
    with pytest.raises(DeidentificationError):
        deidentify(content[:end], PROFILE, PSEUDONYMS)


def test_a_sequence_that_says_it_is_longer_than_it_is_is_refused() -> None:
    content = encoded(photograph())
    at = content.index(b"\x08\x00\x18\x22SQ") + 8
    longer = (int.from_bytes(content[at : at + 4], "little") + 7).to_bytes(4, "little")
    with pytest.raises(DeidentificationError):
        deidentify(content[:at] + longer + content[at + 4 :], PROFILE, PSEUDONYMS)


def test_a_region_outside_the_picture_is_refused() -> None:
    with pytest.raises(DeidentificationError):
        deidentify(encoded(photograph()), PROFILE, PSEUDONYMS, regions=[Region.rectangle(5000, 5000, 10, 10)])


def deflated(body: bytes) -> bytes:
    """Return an object of which the data set is deflated, and is this."""
    made = photograph()
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.PixelData, made["PixelData"].is_undefined_length = b"\0\0", False
    content = encoded(made)
    meta = dcmread(BytesIO(content)).file_meta.FileMetaInformationGroupLength
    return content[: 132 + 12 + meta] + body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"\xff" * 40, "can't be decoded", id="not deflated at all"),
        pytest.param(zlib.compress(bytes(LARGEST_INFLATED + 1), wbits=-15), "more than any", id="a bomb"),
    ],
)
def test_a_deflated_object_that_can_t_be_inflated_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(DeidentificationError, match=reason):
        deidentify(deflated(body), PROFILE, PSEUDONYMS)


def test_blanks_about_a_patient_s_number_make_nobody_else_of_them() -> None:
    numbers = {
        dcmread(BytesIO(deidentify(encoded(photograph(PatientID=each)), PROFILE, PSEUDONYMS).content)).PatientID
        for each in ("HOSP-99123", " HOSP-99123", "HOSP-99123 ")
    }
    assert len(numbers) == 1
