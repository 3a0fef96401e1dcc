"""The copy in which others are hidden: regions grey, the rest bit for bit, nothing left that shows who is hidden."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from dicomwrap.consentblock import CREATOR, GROUP
from dicomwrap.consenttags import SealState, read_stamp, seal_state
from orthanc_plugin.deid.hiding import without_others
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import UID, encoded, photograph
from tests.unit.deid.test_regions import KINDS, shown
from tests.unit.dicomwrap.objects import PATIENT

REGION = Region.rectangle(0, 0, 16, 16)
CANARY = b"CANARY-OF-ANOTHER-FACE"


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(content))


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "big endian"])
def test_whatever_can_be_blanked_is_blanked_and_the_rest_is_what_it_was(kind: str) -> None:
    before = KINDS[kind]()
    after = read(without_others(encoded(before), [REGION]).content)
    for was, now in zip(shown(read(encoded(before))), shown(after), strict=True):
        assert now.crop((0, 0, 15, 15)).getcolors() == [(225, (128, 128, 128))]
        assert now.crop((40, 40, *now.size)).tobytes() == was.crop((40, 40, *was.size)).tobytes()


def test_it_says_whose_picture_it_is_what_was_done_and_from_which_it_was_made() -> None:
    original = photograph()
    made = without_others(encoded(original), [REGION])
    said = read(made.content)
    assert (said.PatientID, str(said.PatientName)) == (PATIENT.id, str(original.PatientName))
    assert (said.StudyInstanceUID, said.SeriesInstanceUID) == (original.StudyInstanceUID, original.SeriesInstanceUID)
    assert made.sop_instance_uid == said.SOPInstanceUID == said.file_meta.MediaStorageSOPInstanceUID != UID
    assert list(said.ImageType)[:2] == ["DERIVED", "PRIMARY"]
    assert said.DerivationDescription == "1 region blanked; other people are hidden"
    (source,) = said.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == UID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert [each.CodeValue for each in said.DerivationCodeSequence] == ["113047"]
    assert read_stamp(said) == read_stamp(original)
    assert seal_state(said) is SealState.MISSING
    claims = ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence")
    assert not any(keyword in said for keyword in claims)
    assert without_others(encoded(original), [REGION]) == made
    assert without_others(encoded(original), [Region.rectangle(32, 32, 8, 8)]).sop_instance_uid != made.sop_instance_uid


def with_other_views() -> Dataset:
    """Return a photograph that shows itself elsewhere too."""
    dataset, icon, item = photograph(), Dataset(), Dataset()
    icon.Rows = icon.Columns = icon.BitsAllocated = 8
    icon.PixelData = CANARY
    dataset.IconImageSequence = [icon]
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.3", "1.2.4"
    item.add_new(0x00420011, "OB", CANARY)
    dataset.ReferencedImageSequence = [item]
    dataset.add_new(0x00910010, "LO", "CAMERA MAKER")
    dataset.add_new(0x00911001, "OB", CANARY)
    dataset.add_new(0x00911002, "LT", CANARY.decode())
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60003000, "OW", CANARY)
    dataset.add_new(0x50003000, "OW", CANARY)
    dataset.PixelDataProviderURL = f"https://elsewhere/{CANARY.decode()}"
    dataset.DataSetTrailingPadding = CANARY
    return dataset


def test_nothing_else_in_it_shows_the_picture_as_it_was() -> None:
    content = encoded(with_other_views())
    assert content.count(CANARY) == 8
    made = without_others(content, [REGION]).content
    assert CANARY not in made
    assert read(made).ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.4"


@pytest.mark.parametrize(("group", "element"), [(GROUP, 0x50), (0x0093, 0x01)], ids=["among ours", "in another group"])
@pytest.mark.parametrize("vr", ["OB", "UT"])
def test_nobody_keeps_the_picture_in_it_by_writing_our_name_over_it(group: int, element: int, vr: str) -> None:
    original = photograph()
    stamped = read_stamp(original)
    block = original.private_block(group, CREATOR, create=True)
    block.add_new(element, vr, CANARY if vr == "OB" else CANARY.decode())
    content = encoded(original)
    assert content.count(CANARY) == 1
    made = without_others(content, [REGION]).content
    assert CANARY not in made
    assert read_stamp(read(made)) == stamped is not None


def test_the_colours_are_drawn_as_before() -> None:
    original = photograph()
    original.ICCProfile = b"p" * 200
    assert read(without_others(encoded(original), [REGION]).content).ICCProfile == b"p" * 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no object", "no DICOM object"),
        (encoded(photograph(PixelData=None)), "no picture in which anybody"),
        (encoded(photograph(Rows=40)), "Header and stream"),
        (encoded(KINDS["big endian"]()), "transfer syntax"),
    ],
    ids=["no object", "no pixels", "another size", "a retired syntax"],
)
def test_what_can_t_be_blanked_makes_no_copy(content: bytes, words: str) -> None:
    with pytest.raises(DeidentificationError, match=words):
        without_others(content, [REGION])


def test_a_region_outside_the_picture_makes_no_copy() -> None:
    with pytest.raises(DeidentificationError, match="outside the picture"):
        without_others(encoded(photograph()), [Region.rectangle(10_000, 0, 8, 8)])


def test_another_program_opens_the_copy() -> None:
    dataset = read(without_others(encoded(photograph()), [REGION]).content)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    with Image.open(BytesIO(frame)) as picture:
        assert picture.size == (dataset.Columns, dataset.Rows)
        assert "exif" not in picture.info
