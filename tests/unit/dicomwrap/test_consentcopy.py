"""The copy that says what it was released for: the same pixels, an object of its own, and no program complains."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.consentblock import CREATOR, RECIPIENT
from dicomwrap.consentcopy import stamped_copy
from dicomwrap.consentstamp import ConsentStamp, stamp_of
from dicomwrap.consenttags import SealState, read_stamp, seal_state
from dicomwrap.errors import DamagedPhotographError
from dicomwrap.judging.findings import Severity
from dicomwrap.pictures import pictures
from dicomwrap.terms import Purpose
from dicomwrap.verify import verify
from tests.fakes.pictures import ct, encoded, photograph, photograph_bytes
from tests.unit.dicomwrap.objects import consent
from tests.unit.dicomwrap.validators import complaints, dumped, is_part_10

TAG = replace(stamp_of(consent(), Purpose.TEACHING), release_purpose="TRAIN", recipient="teaching-archive")


def read(content: bytes) -> Dataset:
    return dcmread(BytesIO(content))


def test_the_copy_has_the_same_pixels_and_is_an_object_of_its_own() -> None:
    original, copy = read(photograph_bytes()), read(stamped_copy(photograph_bytes(), TAG).content)
    assert copy.get_item("PixelData").value == original.get_item("PixelData").value
    assert [each.data for each in pictures(copy)] == [each.data for each in pictures(original)]
    assert copy.SOPInstanceUID == copy.file_meta.MediaStorageSOPInstanceUID != original.SOPInstanceUID
    assert copy.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    (source,) = copy.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == original.SOPInstanceUID
    changed = {element.tag for element in copy} ^ {element.tag for element in original}
    assert {f"{tag:08X}" for tag in changed} == {"00082112", "00771018", "00771019", "00771040"}


def test_the_copy_says_for_what_to_whom_and_under_which_consent() -> None:
    known, found = read_stamp(read(photograph_bytes())), read_stamp(read(stamped_copy(photograph_bytes(), TAG).content))
    assert known is not None
    assert found == replace(TAG, capture_purpose=known.capture_purpose, confidentiality=known.confidentiality)
    assert seal_state(read(stamped_copy(photograph_bytes(), TAG).content)) is SealState.MISSING


def test_the_same_release_gives_the_same_copy_and_another_recipient_another() -> None:
    one = stamped_copy(photograph_bytes(), TAG)
    assert one == stamped_copy(photograph_bytes(), TAG)
    others = (
        replace(TAG, recipient="journal"),
        replace(TAG, release_purpose="HRESCH"),
        replace(TAG, record_version="2"),
        ConsentStamp(),
    )
    uids = {stamped_copy(photograph_bytes(), each).sop_instance_uid for each in others}
    assert len(uids | {one.sop_instance_uid}) == 5


@pytest.mark.parametrize("stamp", [TAG, replace(TAG, record_id="", record_version="")])
def test_programs_of_others_have_nothing_to_say_of_it(stamp: ConsentStamp, tmp_path: Path) -> None:
    path = tmp_path / "copy.dcm"
    path.write_bytes(stamped_copy(photograph_bytes(), stamp).content)
    original = tmp_path / "original.dcm"
    original.write_bytes(photograph_bytes())
    assert is_part_10(path)
    assert dumped(path)
    assert complaints(path) == complaints(original)
    assert [each for each in verify(path.read_bytes()) if each.severity is Severity.ERROR] == []


def block(group: int, at: int, recipient: str, dataset: Dataset | None = None) -> Dataset:
    """Put a consent block that names a recipient into an object."""
    made = Dataset() if dataset is None else dataset
    made.add_new((group, at), "LO", CREATOR)
    made.add_new((group, at << 8 | RECIPIENT.offset), RECIPIENT.vr, recipient)
    return made


def test_nobody_is_told_who_had_an_earlier_copy_wherever_it_is_written() -> None:
    original = photograph(ReferencedStudySequence=[block(0x0077, 0x10, "in-an-item")])
    block(0x0077, 0x40, "second-block", block(0x0079, 0x10, "other-group", original))
    original.DataSetTrailingPadding = b"at-the-end"
    made = stamped_copy(encoded(original), TAG)
    found = [word for word in (b"in-an-item", b"second-block", b"other-group", b"at-the-end") if word in made.content]
    assert found == []
    stamp = read_stamp(read(made.content))
    assert stamp is not None
    assert stamp.recipient == "teaching-archive"


def test_an_object_without_a_stamp_of_its_own_gets_one() -> None:
    made = stamped_copy(encoded(ct(BitsAllocated=8, PixelData=b"\0\1\2\3")), TAG)
    found = read_stamp(read(made.content))
    assert found is not None
    assert (found.release_purpose, found.capture_purpose) == ("TRAIN", "")


def test_a_source_that_is_named_already_stays_named() -> None:
    first = Dataset()
    first.ReferencedSOPClassUID, first.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.77.1.4", "2.25.9"
    made = stamped_copy(encoded(photograph(SourceImageSequence=[first])), TAG)
    assert [str(each.ReferencedSOPInstanceUID) for each in read(made.content).SourceImageSequence] == [
        "2.25.9",
        "2.25.3",
    ]


@pytest.mark.parametrize("content", [b"", b"no object", photograph_bytes()[:200]], ids=["empty", "text", "cut off"])
def test_what_is_no_object_is_not_copied(content: bytes) -> None:
    with pytest.raises(DamagedPhotographError):
        stamped_copy(content, TAG)
