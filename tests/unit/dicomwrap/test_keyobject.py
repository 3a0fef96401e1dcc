from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomwrap import keyobjects
from dicomwrap.iod import keyobject
from dicomwrap.iod.keyobject import Code, Referenced, Study, Uids
from dicomwrap.keyobjects import MOST_MODIFIERS, KeyObjectError, read
from tests.unit.dicomwrap.keyobjects import STUDY, TEACHING, built, referenced
from tests.unit.dicomwrap.validators import complaints, dumped, is_part_10

FORM = "1.2.840.10008.5.1.4.1.1.104.1"
REASON = Code(value="111209", scheme="DCM", meaning="Image artifact(s) other")
THREE = (referenced(1), referenced(2, series="2.25.12"), referenced(3, kind=FORM))


def opened(content: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(content))


@pytest.mark.parametrize(
    ("title", "modifiers"),
    [
        (TEACHING, ()),
        (keyobject.PATIENT_SAFETY, ()),
        (keyobject.RETENTION_EXPIRED, ()),
        (keyobject.QUALITY, (REASON,)),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_others_have_nothing_to_complain_of_in_a_key_object(
    tmp_path: Path, title: Code, modifiers: tuple[Code, ...]
) -> None:
    path = tmp_path / "key.dcm"
    path.write_bytes(built(title, THREE, modifiers=modifiers, description="Für die Lehre"))
    assert complaints(path) == []
    assert is_part_10(path)
    assert "Für die Lehre" in dumped(path)


def test_what_was_built_is_read_again() -> None:
    found = read(opened(built(keyobject.QUALITY, THREE, modifiers=(REASON,), description="out of focus")))
    assert found.title == keyobject.QUALITY
    assert found.modifiers == (REASON,)
    assert set(found.references) == set(THREE)
    assert (found.study_instance_uid, found.partial) == (STUDY, frozenset())


def test_the_same_arguments_give_the_same_bytes_and_an_object_named_twice_is_listed_once() -> None:
    assert built(references=THREE) == built(references=tuple(reversed(THREE)) + THREE)
    assert Uids.derived("a", "b") == Uids.derived("a", "b") != Uids.derived("ab")


@pytest.mark.parametrize(
    ("references", "description"),
    [
        ((), ""),
        ((referenced(1, study="2.25.77"),), ""),
        ((referenced(1, series="series"),), ""),
        ((replace(referenced(), sop_instance_uid="1.2.03"),), ""),
        ((referenced(1),), "two\nlines"),
    ],
    ids=["nothing", "another-study", "no-series", "no-uid", "control-characters"],
)
def test_what_no_key_object_may_say_is_not_built(references: tuple[Referenced, ...], description: str) -> None:
    with pytest.raises(ValueError, match="key object"):
        built(references=references, description=description)


def test_of_a_study_that_little_is_known_of_a_key_object_can_be_built(tmp_path: Path) -> None:
    path = tmp_path / "key.dcm"
    path.write_bytes(built(study=Study(study_instance_uid=STUDY)))
    assert [line for line in complaints(path) if not line.startswith("Warning")] == []


def _without_title(dataset: Dataset) -> None:
    del dataset.ConceptNameCodeSequence


def _two_titles(dataset: Dataset) -> None:
    dataset.ConceptNameCodeSequence = Sequence([dataset.ConceptNameCodeSequence[0]] * 2)


def _title_without_code(dataset: Dataset) -> None:
    dataset.ConceptNameCodeSequence[0].CodeValue = ""


def _words_for_a_code(dataset: Dataset) -> None:
    dataset.ConceptNameCodeSequence[0].CodeValue = "Doe Jane"


def _without_content(dataset: Dataset) -> None:
    dataset.ContentSequence = Sequence()


def _without_evidence(dataset: Dataset) -> None:
    del dataset.CurrentRequestedProcedureEvidenceSequence


def _more_evidence(dataset: Dataset) -> None:
    named = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    other = Dataset()
    other.ReferencedSOPClassUID, other.ReferencedSOPInstanceUID = "1.2.3", "1.2.3.4"
    named.append(other)


def _twice_as_evidence(dataset: Dataset) -> None:
    named = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    named.append(named[0])


def _two_classes(dataset: Dataset) -> None:
    other = Dataset()
    other.ValueType = "IMAGE"
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.3"
    reference.ReferencedSOPInstanceUID = referenced().sop_instance_uid
    other.ReferencedSOPSequence = Sequence([reference])
    dataset.ContentSequence.append(other)


def _no_uid(dataset: Dataset) -> None:
    dataset.StudyInstanceUID = "study"


def _a_photograph(dataset: Dataset) -> None:
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"


def _text_for_a_sequence(dataset: Dataset) -> None:
    dataset._dict.pop(dataset["ContentSequence"].tag)
    dataset.add_new(0x0040A730, "LO", "CONTENT")


@pytest.mark.parametrize(
    "spoil",
    [
        _without_title,
        _two_titles,
        _title_without_code,
        _words_for_a_code,
        _without_content,
        _without_evidence,
        _more_evidence,
        _twice_as_evidence,
        _two_classes,
        _no_uid,
        _a_photograph,
        _text_for_a_sequence,
    ],
)
def test_a_key_object_that_can_t_be_followed_is_told_with_a_remedy(spoil: Callable[[Dataset], None]) -> None:
    dataset = opened(built())
    spoil(dataset)
    with pytest.raises(KeyObjectError) as told:
        read(dataset)
    assert told.value.remedy


def test_more_than_anybody_would_pick_by_hand_is_not_followed() -> None:
    listed = [referenced(number) for number in range(keyobjects.MOST_REFERENCES + 1)]
    with pytest.raises(KeyObjectError):
        read(opened(built(references=listed)))
    with pytest.raises(KeyObjectError):
        read(opened(built(modifiers=[REASON] * (MOST_MODIFIERS + 1))))


def test_what_is_listed_by_its_frames_is_known_to_be_meant_in_part() -> None:
    dataset = opened(built())
    dataset.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber = 3
    assert read(dataset).partial == {referenced().sop_instance_uid}
