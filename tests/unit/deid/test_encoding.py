"""A copy's header is encoded as pydicom encodes it, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage

from orthanc_plugin.deid.encoding import with_head
from tests.fakes.pictures import encoded, photograph

UID = "2.25.95138472913847561238475612384756"


def copy(**elements: object) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(str(elements.get("SOPInstanceUID", UID)))
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.file_meta.ImplementationClassUID = pydicom.uid.UID("2.25.1")
    made.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def by_pydicom(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def item(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def added(representation: str, value: object) -> Dataset:
    made = copy()
    made.add_new(0x00091001, representation, value)
    made.add_new(0x00090010, "LO", "ACME 1.0")
    return made


def of_undefined_length() -> Dataset:
    made = copy(ReferencedImageSequence=[item(ReferencedSOPInstanceUID=UID)])
    made["ReferencedImageSequence"].is_undefined_length = True
    made.ReferencedImageSequence[0].is_undefined_length_sequence_item = True
    return made


def read_back() -> Dataset:
    made = pydicom.dcmread(BytesIO(encoded(photograph())))
    del made.PixelData
    return made


MADE: dict[str, Callable[[], Dataset]] = {
    "next to nothing": copy,
    "words": lambda: copy(Modality="XC", ImageType=["ORIGINAL", "PRIMARY"], StudyDate="20251122"),
    "odd and even": lambda: copy(StationName="a", StudyID="ab", SOPInstanceUID="1.2", StudyInstanceUID="1.23"),
    "letters": lambda: copy(StudyDescription="Zoë Ångström 手", PatientName="Müller^Jürgen=山田^太郎"),
    "several": lambda: copy(OtherPatientIDs=["a", "bé", ""], SoftwareVersions=["1", "2.0"]),
    "empty": lambda: copy(PatientID="", PatientBirthDate="", StudyTime=None, ReferencedImageSequence=[], Rows=None),
    "numbers": lambda: copy(
        Rows=48, Columns=[64], PixelSpacing=["0.10", "1e-3"], SeriesNumber="007", WindowCenter=[1.5, 2],
        FrameTime=33.33, FrameIncrementPointer=0x00181063, RecommendedDisplayFrameRate=25, ExposureTime=3,
    ),
    "floats": lambda: added("FD", [0.1, -2.5]),
    "long": lambda: added("SL", -3),
    "short": lambda: added("SS", [-3, 4]),
    "bytes": lambda: added("OB", b"odd"),
    "bytes of nobody": lambda: added("UN", b"even"),
    "tags": lambda: added("AT", [0x00100010, 0x00100020]),
    "an address": lambda: added("UR", "https://example.org/a"),
    "many characters": lambda: added("UC", ["a", "é"]),
    "a long text": lambda: added("UT", "é" * 40_000),
    "items": lambda: copy(ReferencedImageSequence=[item(ReferencedSOPInstanceUID=UID), item()]),
    "items of items": lambda: copy(
        ContentSequence=[item(ContentSequence=[item(TextValue="é"), item(NumericValue=["1.5"])], ValueType="TEXT")]
    ),
    "items of undefined length": of_undefined_length,
    "items with characters of their own": lambda: copy(
        ContentSequence=[item(SpecificCharacterSet="ISO_IR 100", TextValue="é")]
    ),
    "a photograph as it was read": read_back,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_header_is_encoded_as_pydicom_does(made: Callable[[], Dataset]) -> None:
    assert with_head(made()) == by_pydicom(made())


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_value_that_is_too_long_for_its_kind_is_left_to_pydicom() -> None:
    made = added("LO", "x" * 70_000)
    assert with_head(made) == by_pydicom(made)


def test_other_characters_are_left_to_pydicom() -> None:
    made = copy(StudyDescription="Zoë")
    made.SpecificCharacterSet = "ISO_IR 100"
    assert with_head(made) == by_pydicom(made)
    assert b"Zo\xeb" in with_head(made)
