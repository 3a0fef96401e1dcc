"""``consentgate image show | set``."""

from __future__ import annotations

import pytest

from orthanc_plugin.audit.chain import verify
from tests.fakes.pictures import CARE, UID
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT

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
    assert (entry["effect"], entry["subject"]) == ("IMAGE_FACTS", UID)
    assert entry["reasons"] == ["familial: was no, is yes", "shows: was nothing, is FACE, TATTOO"]
    assert verify(studio.world.services.trail.entries()).whole
    assert studio.world.sql("SELECT DISTINCT reason, changed_by FROM patient_changes") == [
        ("seen at review", "officer")
    ]


def test_the_words_of_a_reason_stay_out_of_the_trail(studio: Shell) -> None:
    studio("image", "set", UID, "--covert", "--reason", "Anna Berg rang", "--by", "officer")
    assert "Berg" not in str(studio.world.trail())


def test_what_it_shows_is_replaced_and_can_be_nothing(studio: Shell) -> None:
    studio("image", "set", UID, "--shows", "FACE", *WHY)
    assert studio.json("image", "set", UID, "--shows", "SCAR", *WHY)["shows"] == ["SCAR"]
    assert studio.json("image", "set", UID, "--shows-nothing", *WHY)["shows"] == []
    assert studio.json("image", "show", UID)["shows"] == []


def reviews(studio: Shell) -> list[object]:
    return [task["reason"] for task in studio.world.tasks() if task["kind"] == "IG_REVIEW"]


@pytest.mark.parametrize(
    ("option", "value", "name", "told"),
    [
        ("--type", "ULTRASOUND", "image_type", "image_type: was CLINICAL_PHOTO, is ULTRASOUND"),
        ("--made-for", "SECONDARY", "made_for", "made_for: was CARE, is SECONDARY"),
        ("--source", "PATIENT_SUPPLIED", "source", "source: was DEPARTMENT, is PATIENT_SUPPLIED"),
        ("--made-on", "1996-05-01", "made_on", "made_on: corrected"),
    ],
)
def test_what_the_device_said_is_corrected_with_a_reason(
    option: str, value: str, name: str, told: str, studio: Shell
) -> None:
    assert studio.json("image", "set", UID, option, value, *WHY)[name] == value
    assert str(getattr(studio.world.row(), name)) == value
    assert studio.world.trail()[-1]["reasons"] == [told]


def test_a_photograph_that_the_device_called_an_ultrasound_needs_consent_again(studio: Shell) -> None:
    asked = ("decide", "--image", UID, "--recipient", "teacher")
    studio("image", "set", UID, "--type", "ULTRASOUND", *WHY)
    as_ultrasound = studio.json(*asked)
    studio("image", "set", UID, "--type", "CLINICAL_PHOTO", *WHY)
    assert studio.json(*asked)["rules"] != as_ultrasound["rules"]


@pytest.mark.parametrize(
    ("first", "then", "reason"),
    [
        ((), ("--type", "XRAY"), "less protected by: image_type"),
        ((), ("--made-for", "SECONDARY"), "less protected by: made_for"),
        ((), ("--made-on", "1996-05-01"), "less protected by: made_on"),
        (("--source", "PATIENT_SUPPLIED"), ("--source", "DEPARTMENT"), "less protected by: source"),
        (("--shows", "FACE"), ("--shows", "SCAR"), "less protected by: shows"),
        (("--intimate", "--covert"), ("--not-intimate", "--not-covert"), "less protected by: intimate, covert"),
    ],
)
def test_what_may_open_a_picture_to_more_people_is_looked_at_by_somebody(
    first: tuple[str, ...], then: tuple[str, ...], reason: str, studio: Shell
) -> None:
    if first:
        studio("image", "set", UID, *first, *WHY)
    assert reviews(studio) == []
    studio("image", "set", UID, *then, *WHY)
    assert reviews(studio) == [reason]


def test_whoever_opened_a_picture_to_more_people_does_not_look_at_that_themselves(studio: Shell) -> None:
    studio("image", "set", UID, "--type", "XRAY", "--reason", "on a light box", "--by", "Dr Box")
    (task,) = (str(each["task_id"]) for each in studio.world.tasks() if each["kind"] == "IG_REVIEW")
    note = ("--note", "looked at it")
    assert "someone other than" in studio.fails("task", "close", task, *note, "--by", "dr box")
    studio.json("task", "close", task, *note, "--by", "governance")


def test_saying_the_same_again_has_nobody_look(studio: Shell) -> None:
    studio("image", "set", UID, "--type", "CLINICAL_PHOTO", "--made-for", "CARE", "--not-covert", *WHY)
    assert reviews(studio) == []


def test_a_picture_is_shown_in_words(studio: Shell) -> None:
    assert f"sop instance uid: {UID}\n" in studio("image", "show", UID).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "2.25.99"), "No image in the archive"),
        (("set", "2.25.99", "--intimate", *WHY), "No image in the archive"),
        (("set", UID, "--intimate", "--reason", " ", "--by", "o"), "without a reason"),
        (("set", UID, "--intimate", "--made-on", "2026-11-23", *WHY), "on a day to come"),
    ],
)
def test_what_can_t_be_is_told_and_nothing_is_recorded(arguments: tuple[str, ...], words: str, studio: Shell) -> None:
    before = len(studio.world.trail())
    assert words in studio.fails("image", *arguments)
    assert len(studio.world.trail()) == before
    assert not studio.world.row().intimate


@pytest.mark.parametrize(
    "arguments",
    [
        (UID, *WHY),
        (UID, "--type", "PAINTING", *WHY),
        (UID, "--shows", "MOLE", *WHY),
        (UID, "--shows", "FACE", "--shows-nothing", *WHY),
        (UID, "--covert"),
    ],
)
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...], studio: Shell) -> None:
    assert "Usage:" in studio.fails("image", "set", *arguments, code=2)


def complaint(studio: Shell, kind: str) -> str:
    order = ("--authority", "the trust", "--reason", "complaint 7", "--review-on", "2099-01-01", "--by", "lawyer")
    return str(studio.json("hold", "place", "--kind", kind, "--patient", PATIENT.id, *order)["hold"])


@pytest.mark.parametrize("change", [("--made-on", "1996-05-01"), ("--not-intimate",), ("--made-for", "SECONDARY")])
def test_nothing_is_labelled_otherwise_while_a_complaint_is_held_for_but_what_protects_it(
    change: tuple[str, ...], studio: Shell
) -> None:
    studio("image", "set", UID, "--intimate", *WHY)
    hold = complaint(studio, "COMPLAINT")
    assert "hold for a complaint" in studio.fails("image", "set", UID, *change, *WHY)
    assert studio.json("image", "set", UID, "--covert", "--intimate", *WHY)["covert"] is True
    studio("hold", "lift", hold, "--authority", "the trust", "--reason", "settled", "--by", "derm")
    studio("image", "set", UID, *change, *WHY)


def test_a_hold_of_another_kind_leaves_a_pictures_label_to_who_corrects_it(studio: Shell) -> None:
    complaint(studio, "LITIGATION")
    studio("image", "set", UID, "--made-on", "1996-05-01", *WHY)
