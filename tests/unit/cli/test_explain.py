"""``consentgate explain``: one decision, or who could have a picture now, told so that a patient could follow."""

from __future__ import annotations

import pytest

from dicomwrap.terms import Purpose
from tests.fakes.clinic import clinic
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.unit.cli.conftest import Shell


def rows(shell: Shell) -> dict[tuple[str, str], dict[str, object]]:
    found = shell.json("explain", "--image", UID)
    return {(row["recipient"], row["purpose"]): row for row in found}


def test_it_says_who_could_have_a_picture_in_which_form_and_why_the_others_could_not(shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    shell.world.review()
    found = rows(shell)
    forms = {key: (row["decision"], row["form"], row["released"]) for key, row in found.items()}
    assert forms[("derm", "DIRECT_CARE")] == ("PERMIT_IDENTIFIABLE", "as it is", True)
    assert forms[("teaching-archive", "TEACHING")] == ("PERMIT_ANONYMISED", "anonymised only", True)
    assert ("camera", "DIRECT_CARE") not in found
    shell.world.withdraw(CONSENT_ID, Purpose.TEACHING)
    row = rows(shell)[("teaching-archive", "TEACHING")]
    assert (row["decision"], row["released"], row["consents"]) == ("DENY", False, [CONSENT_ID])
    assert "withdrawn" in str(row["reasons"])
    assert all(each["reasons"] and each["rules"] and each["citations"] for each in rows(shell).values())


def test_in_words_those_who_could_come_first(shell: Shell) -> None:
    shell.world.file(CARE)
    said = shell("explain", "--image", UID).stdout
    could, _, could_not = said.partition("Could not:")
    assert "derm (the team that treats the patient) for the patient's own care, as it is." in could
    assert "teaching-archive (students in the trust) for teaching: DENY." in could_not
    assert "Ask the patient" in could_not


def test_of_a_picture_nobody_may_have_it_says_so(shell: Shell) -> None:
    shell.world.file(CARE)
    shell.world.withdraw()
    assert shell("explain", "--image", UID).stdout.startswith("Nobody could have it now.")


def test_a_clinician_s_emergency_is_asked_about_beside_their_ordinary_purpose(shell: Shell) -> None:
    world = clinic(shell.world.folder / "clinic")
    world.file(CARE)
    found = rows(Shell(world=world))
    assert found[("registrar", "TEACHING")]["decision"] == "DENY"
    assert found[("registrar", "EMERGENCY_CARE")]["decision"] == "PERMIT_IDENTIFIABLE"
    world.close()


def test_nothing_is_recorded_by_asking(shell: Shell) -> None:
    shell.world.file(CARE)
    before = (len(shell.world.trail()), shell.world.tasks())
    rows(shell)
    assert (len(shell.world.trail()), shell.world.tasks()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("explain",), 2, "Give a decision id, or --image UID."),
        (("explain", "d-1", "--image", UID), 2, "Give a decision id, or --image UID."),
        (("explain", "--image", "2.25.404"), 1, "not known to the registry"),
        (("explain", "none"), 1, "No entry of the trail has this id."),
    ],
)
def test_what_can_t_be_explained_is_told(shell: Shell, arguments: tuple[str, ...], code: int, words: str) -> None:
    assert words in shell.fails(*arguments, code=code)
