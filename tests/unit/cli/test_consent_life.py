"""``consentgate consent`` beyond recording: show, history, give, refuse, supersede, error, sweep."""

from __future__ import annotations

import json

import pytest

from dicomwrap.consentfile import as_mapping
from orthanc_plugin.registry.quarantine import Status
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import hold

RENEWED = "urn:x:renewed"


def put(shell: Shell, *scopes: dict[str, object], **changes: object) -> str:
    return str(shell.put("c.json", json.dumps(as_mapping(consent(*scopes, **changes)))))


def added(shell: Shell, *scopes: dict[str, object], **changes: object) -> None:
    assert shell("consent", "add", put(shell, *scopes, **changes), "--by", "nurse").exit_code == 0


def test_a_consent_is_shown_whole_in_any_of_its_versions(shell: Shell) -> None:
    added(shell, CARE, TEACHING)
    shell("consent", "withdraw", CONSENT_ID, "--by", "nurse", "--how", "by letter", "--reason", "moved away")
    assert shell.json("consent", "show", CONSENT_ID)["withdrawal"]["how_received"] == "by letter"
    assert shell.json("consent", "show", CONSENT_ID, "--version", "1")["state"] == "GIVEN"
    assert "state: WITHDRAWN" in shell("consent", "show", CONSENT_ID).stdout.splitlines()


def test_a_consent_is_shown_with_who_recorded_it_and_what_it_comes_to_today(shell: Shell) -> None:
    added(shell, CARE, {**TEACHING, "valid_to": "2025-12-31"})
    shell("consent", "withdraw", CONSENT_ID, "--purpose", "DIRECT_CARE", "--by", "sister")
    shown = shell.json("consent", "show", CONSENT_ID)
    assert shown["today"] == ["DIRECT_CARE: WITHDRAWN", "TEACHING: EXPIRED"]
    (recorded,) = shell.world.consents()
    assert (shown["recorded_by"], shown["recorded_at"]) == ("sister", recorded.recorded_at)
    first = shell.json("consent", "show", CONSENT_ID, "--version", "1")
    assert (first["recorded_by"], "today" in first) == ("nurse", False)


def test_a_consent_is_shown_with_the_patient_s_death(shell: Shell) -> None:
    added(shell, CARE)
    shell.world.sql("UPDATE patients SET death_date = '2026-01-05'")
    assert shell.json("consent", "show", CONSENT_ID)["today"] == ["DIRECT_CARE: IN_FORCE", "the patient has died"]


def test_a_consent_s_history_is_told_oldest_first(shell: Shell) -> None:
    added(shell, CARE, TEACHING)
    shell("consent", "withdraw", CONSENT_ID, "--purpose", "TEACHING", "--by", "sister")
    rows = shell.json("consent", "history", CONSENT_ID)
    assert [(row["version"], row["state"], row["recorded_by"]) for row in rows] == [
        (1, "GIVEN", "nurse"),
        (2, "GIVEN", "sister"),
    ]
    assert shell("consent", "history", CONSENT_ID).stdout.startswith("version\tstate\t")


def test_a_withdrawal_at_the_camera_deletes_what_is_not_filed(shell: Shell) -> None:
    added(shell, CARE)
    held = hold(shell.world, Status.AWAITING_PATIENT_APPROVAL)
    said = shell("consent", "withdraw", CONSENT_ID, "--phase", "IMMEDIATELY_AFTER", "--by", "nurse").stdout
    assert said.endswith("\n1 picture(s) deleted before they were filed.\n")
    assert held.spool_name not in shell.world.services.spool.names()


def test_a_withdrawal_of_care_says_that_filed_pictures_are_kept(shell: Shell) -> None:
    shell.world.file(CARE)
    said = shell("consent", "withdraw", CONSENT_ID, "--by", "nurse").stdout
    assert said.endswith("\n1 filed picture(s) kept, restricted.\n")
    assert shell.world.row(UID).status == "RESTRICTED"


