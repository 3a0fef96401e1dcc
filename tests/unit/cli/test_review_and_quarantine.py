"""``consentgate review list | confirm`` and ``consentgate quarantine list | show | release``."""

from __future__ import annotations

import json

import pytest

from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.reviewing import CHECKLIST
from tests.fakes.pictures import CARE, TEACHING, UID, consent, photograph_bytes
from tests.fakes.register import taken
from tests.unit.cli.conftest import Shell


def asked(shell: Shell) -> Effect:
    return shell.world.services.gate.authorize(shell.world.request("teacher")).decision.effect


def test_a_picture_waits_for_a_review_until_somebody_has_looked(shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    assert shell("review", "list").stderr == "Nothing waits for a review.\n"
    assert asked(shell) is Effect.NEEDS_REVIEW
    assert [row["image"] for row in shell.json("review", "list")] == [UID]
    result = shell("review", "confirm", UID, "--nothing-identifying", "--by", " dr-look ")
    assert result.stdout == "Recorded: the picture may leave anonymised, where consent covers it.\n"
    assert shell.json("review", "list") == []
    entry = shell.world.trail()[-1]
    assert (entry["actor"], entry["effect"], entry["subject"]) == ("dr-look", "ANONYMISABLE_YES", UID)
    assert asked(shell) is Effect.PERMIT_ANONYMISED


def test_what_identifies_is_recorded_and_keeps_the_picture_in(shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    answer = shell.json("review", "confirm", UID, "--identifying", "tattoo", "--identifying", "face", "--by", "dr")
    assert (answer["anonymisable"], answer["reviewer"], answer["image"]) == ("NO", "dr", UID)
    assert shell.world.trail()[-1]["reasons"] == ["identifying: face", "identifying: tattoo"]
    assert asked(shell) is Effect.DENY or asked(shell) is Effect.NEEDS_REVIEW


def test_every_item_of_the_list_is_in_the_help(shell: Shell) -> None:
    said = " ".join(shell("review", "confirm", "--help").stdout.split())
    assert all(item in said for item in CHECKLIST)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("2.25.9", "--nothing-identifying", "--by", "dr"), 1, "No image in the archive"),
        ((UID, "--nothing-identifying", "--by", " "), 2, "give the name or account"),
        ((UID, "--nothing-identifying"), 2, "--by"),
        ((UID, "--by", "dr"), 2, "--nothing-identifying, or --identifying"),
        ((UID, "--nothing-identifying", "--identifying", "face", "--by", "dr"), 2, "contradict"),
        ((UID, "--identifying", "shoes", "--by", "dr"), 2, "shoes"),
    ],
)
def test_no_review_is_recorded_by_mistake(arguments: tuple[str, ...], code: int, words: str, shell: Shell) -> None:
    shell.world.file(CARE)
    assert words in shell.fails("review", "confirm", *arguments, code=code)
    assert shell.world.sql("SELECT * FROM reviews") == []


def test_what_is_held_is_listed_and_shown_with_its_reasons(shell: Shell) -> None:
    assert shell("quarantine", "list").stderr == "Nothing is in quarantine.\n"
    shell.world.receive()
    (held,) = shell.json("quarantine", "list")
    assert held["reasons"] == ["CONSENT_UNKNOWN: the consent it refers to is not on record"]
    assert (held["status"], held["origin"], held["size"]) == ("HELD", "DICOM_PROTOCOL", len(photograph_bytes()))
    assert held["quarantine_id"] in shell("quarantine", "list").stdout
    assert shell.json("quarantine", "show", held["quarantine_id"]) == held
    assert "reasons: CONSENT_UNKNOWN" in shell("quarantine", "show", held["quarantine_id"]).stdout


def test_what_was_released_is_listed_only_when_asked_for(shell: Shell) -> None:
    shell.world.receive()
    shell.world.sql("UPDATE quarantine SET status = 'RELEASED'")
    assert shell.json("quarantine", "list") == []
    (held,) = shell.json("quarantine", "list", "--all")
    result = shell("quarantine", "release", held["quarantine_id"], "--by", "officer")
    assert (result.exit_code, result.stdout) == (0, "It was released before.\n")


