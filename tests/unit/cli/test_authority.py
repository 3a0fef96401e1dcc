"""``consentgate authority add | verify | end | list``."""

from __future__ import annotations

import json

import pytest

from tests.fakes.pictures import CARE, UID, consent
from tests.unit.cli.conftest import Shell

ORDER = ("authority", "add", "P1", "--type", "COURT_ORDER", "--document", "file 12/2026", "--by", "clerk")


@pytest.fixture
def office(shell: Shell) -> Shell:
    """Give a command line with P1 on record."""
    shell.world.record(consent(CARE))
    return shell


def add(office: Shell, *more: str) -> str:
    return str(office.json(*ORDER, *more)["authority"])


def states(office: Shell, *more: str) -> list[str]:
    return [row["state"] for row in office.json("authority", "list", *more)]


def test_an_authority_counts_once_somebody_else_verified_it_and_until_it_is_ended(office: Shell) -> None:
    authority_id = add(office, "--target", UID, "--approved-by", "court", "--notify-prohibited")
    assert states(office) == ["UNVERIFIED"]
    assert "can't verify it" in office.fails("authority", "verify", authority_id, "--by", "Clerk")
    verified = office.json("authority", "verify", authority_id, "--by", "caldicott")
    assert (verified["state"], verified["verified_by"], verified["targets"]) == ("VERIFIED", "caldicott", [UID])
    assert office("authority", "end", authority_id, "--by", "clerk").stdout.startswith("Ended")
    assert states(office) == ["ENDED"]
    trail = [(entry["effect"], entry["subject"], entry["actor"]) for entry in office.world.trail()]
    assert trail == [
        ("AUTHORITY_RECORDED", authority_id, "clerk"),
        ("AUTHORITY_VERIFIED", authority_id, "caldicott"),
        ("AUTHORITY_ENDED", authority_id, "clerk"),
    ]


def test_recording_says_that_somebody_else_is_needed(office: Shell) -> None:
    assert "somebody else must verify it before it counts" in office(*ORDER).stdout


def test_the_list_is_one_patient_s_when_asked(office: Shell) -> None:
    add(office)
    assert states(office, "--patient-id", "P2") == []
    assert states(office, "--patient-id", "P1") == ["UNVERIFIED"]
    assert office("authority", "list", "--patient-id", "P2").stderr == "No authority is on record.\n"


def test_an_authority_holds_from_today_when_no_day_is_named(office: Shell) -> None:
    add(office, "--valid-to", "2030-12-31")
    (row,) = json.loads(office("authority", "list", "--json").stdout)
    assert row["valid_from"] >= "2026-11-22"
    assert row["valid_to"] == "2030-12-31"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*ORDER, "--valid-to", "2020-01-01"), "valid_to: is before valid_from"),
        ((*ORDER, "--target", "picture"), "targets[0]: must be a DICOM UID"),
        ((*ORDER, "--issuer", "OTHER"), "No such patient"),
        ((*(word if word != "file 12/2026" else " " for word in ORDER),), "document: is missing"),
        (("authority", "verify", "none", "--by", "n"), "consentgate authority list"),
        (("authority", "end", "none", "--by", "n"), "consentgate authority list"),
    ],
)
def test_what_can_t_be_is_told_and_nothing_is_recorded(arguments: tuple[str, ...], words: str, office: Shell) -> None:
    assert words in office.fails(*arguments)
    assert (states(office), office.world.trail()) == ([], [])


@pytest.mark.parametrize("left_out", ["--type", "--document", "--by"])
def test_kind_document_and_name_are_always_needed(left_out: str, office: Shell) -> None:
    at = ORDER.index(left_out)
    assert left_out in office.fails(*ORDER[:at], *ORDER[at + 2 :], code=2)
