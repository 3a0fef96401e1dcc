"""``dicomwrap worklist`` against dcmtk's wlmscpfs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from demo.peers import HOST
from dicomwrap.cli.worklists import worklist
from dicomwrap.worklist import WorklistItem, read_item
from tests.integration.stock import dcmtk


def entry(number: int, **changes: str) -> Dataset:
    """Return a worklist entry with everything that an encounter has."""
    step = Dataset()
    step.ScheduledStationAETitle, step.Modality = "DICOMWRAP", "XC"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = f"2026112{number}", "093000"
    step.ScheduledPerformingPhysicianName = "Lee^Ann"
    step.ScheduledProcedureStepDescription, step.ScheduledProcedureStepID = "Skin photographs", f"S{number}"
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "HOSPITAL"
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 100"
    found.AccessionNumber, found.PatientID, found.IssuerOfPatientID = f"A{number}", f"P{number}", "HOSPITAL"
    found.PatientName, found.PatientBirthDate, found.PatientSex = "Garc\xeda^Ana", "19800615", "F"
    found.StudyInstanceUID, found.ReferringPhysicianName = f"2.25.{number}", "Roe^Max"
    found.InstitutionName, found.InstitutionalDepartmentName = "Cl\xednica", "Dermatology"
    found.AdmissionID, found.IssuerOfAdmissionIDSequence = f"V{number}", [issuer]
    found.RequestedProcedureID, found.RequestedProcedureDescription = f"R{number}", "Photographs"
    found.ReasonForTheRequestedProcedure = "Mole"
    found.ScheduledProcedureStepSequence = [step]
    for keyword, value in changes.items():
        setattr(found, keyword, value)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
    found.file_meta.MediaStorageSOPInstanceUID = f"2.25.9{number}"
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("worklist")
    (folder / "RIS").mkdir()
    (folder / "RIS" / "lockfile").touch()
    for number in range(1, 4):
        entry(number).save_as(folder / "RIS" / f"{number}.wl", enforce_file_format=True)
    with dcmtk("wlmscpfs", folder, ["--keep-char-set"]) as port:
        yield f"RIS@{HOST}:{port}"


def found(server: str, *options: object) -> list[dict[str, str]]:
    result = CliRunner().invoke(worklist, ["--from", server, "--json", *map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    items: list[dict[str, str]] = json.loads(result.stdout)["items"]
    return items


def test_an_item_has_all_that_the_entry_says(server: str, tmp_path: Path) -> None:
    found(server, "--patient-id", "P2", "--out", tmp_path / "item.json")
    item = read_item((tmp_path / "item.json").read_text(encoding="utf-8"))
    # wlmscpfs doesn't know who issued an encounter's number; departments only since dcmtk 3.6.8.
    assert item.department in ("", "Dermatology")
    assert replace(item, department="") == WorklistItem(
        patient_id="P2", issuer="HOSPITAL", patient_name="Garc\xeda^Ana", birth_date="1980-06-15", sex="F",
        accession="A2", study_uid="2.25.2", admission_id="V2", institution="Cl\xednica", requested_procedure_id="R2",
        requested_procedure="Photographs", scheduled_step_id="S2", scheduled_step="Skin photographs",
        scheduled_at="2026-11-22T09:30:00", station_aet="DICOMWRAP", referring_physician="Roe^Max", reason="Mole",
        operator="Lee^Ann",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "patients"),
    [
        ((), ["P1", "P2", "P3"]),
        (("--date", "2026-11-23"), ["P3"]),
        (("--date", "2026-01-01"), []),
        (("--modality", "XC"), ["P1", "P2", "P3"]),
        (("--modality", "CT"), []),
        (("--station-aet", "DICOMWRAP"), ["P1", "P2", "P3"]),
        (("--station-aet", "OTHER"), []),
        (("--accession", "A1"), ["P1"]),
        (("--admission-id", "V3"), ["P3"]),
        (("--admission-id", "V9"), []),
        (("--department", "Dermatology"), ["P1", "P2", "P3"]),
        (("--institution", "Cl\xednica"), ["P1", "P2", "P3"]),
        (("--pick", "2"), ["P2"]),
    ],
    ids=str,
)
def test_each_key_narrows_the_list(server: str, options: tuple[str, ...], patients: list[str]) -> None:
    assert [each["patient_id"] for each in found(server, *options)] == patients


def test_a_worklist_of_another_name_is_rejected(server: str) -> None:
    other = server.replace("RIS", "OTHER")
    result = CliRunner().invoke(worklist, ["--from", other], catch_exceptions=False)
    assert result.exit_code == 1
    assert "rejects the association" in result.output
