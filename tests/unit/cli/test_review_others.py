"""``consentgate review ... --others``, and the patient's own copy in which others are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from orthanc_plugin.lifecycle.ownfolder import own_folder
from orthanc_plugin.policy.access import LeftOut
from orthanc_plugin.policy.model import Effect, Obligation
from tests.fakes.hiding import hidden, is_grey, proposed, rejected
from tests.fakes.looking import LOOKING, looking
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_review_steps import pixel
from tests.unit.cli.test_subjectaccess import STAFF, check, checked, copied
from tests.unit.dicomwrap.objects import PATIENT

FIRST, SECOND = ("--by", "looker"), ("--by", "second-looker")
ABOUT = (UID, "--others")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Shell]:
    """Give the command line of a hospital with one photograph."""
    with looking(tmp_path, LOOKING + STAFF) as world:
        world.file(CARE, TEACHING)
        yield Shell(world=world)


def obligations(shell: Shell) -> tuple[Obligation, ...]:
    return shell.world.services.gate.authorize(shell.world.request("derm")).decision.obligations


def test_one_person_sets_the_regions_and_another_confirms_them(desk: Shell, tmp_path: Path) -> None:
    seen, leaves, again = (tmp_path / f"{name}.jpg" for name in ("seen", "leaves", "again"))
    told = desk.json("review", "open", *ABOUT, *FIRST, "--out", seen)
    assert (told["media"], told["profile"]) == ("image/jpeg", "others hidden")
    assert desk.json("review", "propose", *ABOUT, *FIRST)["proposals"][0].startswith("nobody: not checked")
    told = desk.json("review", "redact", *ABOUT, *FIRST, "--region", "0,0,16,16", "--out", leaves)
    assert told["regions"] == [[0, 0, 16, 16]]
    assert pixel(leaves, 4, 4) == (128, 128, 128) != pixel(seen, 4, 4)
    assert pixel(leaves, 40, 40) == pixel(seen, 40, 40)
    (row,) = desk.json("review", "list")
    assert (row["profile"], row["state"], row["requesters"]) == ("others hidden", "WAITING", ["looker"])
    assert "does not settle it" in desk.fails("review", "confirm", *ABOUT, *FIRST)
    assert "has not been looked at" in desk.fails("review", "confirm", *ABOUT, *SECOND)
    assert obligations(desk) == ()
    desk.json("review", "open", *ABOUT, *SECOND, "--out", again)
    assert again.read_bytes() == leaves.read_bytes()
    assert desk.json("review", "confirm", *ABOUT, *SECOND)["others"] == "HIDDEN"
    assert obligations(desk) == (Obligation.REDACT_THIRD_PARTIES,)
    assert desk.json("review", "list") == []
    assert desk.json("review", "reject", *ABOUT, *SECOND, "--reason", "A poster.")["others"] == "CHANGING"
    assert "does not settle it" in desk.fails("review", "reject", *ABOUT, *SECOND, "--reason", "A poster.")
    assert desk.json("review", "reject", *ABOUT, *FIRST, "--reason", "A poster.")["others"] is None
    assert obligations(desk) == ()
    assert not any("poster" in str(each) for each in desk.world.trail())
    desk.world.sql("DELETE FROM consents")  # which the world records without telling the trail
    assert desk.json("audit", "verify")["whole"] is True


def test_the_regions_of_others_are_outlined_on_the_whole_picture(desk: Shell, tmp_path: Path) -> None:
    seen, drawn = tmp_path / "seen.jpg", tmp_path / "drawn.jpg"
    assert "not open" in desk.fails("review", "outline", *ABOUT, *FIRST, "--out", drawn)
    desk.json("review", "open", *ABOUT, *FIRST, "--out", seen)
    desk.json("review", "redact", *ABOUT, *FIRST, "--region", "16,16,32,16", "--out", seen)
    desk.json("review", "outline", *ABOUT, *FIRST, "--out", drawn)
    with Image.open(drawn) as outlined, Image.open(seen) as blanked:
        assert outlined.size == blanked.size
    assert pixel(drawn, 32, 24) != (128, 128, 128) == pixel(seen, 32, 24)
    assert desk.world.trail()[-1]["effect"] == "HIDING_OUTLINED"


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("open", UID, *FIRST, "--out", "x"), "Give --profile NAME, or --others", 2),
        (("open", *ABOUT, "--profile", "teaching", *FIRST, "--out", "x"), "have no profile", 2),
        (("open", "2.25.9", "--others", *FIRST, "--out", "x"), "No image in the archive", 1),
        (("redact", *ABOUT, *FIRST, "--region", "0,0,8,8", "--out", "x"), "The picture is not open", 1),
        (("redact", *ABOUT, *FIRST, "--crop", "0,0,8,8", "--out", "x"), "Nothing is cut off", 1),
        (("confirm", *ABOUT, *FIRST), "No regions are proposed", 1),
        (("confirm", *ABOUT, *FIRST, "--nothing-identifying"), "--others has no checklist", 2),
        (("reject", *ABOUT, *FIRST, "--reason", "x"), "Nobody is hidden", 1),
    ],
)
def test_a_step_that_can_t_be_taken_is_told_and_changes_nothing(
    arguments: tuple[str, ...], words: str, code: int, desk: Shell, tmp_path: Path
) -> None:
    said = desk.fails("review", *(str(tmp_path / "x") if each == "x" else each for each in arguments), code=code)
    assert words in said
    assert not (tmp_path / "x").exists()
    assert desk.world.sql("SELECT * FROM reviews") == []


def test_what_can_t_be_blanked_is_not_proposed(desk: Shell, tmp_path: Path) -> None:
    desk.json("review", "open", *ABOUT, *FIRST, "--out", tmp_path / "x")
    where = ("--region", "60,0,16,16", "--out", str(tmp_path / "y"))
    assert "outside the picture" in desk.fails("review", "redact", *ABOUT, *FIRST, *where)
    assert desk.world.sql("SELECT * FROM reviews WHERE kind = 'REDACTED'") == []


def test_a_picture_is_shown_for_the_sake_of_others_only_while_somebody_might_have_it(
    desk: Shell, tmp_path: Path
) -> None:
    desk.world.withdraw()
    out = ("--out", str(tmp_path / "x"))
    assert "nobody has asked for their own copy" in desk.fails("review", "open", *ABOUT, *FIRST, *out)
    refused = desk.world.trail()[-1]
    assert (refused["effect"], refused["outcome"]) == ("DENY", "4")
    asked_for_their_own(desk)
    assert desk("review", "open", *ABOUT, *FIRST, *out).exit_code == 0


def asked_for_their_own(shell: Shell) -> None:
    arguments = ("--issuer", PATIENT.issuer, "--handover", "IN_PERSON", "--note", "by letter", "--by", "records")
    shell.json("subject-access", "open", PATIENT.id, *arguments)


def all_checked(shell: Shell) -> None:
    asked_for_their_own(shell)
    checked(shell)
    check(shell, "third-parties", "--image", UID, by="photographer", clear="--not-clear")


def test_the_patient_gets_a_picture_of_others_with_them_hidden(desk: Shell, tmp_path: Path) -> None:
    all_checked(desk)
    hidden(desk.world)
    (row,) = desk.json("subject-access", "show", *requests(desk))
    assert (row["third_parties"], row["others"]) == ("NOT_CLEAR", "HIDDEN")
    with copied(desk) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    assert (made.names, made.missing, made.hidden) == (("photographs/2025-03-01_1.jpg",), (), 1)
    assert pixel(tmp_path / "own" / made.names[0], 4, 4) == (128, 128, 128)
    assert "In 1 photograph(s) other people are hidden" in (tmp_path / "own" / "README.txt").read_text()
    (left,) = desk.world.disclosures()
    assert (left["purpose"], left["form"]) == ("SUBJECT_ACCESS", "PERMIT_IDENTIFIABLE")
    assert left["released_uid"] != UID


def requests(shell: Shell) -> list[str]:
    return [str(each["request"]) for each in shell.json("subject-access", "list")]


@pytest.mark.parametrize("clear", [True, False], ids=["nobody was seen", "somebody was seen"])
def test_until_somebody_else_agrees_the_picture_is_left_out_for_their_sake(
    clear: bool, desk: Shell, tmp_path: Path
) -> None:
    if clear:
        asked_for_their_own(desk)
        checked(desk)
    else:
        all_checked(desk)
    proposed(desk.world)
    with copied(desk) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    assert [each.reason for each in made.missing] == [LeftOut.OTHERS]
    assert "grey" not in (tmp_path / "own" / "README.txt").read_text()
    assert desk.world.disclosures() == []


def test_what_two_have_said_stands_against_a_check_that_saw_nobody(desk: Shell, tmp_path: Path) -> None:
    asked_for_their_own(desk)
    checked(desk)
    hidden(desk.world)
    with copied(desk) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    assert made.hidden == 1
    assert pixel(tmp_path / "own" / made.names[0], 4, 4) == (128, 128, 128)


def test_once_nobody_is_hidden_any_more_the_check_decides_again(desk: Shell, tmp_path: Path) -> None:
    all_checked(desk)
    hidden(desk.world)
    rejected(desk.world, "looker")
    rejected(desk.world, "second-looker")
    with copied(desk) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    assert [each.reason for each in made.missing] == [LeftOut.OTHERS]
    assert desk.world.services.gate.authorize(desk.world.request("derm")).decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert not is_grey(desk.world.archive.objects[desk.world.row().orthanc_instance])