def test_without_a_running_orthanc_nothing_is_released_and_the_link_is_kept(shell: Shell) -> None:
    shell.world.receive()
    filed = shell.world.record(consent(id="urn:x:right"))
    (held,) = shell.world.held()
    said = shell.fails("quarantine", "release", held.quarantine_id, "--consent", filed.id, "--by", "officer")
    assert "No running Orthanc with Consentgate was found. Start it" in said
    (still,) = shell.world.held()
    assert (still.status, still.consent_id) == ("HELD", filed.id)
    entry = shell.world.trail()[-1]
    assert (entry["effect"], entry["actor"], entry["consents"]) == ("LINKED", "officer", [filed.id])
    assert shell.world.services.spool.get(still.spool_name) == photograph_bytes()


def test_an_officer_s_word_that_the_patient_supplied_it_is_kept_until_orthanc_runs(shell: Shell) -> None:
    shell.world.receive(taken(device_class="PATIENT"), "uploader")
    (held,) = shell.world.held()
    assert shell.json("quarantine", "show", held.quarantine_id)["account"] == "uploader"
    shell.fails("quarantine", "release", held.quarantine_id, "--patient-supplied", "--by", "officer")
    assert shell.world.held()[0].patient_supplied
    entry = shell.world.trail()[-1]
    assert (entry["effect"], entry["actor"], entry["subject"]) == ("CONFIRMED_PATIENT_SUPPLIED", "officer", UID)


def test_what_doesn_t_say_that_the_patient_supplied_it_isn_t_confirmed(shell: Shell) -> None:
    shell.world.receive()
    (held,) = shell.world.held()
    said = shell.fails("quarantine", "release", held.quarantine_id, "--patient-supplied", "--by", "officer")
    assert "Leave --patient-supplied out" in said
    assert not shell.world.held()[0].patient_supplied


def test_only_what_is_held_is_linked_to_a_consent(shell: Shell) -> None:
    shell.world.receive()
    filed = shell.world.record(consent(id="urn:x:right"))
    (held,) = shell.world.held()
    shell.world.sql("UPDATE quarantine SET status = 'DELETED'")
    said = shell.fails("quarantine", "release", held.quarantine_id, "--consent", filed.id, "--by", "officer")
    assert "Only what is held can be linked" in said
    assert shell.world.sql("SELECT consent_id FROM quarantine") == [(None,)]


def test_an_orthanc_that_can_t_be_reached_is_told(shell: Shell) -> None:
    shell.world.receive()
    (shell.world.folder / "run").mkdir()
    shell.put("run/boot.secret", json.dumps({"password": "p", "secret": "s"}))
    settings = shell.world.folder / "settings.toml"
    settings.write_text(settings.read_text() + '[orthanc]\nurl = "http://127.0.0.1:1"\n')
    said = shell.fails("quarantine", "release", shell.world.held()[0].quarantine_id, "--by", "officer")
    assert "Orthanc could not be reached" in said
    assert len(shell.world.held()) == 1


def test_a_held_object_that_was_changed_on_disk_is_not_released(shell: Shell) -> None:
    shell.world.receive()
    (shell.world.folder / "run").mkdir()
    shell.put("run/boot.secret", json.dumps({"password": "p", "secret": "s"}))
    (held,) = shell.world.held()
    shell.world.services.spool.put(held.spool_name, b"something else")
    assert "changed on disk" in shell.fails("quarantine", "release", held.quarantine_id, "--by", "officer")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nothing"), "consentgate quarantine list"),
        (("release", "nothing", "--by", "officer"), "consentgate quarantine list"),
        (("release", "id-1", "--consent", "urn:x:none", "--by", "officer"), "consentgate consent list"),
    ],
)
def test_what_is_not_there_is_told(arguments: tuple[str, ...], words: str, shell: Shell) -> None:
    shell.world.receive()
    assert shell.world.held()[0].quarantine_id == "id-1"
    assert words in shell.fails("quarantine", *arguments)
    assert shell.world.held()[0].consent_id is None
