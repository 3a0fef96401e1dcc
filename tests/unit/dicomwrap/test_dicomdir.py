"""DICOMDIRs, read again by pydicom's own file-sets and by dcmtk, which made none of them."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.fileset import FileSet

from dicomwrap.dicomdir import Directory, kind
from dicomwrap.iod.keyobject import Code, Uids
from tests.fakes.pictures import encoded, photograph
from tests.unit.dicomwrap.keyobjects import built

MODIFIER = Code(value="113011", scheme="DCM", meaning="Document Title Modifier")


def other(**elements: object) -> bytes:
    """Return a photograph of another series; None takes an element away."""
    said = photograph(uid="2.25.41", SeriesInstanceUID="2.25.42", StudyInstanceUID="2.25.43")
    for keyword, value in elements.items():
        if value is None:
            said.pop(keyword, None)
        else:
            setattr(said, keyword, value)
    return encoded(said)


def document() -> bytes:
    said = dcmread(BytesIO(other()))
    said.SOPClassUID = said.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    said.SOPInstanceUID = said.file_meta.MediaStorageSOPInstanceUID = "2.25.44"
    said.MIMETypeOfEncapsulatedDocument, said.DocumentTitle = "application/pdf", "Consent"
    file = BytesIO()
    dcmwrite(file, said)
    return file.getvalue()


MEDIA = {
    "nothing": [],
    "one picture": [encoded(photograph())],
    "two of a series": [encoded(photograph()), encoded(photograph(uid="2.25.4"))],
    "two studies": [encoded(photograph()), other()],
    "two patients": [
        encoded(photograph()),
        other(PatientID="P2", PatientName="Roe^Rich"),
        encoded(photograph(uid="2.9")),
    ],
    "two patients without a number": [other(PatientID=None), encoded(photograph(PatientID=""))],
    "little is said": [other(StudyDate=None, StudyTime="", StudyID=None, SeriesNumber=None, InstanceNumber=None)],
    "a name in other letters": [other(PatientName="Яна", SpecificCharacterSet="ISO_IR 144")],
    "a key object": [encoded(photograph()), built(), built(modifiers=[MODIFIER], uids=Uids.derived("another"))],
    "a document": [document(), encoded(photograph())],
}


def put(folder: Path, objects: list[bytes]) -> Path:
    """Put a medium into a folder; return its DICOMDIR."""
    directory = Directory("2.25.99")
    for content in objects:
        file = folder / directory.add(content)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    (folder / "DICOMDIR").write_bytes(directory.content())
    return folder / "DICOMDIR"


def done(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [f"/usr/bin/{program}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)


@pytest.mark.parametrize("what", MEDIA)
def test_pydicom_finds_every_object_through_the_directory(what: str, tmp_path: Path) -> None:
    made = FileSet(put(tmp_path, MEDIA[what]))
    held = {dcmread(BytesIO(content)).SOPInstanceUID: content for content in MEDIA[what]}
    assert {each.SOPInstanceUID: Path(each.path).read_bytes() for each in made} == held
    for each in made:
        said = dcmread(BytesIO(held[each.SOPInstanceUID]))
        assert (each.SOPClassUID, each.TransferSyntaxUID) == (said.SOPClassUID, said.file_meta.TransferSyntaxUID)
        assert (each.StudyInstanceUID, each.SeriesInstanceUID) == (said.StudyInstanceUID, said.SeriesInstanceUID)
        assert each.PatientName == said.PatientName


# dcmtk makes up another number for whom none is known, so it would not find our record of them.
@pytest.mark.parametrize("what", [each for each in MEDIA if each not in ("nothing", "two patients without a number")])
def test_dcmtk_takes_the_directory_and_adds_to_it(what: str, tmp_path: Path) -> None:
    path = put(tmp_path, MEDIA[what])
    files = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.glob("IMAGES/*"))
    dumped = done("dcmdump", str(path), folder=tmp_path)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    updated = done("dcmmkdir", "--update", "--invent", "--general-dvd-jpeg", *files, folder=tmp_path)
    assert (updated.returncode, "E:" in updated.stderr) == (0, False), updated.stderr
    assert len(FileSet(path)) == len(files)  # dcmtk has found its own records of the same files in ours


def test_patients_studies_and_series_are_each_told_once(tmp_path: Path) -> None:
    records = dcmread(put(tmp_path, MEDIA["two patients"])).DirectoryRecordSequence
    said = [record.DirectoryRecordType for record in records]
    assert said == ["PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "PATIENT", "STUDY", "SERIES", "IMAGE"]


def test_two_of_whom_no_number_is_known_are_not_one_patient(tmp_path: Path) -> None:
    made = FileSet(put(tmp_path, MEDIA["two patients without a number"]))
    assert len({each.PatientID for each in made}) == 2


def test_the_names_of_files_are_as_media_want_them_and_tell_nothing() -> None:
    directory = Directory("2.25.99")
    names = [directory.add(content) for content in MEDIA["two patients"]]
    assert names == ["IMAGES/IM000001", "IMAGES/IM000002", "IMAGES/IM000003"]


def test_a_key_object_s_record_has_its_title_and_what_modifies_it_but_not_what_it_lists(tmp_path: Path) -> None:
    records = dcmread(put(tmp_path, MEDIA["a key object"])).DirectoryRecordSequence
    plain, modified = [each for each in records if each.DirectoryRecordType == "KEY OBJECT DOC"]
    assert plain.ConceptNameCodeSequence[0].CodeValue == "128710"
    assert "ContentSequence" not in plain
    assert [each.RelationshipType for each in modified.ContentSequence] == ["HAS CONCEPT MOD"]


@pytest.mark.parametrize(
    ("sop_class", "record_type"),
    [
        ("1.2.840.10008.5.1.4.1.1.77.1.4", "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "ENCAP DOC"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "KEY OBJECT DOC"),
    ],
)
def test_each_kind_of_object_has_its_kind_of_record(sop_class: str, record_type: str) -> None:
    said = Dataset()
    said.SOPClassUID = sop_class
    assert kind(said) == record_type


def test_two_people_of_one_number_by_two_issuers_are_two_patients() -> None:
    directory = Directory("2.25.99")
    for issuer, name in (("HOSP", "Doe^Jane"), ("OTHER", "Roe^Rich")):
        directory.add(other(PatientID="P1", IssuerOfPatientID=issuer, PatientName=name))
    records = dcmread(BytesIO(directory.content())).DirectoryRecordSequence
    assert [str(each.PatientName) for each in records if each.DirectoryRecordType == "PATIENT"] == [
        "Doe^Jane",
        "Roe^Rich",
    ]
