"""``consentgate approval``, ``capture`` and ``legacy``: what each does without a running Orthanc, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomwrap.consentrecord import ConsentRecord
from tests.fakes.clinic import STUDY, clinic, kept, status, waiting
from tests.fakes.pictures import UID, consent
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell

BY = ("--by", "nurse")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which one photograph waits for approval."""
    made = clinic(tmp_path, "every")
    made.record(consent())
    made.receive()
    yield made
    made.close()


def refusal(shell: Shell) -> ConsentRecord:
    """Return the one refusal on record."""
    (found,) = (each.record for each in shell.world.consents() if each.record.state == "REFUSED")
    return found


def test_what_waits_is_listed_with_the_end_of_its_window(shell: Shell) -> None:
    (listed,) = shell.json("approval", "list")
    assert (listed["sop_instance_uid"], listed["study_instance_uid"]) == (UID, STUDY)
    assert listed["approve_by"] == "2026-11-22T10:00:00+00:00"
    assert listed["quarantine_id"] in shell("quarantine", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "effect"),
    [
        (("approve",), "PATIENT_APPROVED"),
        (("approve", "--proxy", "mother, parental responsibility"), "PROXY_APPROVED"),
        (("unable", "--reason", "under general anaesthetic"), "PATIENT_UNABLE"),
    ],
)
def test_an_answer_is_recorded_also_while_the_archive_is_down(
    arguments: tuple[str, ...], effect: str, shell: Shell
) -> None:
    held = waiting(shell.world)
    answer = shell.json("approval", arguments[0], held.quarantine_id, *arguments[1:], *BY)
    assert answer == {"approved": True, "filed": False}
    assert (status(shell.world, held.quarantine_id), shell.world.trail()[-1]["effect"]) == ("APPROVED", effect)
    assert shell.json("approval", "list") == []
    assert len(kept(shell.world)) == 1


def test_what_the_patient_takes_back_is_deleted(shell: Shell) -> None:
    held = waiting(shell.world)
    said = shell("approval", "withdraw", held.quarantine_id, "--refuse", *BY)
    assert said.stdout == "Deleted: it was never filed, and no copy is kept here.\n"
    assert (status(shell.world, held.quarantine_id), kept(shell.world)) == ("DELETED", ())
    assert refusal(shell).targets == (UID,)
    assert shell.json("quarantine", "list") == []
    assert [each["status"] for each in shell.json("quarantine", "list", "--all")] == ["DELETED"]
    assert "it is DELETED" in shell.fails("approval", "approve", held.quarantine_id, *BY)


def test_a_capture_is_stopped(shell: Shell) -> None:
    said = shell.json("capture", "stop", STUDY, "--kind", "DISTRESS", "--reason", "The child cried.", *BY)
    assert (said["deleted"], said["filed"]) == ([UID], [])
    assert kept(shell.world) == ()
    assert (refusal(shell).id, refusal(shell).targets) == (said["consent_id"], (STUDY,))


def test_a_capture_of_which_nothing_arrived_is_stopped_with_the_patient_s_number(shell: Shell) -> None:
    stop = ("capture", "stop", "2.25.404", "--kind", "OBJECTION", "--reason", "Turned away.", *BY)
    assert "--patient-id" in shell.fails(*stop)
    assert "0 unfiled picture(s) deleted" in shell(*stop, "--patient-id", "P1").stdout
    assert refusal(shell).issuer == "HOSP"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("approval", "approve", "nothing", *BY), 1, "consentgate quarantine list"),
        (("approval", "unable", "nothing", *BY), 2, "--reason"),
        (("approval", "sweep"), 1, "No running Orthanc"),
        (("capture", "stop", STUDY, "--kind", "BOREDOM", "--reason", "x", *BY), 2, "BOREDOM"),
        (("capture", "stop", STUDY, "--kind", "DISTRESS", "--reason", " ", *BY), 1, "with a reason"),
        (("legacy", "adopt", "--reason", "2019", *BY), 2, "either --study UID or --all"),
        (("legacy", "adopt", "--all", "--study", STUDY, "--reason", "2019", *BY), 2, "either --study UID or --all"),
        (("legacy", "adopt", "--all", "--reason", " ", *BY), 2, "reason in words"),
        (("legacy", "adopt", "--all", "--reason", "2019", *BY), 1, "No running Orthanc"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(arguments: tuple[str, ...], code: int, words: str, shell: Shell) -> None:
    assert words in shell.fails(*arguments, code=code)
    assert waiting(shell.world).status == "AWAITING_PATIENT_APPROVAL"
