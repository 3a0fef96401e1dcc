"""``consentgate disclosures``."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from fhir.resources.R4B.bundle import Bundle

from orthanc_plugin.policy.model import Effect
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import leave


@pytest.fixture
def left(shell: Shell) -> Shell:
    """Give a world in which two copies left for teaching, the second without identity."""
    shell.world.file(CARE, TEACHING)
    leave(shell.world, "D1")
    leave(shell.world, "D2", effect=Effect.PERMIT_ANONYMISED)
    return shell


@pytest.mark.parametrize(
    "whose",
    [
        ("--patient", PATIENT.id, "--issuer", PATIENT.issuer),
        ("--recipient", "teaching-archive"),
        ("--image", UID),
    ],
    ids=["patient", "recipient", "image"],
)
def test_the_account_is_given_by_patient_by_recipient_and_by_picture(whose: tuple[str, ...], left: Shell) -> None:
    rows = left.json("disclosures", *whose)
    assert [(row["disclosure"], row["form"], row["requester"]) for row in rows] == [
        ("D1", "IDENTIFIABLE", "lecturer"),
        ("D2", "ANONYMISED", "lecturer"),
    ]
    assert left("disclosures", *whose, "--live", "--since", "2026-11-22", "--until", "2026-11-22").exit_code == 0


def test_the_account_is_given_in_every_form(left: Shell) -> None:
    def said(form: str) -> str:
        result = left("disclosures", "--image", UID, "--format", form)
        assert (result.exit_code, result.stderr) == (0, "")
        return str(result.stdout)

    assert left("disclosures", "--image", UID, "--format", "pdf").stdout_bytes.startswith(b"%PDF")
    assert said("text").startswith("Who has had the photographs, as known on 22 November 2026\n")
    assert said("html").startswith("<!DOCTYPE html>")
    assert [row["disclosure"] for row in csv.DictReader(StringIO(said("csv")))] == ["D1", "D2"]
    assert [row["disclosure"] for row in json.loads(said("json"))] == ["D1", "D2"]
    assert len(Bundle.model_validate_json(said("fhir")).entry) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one of --patient, --recipient and --image"),
        (("--image", UID, "--recipient", "teaching-archive"), "one of --patient"),
        (("--image", UID, "--issuer", "HOSP"), "one of --patient"),
    ],
)
def test_whose_it_is_must_be_said_once(arguments: tuple[str, ...], words: str, left: Shell) -> None:
    assert words in left.fails("disclosures", *arguments, code=2)


def test_nobody_of_that_number_is_an_error_that_does_not_repeat_it(left: Shell) -> None:
    said = left.fails("disclosures", "--patient", "0815")
    assert "Check the number and its issuer" in said
    assert "0815" not in said