@pytest.mark.parametrize(("step", "state"), [("give", "GIVEN"), ("refuse", "REFUSED")])
def test_a_proposal_is_decided(step: str, state: str, shell: Shell) -> None:
    added(shell, CARE, state="PROPOSED")
    assert shell.json("consent", step, CONSENT_ID, "--by", "nurse")["state"] == state


def test_a_proposal_is_given_as_completed_in_a_file(shell: Shell) -> None:
    added(shell, CARE, state="PROPOSED")
    path = put(shell, CARE, TEACHING)
    result = shell("consent", "give", CONSENT_ID, "--file", path, "--by", "nurse")
    assert result.stdout == f"Recorded: {CONSENT_ID} is given (version 2).\n"
    assert len(shell.world.consents()[0].record.scopes) == 2


def test_a_refusal_in_a_file_is_recorded(shell: Shell) -> None:
    added(shell, CARE, state="PROPOSED")
    result = shell("consent", "refuse", CONSENT_ID, "--file", put(shell, CARE, state="REFUSED"), "--by", "nurse")
    assert result.stdout == f"Recorded: {CONSENT_ID} is refused (version 2).\n"


def test_a_file_about_another_consent_is_refused(shell: Shell) -> None:
    added(shell, CARE, state="PROPOSED")
    path = put(shell, CARE, id="urn:x:other")
    assert "is another consent" in shell.fails("consent", "give", CONSENT_ID, "--file", path, "--by", "nurse")


def test_a_renewed_consent_replaces_the_old_one(shell: Shell) -> None:
    added(shell, CARE, TEACHING)
    path = put(shell, CARE, id=RENEWED)
    result = shell("consent", "supersede", CONSENT_ID, path, "--by", "nurse")
    assert result.stdout == f"Recorded consent {RENEWED}, which replaces {CONSENT_ID}.\n"
    states = {row["consent"]: row["state"] for row in shell.json("consent", "list")}
    assert states == {CONSENT_ID: "SUPERSEDED", RENEWED: "GIVEN"}
    assert shell.json("consent", "show", RENEWED)["previous_id"] == CONSENT_ID


def test_a_record_in_error_is_marked_by_somebody_else(shell: Shell) -> None:
    added(shell, CARE)
    assert "second person" in shell.fails("consent", "error", CONSENT_ID, "--reason", "wrong", "--by", "nurse")
    assert shell.json("consent", "error", CONSENT_ID, "--reason", "wrong", "--by", "sister")["state"] == (
        "ENTERED_IN_ERROR"
    )


def test_the_sweep_says_what_it_did_and_does_it_once(shell: Shell) -> None:
    added(shell, {**CARE, "valid_to": "2025-12-31"})
    due = {
        "consent_id": CONSENT_ID,
        "happening": "EXPIRY",
        "reason": "the consent has expired",
        "ended": True,
        "tasks": ["SEEK_RECONSENT"],
    }
    assert shell.json("consent", "sweep", "--dry-run") == [due]
    assert shell.json("consent", "sweep") == [due]
    assert shell("consent", "sweep").stderr == "Nothing had to be done.\n"
    assert shell("consent", "sweep", "--dry-run").stderr == "Nothing is to be done.\n"
    assert shell.json("consent", "show", CONSENT_ID)["state"] == "EXPIRED"


def test_the_sweep_tells_of_rows_that_can_t_be_read(shell: Shell) -> None:
    added(shell, CARE)
    shell.world.sql("UPDATE patients SET gillick = 'PERHAPS'")
    result = shell("consent", "sweep")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "1 patient(s) can't be read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "urn:x:none"), "consentgate consent list"),
        (("show", CONSENT_ID, "--version", "7"), "consentgate consent history"),
        (("history", "urn:x:none"), "consentgate consent list"),
        (("give", CONSENT_ID, "--by", "n"), "can't become GIVEN"),
        (("refuse", CONSENT_ID, "--by", "n"), "can't become REFUSED"),
        (("error", "urn:x:none", "--reason", "x", "--by", "n"), "consentgate consent list"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(arguments: tuple[str, ...], words: str, shell: Shell) -> None:
    shell.world.record(consent(CARE, state="REFUSED"))
    assert words in shell.fails("consent", *arguments)
