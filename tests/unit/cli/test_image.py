"""``consentgate image show | set``."""

from __future__ import annotations

import pytest

from orthanc_plugin.audit.chain import verify
from tests.fakes.pictures import CARE, UID
from tests.unit.cli.conftest import Shell

WHY = ("--reason", "seen at review", "--by", "officer")


@pytest.fixture
def studio(shell: Shell) -> Shell:
    """Give a command line with one picture filed for care."""
    shell.world.file(CARE)
    return shell


def test_what_somebody_saw_counts_from_the_next_decision_on(studio: Shell) -> None:
    asked = ("decide", "--image", UID, "--recipient", "derm")
    assert "RESTRICT_VIEW" not in studio.json(*asked)["obligations"]
    studio("image", "set", UID, "--intimate", *WHY)
    assert "RESTRICT_VIEW" in studio.json(*asked)["obligations"]
    studio("image", "set", UID, "--covert", *WHY)
    assert studio.json(*asked)["decision"] == "DENY"
    studio("image", "set", UID, "--not-covert", "--not-intimate", *WHY)
    assert studio.json(*asked)["decision"] == "PERMIT_IDENTIFIABLE"


def test_the_trail_has_what_it_was_and_is_and_why(studio: Shell) -> None:
    answer = studio.json("image", "set", UID, "--shows", "TATTOO", "--shows", "FACE", "--familial", *WHY)
    assert (answer["shows"], answer["familial"]) == (["FACE", "TATTOO"], True)
    entry = studio.world.trail()[-1]
    assert (entry["effect"], entry["subject"], entry["detail"]) == ("IMAGE_FACTS", UID, "reason: seen at review")
    assert entry["reasons"] == ["familial: was no, is yes", "shows: was nothing, is FACE, TATTOO"]
    assert verify(studio.world.services.trail.entries()).whole


def test_what_it_shows_is_replaced_and_can_be_nothing(studio: Shell) -> None:
    studio("image", "set", UID, "--shows", "FACE", *WHY)
    assert studio.json("image", "set", UID, "--shows", "SCAR", *WHY)["shows"] == ["SCAR"]
    assert studio.json("image", "set", UID, "--shows-nothing", *WHY)["shows"] == []
    assert studio.json("image", "show", UID)["shows"] == []


def test_a_picture_is_shown_in_words(studio: Shell) -> None:
    assert f"sop instance uid: {UID}\n" in studio("image", "show", UID).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "2.25.99"), "No image in the archive"),
        (("set", "2.25.99", "--intimate", *WHY), "No image in the archive"),
        (("set", UID, "--intimate", "--reason", " ", "--by", "o"), "without a reason"),
    ],
)
def test_what_can_t_be_is_told_and_nothing_is_recorded(arguments: tuple[str, ...], words: str, studio: Shell) -> None:
    before = len(studio.world.trail())
    assert words in studio.fails("image", *arguments)
    assert len(studio.world.trail()) == before
    assert not studio.world.row().intimate


@pytest.mark.parametrize(
    "arguments",
    [(UID, *WHY), (UID, "--shows", "MOLE", *WHY), (UID, "--shows", "FACE", "--shows-nothing", *WHY), (UID, "--covert")],
)
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...], studio: Shell) -> None:
    assert "Usage:" in studio.fails("image", "set", *arguments, code=2)
