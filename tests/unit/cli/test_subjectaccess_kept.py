"""What else is in a patient's own copy, and how it is kept from others: signed forms, and a passphrase."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from orthanc_plugin.lifecycle.ownfolder import own_folder
from tests.fakes.pictures import encoded, photograph
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_subjectaccess import asked, checked, copied, request_of, world
from tests.unit.dicomwrap.calls import PDF

__all__ = ("asked", "world")  # fixtures
FORM = "2.25.32"


def test_a_signed_form_that_the_archive_has_is_given_once_it_was_looked_at_too(asked: Shell, tmp_path: Path) -> None:
    form = photograph(uid=FORM)
    form.SOPClassUID = form.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    del form.PixelData
    form.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    form.MIMETypeOfEncapsulatedDocument, form.EncapsulatedDocument = "application/pdf", PDF + bytes(len(PDF) % 2)
    form.EncapsulatedDocumentLength = len(PDF)
    checked(asked)
    asked.world.receive(encoded(form))
    assert "have not been looked at" in asked.fails(
        "subject-access", "copy", request_of(asked), "--out", tmp_path / "own", "--by", "records"
    )
    checked(asked)
    with copied(asked) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    (name,) = (each for each in made.names if each.startswith("forms/"))
    assert (tmp_path / "own" / name).read_bytes()[: len(PDF)] == PDF
    assert FORM in {row["sop_instance_uid"] for row in asked.world.disclosures()}


@pytest.mark.parametrize(
    "where",
    [(), ("--out", "a", "--zip", "b"), ("--out", "a", "--passphrase-file", "c")],
    ids=["nowhere", "twice", "a passphrase for a folder"],
)
def test_a_copy_has_one_place_and_a_passphrase_is_for_an_encrypted_one(where: tuple[str, ...], asked: Shell) -> None:
    checked(asked)
    said = asked.fails("subject-access", "copy", request_of(asked), *where, "--by", "records", code=2)
    assert "--out or --zip" in said


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"], ids=["empty", "short", "no text"])
def test_a_passphrase_that_can_t_be_used_makes_nothing(content: bytes, asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    phrase, out = tmp_path / "phrase", tmp_path / "own.zip"
    phrase.write_bytes(content)
    to = ("--zip", out, "--passphrase-file", phrase, "--by", "records")
    assert "passphrase" in asked.fails("subject-access", "copy", request_of(asked), *to)
    assert not out.exists()
