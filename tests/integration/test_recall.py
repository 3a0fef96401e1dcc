"""A withdrawal that travels: deleted at an Orthanc of ours, rejected by a note at another archive, and nothing said
about an anonymised copy that it didn't say itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    KeyObjectSelectionDocumentStorage,
    VLPhotographicImageStorage,
)
from pynetdicom import AE, evt

from demo.peers import HOST
from tests.integration.couriers import Trial, filed, trial, verified
from tests.integration.needles import found, needles_of
from tests.integration.stock import PASSWORD, USER, Stock, orthanc
from tests.unit.dicomwrap.sendable import photographic

BRANCH = """
[[recipients]]
name = "branch"
kind = "peer"
url = "{url}"
account = "{user}"
password_file = "{password}"
owner = "records officer of the branch"
recall = "delete"
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[routes]]
name = "branch"
recipient = "branch"
purpose = "DIRECT_CARE"
owner = "dermatology department"

[[routes]]
name = "teaching"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "medical school"
"""
OURS, SCHOOL = ("branch", "branch", "DIRECT_CARE"), ("teaching", "teaching-archive", "TEACHING")


@contextmanager
def school(port: int) -> Iterator[list[bytes]]:
    """Have an archive that knows key objects listen as the teaching archive; give the files that it is sent."""
    received: list[bytes] = []

    def store(event: evt.Event) -> int:
        received.append(event.encoded_dataset())
        return 0x0000

    entity = AE(ae_title="TEACHING")
    entity.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])
    entity.add_supported_context(KeyObjectSelectionDocumentStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    server = entity.start_server((HOST, port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield received
    finally:
        server.shutdown()


def does(ward: Trial, *arguments: str) -> list[dict[str, object]]:
    done = ward.archive.server.consentgate(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said if isinstance(said, list) else [said]


def strange(stock: Stock, folder: Path) -> str:
    """File something at the branch that it doesn't have from us; return its UID."""
    file = photographic(folder / "strange.dcm", "2.25.190")
    push = ["/usr/bin/storescu", "-xy", "-aec", "ARCHIVE", HOST, str(stock.node.port), str(file)]
    subprocess.run(push, check=True, capture_output=True, timeout=60)
    return "2.25.190"


def listed(note: pydicom.Dataset) -> set[str]:
    (evidence,) = note.CurrentRequestedProcedureEvidenceSequence
    every = (each for series in evidence.ReferencedSeriesSequence for each in series.ReferencedSOPSequence)
    return {str(each.ReferencedSOPInstanceUID) for each in every}


def test_a_withdrawal_is_heard_wherever_copies_went(tmp_path: Path) -> None:
    for name in ("branch", "ours"):
        (tmp_path / name).mkdir()
    password = tmp_path / "branch.password"
    password.write_text(PASSWORD)
    with (
        orthanc(tmp_path / "branch") as stock,
        trial(tmp_path / "ours", 0, BRANCH.format(url=stock.url, user=USER, password=password)) as ward,
        school(ward.archive.server.ports.teaching) as received,
    ):
        files = filed(ward.archive, "B", tmp_path, 2)
        theirs = strange(stock, tmp_path)
        for uid in files:
            does(ward, "review", "confirm", uid, "--nothing-identifying", "--by", "Reviewer One")
        ward.queue(tuple(files), OURS, SCHOOL, letter="B")
        ward.once()
        assert set(stock.instances()) == {theirs, *files}
        assert len(received) == 2
        copies = [pydicom.dcmread(BytesIO(content)) for content in received]

        does(ward, "consent", "withdraw", ward.archive.wrapped("B").person.consent, "--by", "clinic")
        ward.once()

        assert stock.instances() == [theirs]
        assert len(received) == 3
        note = pydicom.dcmread(BytesIO(received[2]))
        assert (note.Modality, note.ConceptNameCodeSequence[0].CodeValue) == ("KO", "113037")
        assert listed(note) == {str(each.SOPInstanceUID) for each in copies}
        assert (note.StudyInstanceUID, note.PatientID) == (copies[0].StudyInstanceUID, copies[0].PatientID)
        assert [found(received[2], needles_of(file)) for file in files.values()] == [[], []]
        assert {row["recipient"]: row["state"] for row in does(ward, "recall", "list")} == {
            "branch": "ACKNOWLEDGED",
            "teaching-archive": "NOTIFIED",
        }
        assert {row["recipient"]: row["recall"] for row in does(ward, "disclosure", "list")} == {
            "branch": "CONFIRMED",
            "teaching-archive": "OPEN",
        }
        assert verified(ward.archive)
