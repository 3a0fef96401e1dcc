"""``consentgate review open | propose | redact | confirm | reject`` with an archive that runs."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from orthanc_plugin.policy.model import Effect
from tests.fakes.looking import looking
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.cli.conftest import Shell

UNDER = (UID, "--profile", "teaching", "--by", "looker")
FACE = (0, 0, 16, 16)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Shell]:
    """Give the command line of a hospital whose teacher has asked for a picture."""
    with looking(tmp_path) as world:
        world.file(CARE, TEACHING)
        shell = Shell(world=world)
        assert asked(shell) is Effect.NEEDS_REVIEW
        yield shell


def asked(shell: Shell) -> Effect:
    return shell.world.services.gate.authorize(shell.world.request("teacher")).decision.effect


def pixel(path: Path, x: int, y: int) -> tuple[int, ...]:
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        found = picture.convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def test_a_picture_is_opened_redacted_looked_at_and_confirmed(desk: Shell, tmp_path: Path) -> None:
    seen, leaves = tmp_path / "seen.jpg", tmp_path / "leaves.jpg"
    leaves.write_bytes(b"")
    leaves.chmod(0o644)
    told = desk.json("review", "open", *UNDER, "--out", seen)
    assert (told["media"], told["reviewer"], told["profile"]) == ("image/jpeg", "looker", "teaching")
    (row,) = desk.json("review", "list")
    assert (row["state"], row["open_by"], row["requesters"]) == ("OPEN", "looker", ["teacher"])
    drafted = desk.json("review", "propose", *UNDER)
    (said,) = drafted["proposals"]
    assert said.startswith("nobody: not checked (There is no detector of this name")
    assert desk.json("review", "list")[0]["proposals"] == drafted["proposals"]
    told = desk.json("review", "redact", *UNDER, "--region", "0,0,16,16", "--out", leaves)
    assert told["regions"] == [list(FACE)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (seen, leaves)} == {0o600}
    assert pixel(leaves, 4, 4) != pixel(seen, 4, 4)
    assert pixel(leaves, 40, 40) == pixel(seen, 40, 40)
    told = desk.json("review", "confirm", *UNDER, "--nothing-identifying", "--covered", "face")
    assert (told["anonymisable"], told["regions"]) == ("YES", [list(FACE)])
    assert desk.json("review", "list") == []
    assert asked(desk) is Effect.PERMIT_ANONYMISED
    assert desk.json("review", "reject", *UNDER, "--reason", "A ring.")["anonymisable"] == "NO"
    assert not asked(desk).startswith("PERMIT")
    desk.world.sql("DELETE FROM consents")  # which the world records without telling the trail
    assert desk.json("audit", "verify")["whole"] is True


def test_regions_are_outlined_on_the_whole_picture(desk: Shell, tmp_path: Path) -> None:
    seen, leaves, drawn = (tmp_path / f"{name}.jpg" for name in ("seen", "leaves", "drawn"))
    assert "not open" in desk.fails("review", "outline", *UNDER, "--out", drawn)
    desk.json("review", "open", *UNDER, "--out", seen)
    desk.json("review", "redact", *UNDER, "--region", "16,16,32,16", "--out", leaves)
    told = desk.json("review", "outline", *UNDER, "--out", drawn)
    assert (told["media"], stat.S_IMODE(drawn.stat().st_mode)) == ("image/jpeg", 0o600)
    red, green, blue = pixel(drawn, 32, 16)[:3]
    assert min(red, green) > blue + 60, "a bright line along the edge"
    assert pixel(leaves, 32, 24) != pixel(seen, 32, 24)
    blanked = sum(abs(a - b) for a, b in zip(pixel(leaves, 32, 24), pixel(seen, 32, 24), strict=True))
    shown = sum(abs(a - b) for a, b in zip(pixel(drawn, 32, 24), pixel(seen, 32, 24), strict=True))
    assert shown < blanked / 2, "what will be blanked is seen"
    assert [each["effect"] for each in desk.world.trail()][-1] == "REVIEW_OUTLINED"


def test_every_step_is_in_the_trail_by_name(desk: Shell, tmp_path: Path) -> None:
    desk("review", "open", *UNDER, "--out", tmp_path / "seen.jpg")
    desk("review", "propose", *UNDER)
    desk("review", "redact", *UNDER, "--proposed", "--out", tmp_path / "seen.jpg")
    desk("review", "reject", *UNDER, "--reason", "A tattoo that names the patient's dog.")
    steps = [each for each in desk.world.trail() if each["door"] == "consentgate review"]
    effects = ("REVIEW_OPENED", "REVIEW_SHOWN", "REVIEW_PROPOSED", "REVIEW_REDACTED", "REVIEW_SHOWN", "ANONYMISABLE_NO")
    assert [each["effect"] for each in steps] == list(effects)
    assert {(each["actor"], each["subject"], *each["reasons"]) for each in steps} == {  # type: ignore[misc]
        ("looker", UID, "profile teaching")
    }
    assert "dog" not in str(steps)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("open", UID, "--profile", "none", "--by", "looker", "--out", "x"), "no such profile", 1),
        (("open", UID, "--profile", "publication", "--by", "looker", "--out", "x"), "Nobody who asked", 1),
        (("open", "2.25.9", "--profile", "teaching", "--by", "looker", "--out", "x"), "No image in the archive", 1),
        (("open", UID, "--profile", "teaching", "--by", "A Teacher", "--out", "x"), "Whoever asked", 1),
        (("propose", *UNDER), "The picture is not open", 1),
        (("redact", *UNDER, "--region", "0,0,8,8", "--out", "x"), "The picture is not open", 1),
        (("redact", *UNDER, "--region", "1,2,3", "--out", "x"), "x,y,width,height", 2),
        (("redact", *UNDER, "--region", "0,0,0,8", "--out", "x"), "no area", 1),
        (("confirm", *UNDER, "--nothing-identifying"), "The picture is not open", 1),
        (("confirm", *UNDER, "--covered", "face"), "--nothing-identifying, or", 2),
        (("confirm", *UNDER, "--covered", "face", "--identifying", "face"), "contradict", 2),
        (("reject", *UNDER, "--reason", " "), "needs a reason", 1),
    ],
)
def test_a_step_that_can_t_be_taken_is_told_and_changes_nothing(
    arguments: tuple[str, ...], words: str, code: int, desk: Shell, tmp_path: Path
) -> None:
    said = desk.fails("review", *(str(tmp_path / "x") if each == "x" else each for each in arguments), code=code)
    assert words in said
    assert not (tmp_path / "x").exists()
    assert desk.world.sql("SELECT * FROM reviews") == []


def test_a_picture_that_can_t_be_written_stays_open(desk: Shell, tmp_path: Path) -> None:
    said = desk.fails("review", "open", *UNDER, "--out", str(tmp_path / "nowhere" / "x"))
    assert "can't be written (FileNotFoundError). Name a file" in said
    assert desk("review", "open", *UNDER, "--out", tmp_path / "x").exit_code == 0


def test_a_picture_is_never_written_through_a_link_of_somebody_else(desk: Shell, tmp_path: Path) -> None:
    theirs, link = tmp_path / "theirs", tmp_path / "link"
    theirs.write_bytes(b"")
    link.symlink_to(theirs)
    assert "no plain file" in desk.fails("review", "open", *UNDER, "--out", link)
    assert theirs.read_bytes() == b""
    watched = theirs.open("rb")  # by whoever made the file, and waits
    assert desk("review", "open", *UNDER, "--out", theirs).exit_code == 0
    with watched:
        assert watched.read() == b""


def test_a_region_outside_the_picture_is_not_set(desk: Shell, tmp_path: Path) -> None:
    desk("review", "open", *UNDER, "--out", tmp_path / "x")
    said = desk.fails("review", "redact", *UNDER, "--region", "60,0,16,16", "--out", str(tmp_path / "y"))
    assert "outside the picture" in said
    assert desk.world.sql("SELECT * FROM reviews WHERE kind = 'REDACTED'") == []


def test_a_picture_that_nobody_may_have_is_not_opened(desk: Shell, tmp_path: Path) -> None:
    desk.world.withdraw()
    said = desk.fails("review", "open", *UNDER, "--out", str(tmp_path / "x"))
    assert "Nobody who asked may have a copy" in said


def test_a_stored_object_that_is_another_is_not_shown(desk: Shell, tmp_path: Path) -> None:
    row = desk.world.row()
    desk.world.archive.objects[row.orthanc_instance] += b"\0"
    said = desk.fails("review", "open", *UNDER, "--out", str(tmp_path / "x"))
    assert "not the one that was accepted" in said
