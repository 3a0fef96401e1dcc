"""``consentgate break-glass grant | list | end | review``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.clinic import clinic
from tests.fakes.pictures import CARE
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell

ASKED = ("break-glass", "grant", "--account", "registrar", "--patient-id", "P1", "--by", "registrar")
REASON = ("--reason", "Unconscious in resus, is the wound the old one?")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clinic(tmp_path)
    made.file(CARE)
    yield made
    made.close()


def test_emergency_access_is_given_listed_ended_and_reviewed(shell: Shell) -> None:
    assert shell("break-glass", "list").stderr == "No emergency access waits for a review.\n"
    given = shell.json(*ASKED, *REASON, "--minutes", "10")
    assert (given["account"], given["patient_id"], given["issuer"]) == ("registrar", "P1", "HOSP")
    (listed,) = shell.json("break-glass", "list")
    assert (listed["grant_id"], listed["live"]) == (given["grant_id"], True)
    assert "Ended" in shell("break-glass", "end", given["grant_id"], "--by", "registrar").stdout
    reviewed = shell("break-glass", "review", given["grant_id"], "--finding", "Justified.", "--by", "governance")
    assert reviewed.stdout == "Reviewed.\n"
    assert shell.json("break-glass", "list") == []
    (known,) = shell.json("break-glass", "list", "--all")
    assert (known["reviewed_by"], known["finding"], known["live"]) == ("governance", "Justified.", False)


def test_it_says_until_when(shell: Shell) -> None:
    said = shell(*ASKED, *REASON).stdout
    assert said.startswith("Emergency access ")
    assert said.rstrip().endswith("UTC.")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((*ASKED, "--reason", "now"), 1, "Say why the pictures are needed"),
        ((*ASKED, *REASON, "--minutes", "500"), 1, "from 1 to 60 minutes"),
        ((*ASKED, *REASON, "--issuer", "ELSEWHERE"), 1, "whose number it is"),
        (ASKED, 2, "--reason"),
        (("break-glass", "review", "nothing", "--finding", "x", "--by", "g"), 1, "consentgate break-glass list"),
        (("break-glass", "end", "nothing", "--by", "g"), 1, "consentgate break-glass list"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(arguments: tuple[str, ...], code: int, words: str, shell: Shell) -> None:
    assert words in shell.fails(*arguments, code=code)
    assert shell.world.sql("SELECT * FROM break_glass") == []
