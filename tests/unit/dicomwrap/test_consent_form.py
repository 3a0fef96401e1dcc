"""The signed consent form, kept as it was signed in the study of the photographs that it permits."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.conformance import shortcomings
from dicomwrap.consenttags import SealState, read_stamp, seal_state
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PATIENT, PDF, left_behind, objects, put, run, run_json, statuses
from tests.unit.dicomwrap.objects import CONSENT
from tests.unit.dicomwrap.validators import complaints, dumped, is_part_10

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.104.1"
FORMS = {
    "even": PDF if len(PDF) % 2 == 0 else PDF + b"\n",
    "odd": PDF if len(PDF) % 2 else PDF + b"\n",
    "large": PDF[:9] + bytes(range(256)) * 2000 + PDF[9:],
}


def wrapped(tmp_path: Path, form: bytes = PDF, *said: str) -> list[Dataset]:
    """Return two photographs' objects and the form's."""
    names = [put(tmp_path / "in" / name, photos.camera_photo()) for name in ("a.jpg", "b.jpg")]
    pdf = put(tmp_path / "in" / "form.pdf", form)
    code, rows = run_json(*names, "--out", tmp_path / "out", "--consent-form", pdf, *PATIENT, *said)
    assert (code, statuses(rows)) == (0, ["wrapped"] * 3), rows
    return objects(rows)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_form_is_kept_byte_for_byte(form: bytes, tmp_path: Path) -> None:
    kept = wrapped(tmp_path, form)[-1]
    assert kept.EncapsulatedDocumentLength == len(form)
    assert kept.EncapsulatedDocument[: len(form)] == form
    assert kept.EncapsulatedDocument[len(form) :] == bytes(len(form) % 2)


def test_the_form_is_a_document_of_the_same_patient_and_study(tmp_path: Path) -> None:
    first, second, form = wrapped(tmp_path)
    assert (form.SOPClassUID, form.Modality, form.MIMETypeOfEncapsulatedDocument) == (
        SOP_CLASS_UID,
        "DOC",
        "application/pdf",
    )
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID"):
        assert len({str(each[keyword].value) for each in (first, second, form)}) == 1, keyword
    assert form.SeriesInstanceUID not in (first.SeriesInstanceUID, second.SeriesInstanceUID)
    assert form.ConceptNameCodeSequence[0].CodeMeaning == "Consent Document"
    assert (form.BurnedInAnnotation, form.DocumentTitle) == ("YES", "Consent form")


def test_every_photograph_points_at_the_form(tmp_path: Path) -> None:
    *photographs, form = wrapped(tmp_path)
    for each in photographs:
        (reference,) = each.ReferencedInstanceSequence
        assert reference.ReferencedSOPClassUID == form.SOPClassUID
        assert reference.ReferencedSOPInstanceUID == form.SOPInstanceUID
        assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "59284-0"


def test_validators_agree_with_the_form_and_with_what_points_at_it(tmp_path: Path) -> None:
    wrapped(tmp_path)
    for path in sorted((tmp_path / "out").iterdir()):
        assert complaints(path) == [], path.name
        assert is_part_10(path)
        assert shortcomings(path.read_bytes()) == ()
    assert "EncapsulatedPDFStorage" in dumped(tmp_path / "out" / "consent-form.dcm")


def test_the_form_has_a_name_of_its_own(tmp_path: Path) -> None:
    wrapped(tmp_path)
    assert left_behind(tmp_path / "out") == ["a.dcm", "b.dcm", "consent-form.dcm"]


def test_a_photograph_of_that_name_does_not_take_its_place(tmp_path: Path) -> None:
    photo = put(tmp_path / "consent-form.jpg", photos.camera_photo())
    pdf = put(tmp_path / "form.pdf", PDF)
    assert run(photo, "--out", tmp_path / "out", "--consent-form", pdf, *PATIENT).exit_code == 0
    assert left_behind(tmp_path / "out") == ["consent-form-2.dcm", "consent-form.dcm"]
    assert dcmread(tmp_path / "out" / "consent-form-2.dcm").SOPClassUID == SOP_CLASS_UID


def test_beside_one_object_s_file_the_form_lies_under_its_name(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", photos.camera_photo())
    pdf = put(tmp_path / "form.pdf", PDF)
    assert run(photo, "--out", tmp_path / "out" / "x.dcm", "--consent-form", pdf, *PATIENT).exit_code == 0
    assert left_behind(tmp_path / "out") == ["x-consent-form.dcm", "x.dcm"]


def test_a_form_without_a_photograph_is_not_filed(tmp_path: Path) -> None:
    pdf = put(tmp_path / "form.pdf", PDF)
    result = run(tmp_path / "missing.jpg", "--out", tmp_path / "out", "--consent-form", pdf, *PATIENT)
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_form_that_cannot_be_put_in_its_place_is_told(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", photos.camera_photo())
    pdf = put(tmp_path / "form.pdf", PDF)
    precious = put(tmp_path / "out" / "consent-form.dcm", b"precious")
    code, rows = run_json(photo, "--out", tmp_path / "out", "--consent-form", pdf, *PATIENT)
    assert (code, statuses(rows)) == (1, ["wrapped", "refused"])
    assert precious.read_bytes() == b"precious"


def test_the_form_says_the_same_of_its_consent_as_the_photographs(tmp_path: Path) -> None:
    consent = put(tmp_path / "c.json", CONSENT)
    key = put(tmp_path / "key", b"0123456789abcdef")
    made = wrapped(tmp_path, PDF, "--consent", str(consent), "--issuer", "HOSP", "--stamp-key", str(key))
    assert len({read_stamp(each) for each in made}) == 1
    assert {seal_state(each, b"0123456789abcdef") for each in made} == {SealState.HOLDS}
