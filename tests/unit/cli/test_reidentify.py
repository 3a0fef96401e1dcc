"""``consentgate reidentify request | approve | open | list``: two people, a key, a record before anything is seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from orthanc_plugin.policy.model import Anonymisable, Decision, Effect
from orthanc_plugin.release import Context, Released
from tests.fakes.custodians import Custodian, custodian, key_pem
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, TEACHING, UID, photograph, photograph_bytes
from tests.fakes.world import POLICY, SETTINGS, World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

STUDY = POLICY.replace('profile = "teaching"', 'profile = "study"') + (
    '[profiles.study]\npseudonym_domain = "study"\ncustodians = ["records"]\npixels = "none"\n'
)
PEOPLE = """
[[users]]
name = "dr-a"
person = "A. Person"
roles = ["view"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "caldicott"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
CUSTODIANS = '[custodians]\nrecords = "records.pem"\n'
REASON = ("--reason", "A study found melanoma: the patient must be told.")
WHO = ("PatientName", "PatientID", "PatientBirthDate")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    custodian(tmp_path)
    made = make_world(tmp_path, policy=STUDY + PEOPLE, settings=SETTINGS + CUSTODIANS)
    yield made
    made.close()


@pytest.fixture
def records(world: World) -> Custodian:
    return Custodian(name="records", key=world.folder / "records.key", certificate=world.folder / "records.pem")


@pytest.fixture
def copy(world: World) -> Path:
    """Give a file with a copy that left."""
    path = world.folder / "copy.dcm"
    path.write_bytes(released(world).content)
    return path


def released(world: World) -> Released:
    context = Context(binding=world.binding("teacher"), reviewed=Anonymisable.YES, recordable=True)
    permit = Decision(effect=Effect.PERMIT_ANONYMISED, reasons=(), rules=())
    return world.services.release.prepare(permit, context, photograph_bytes(), UID)


def approved(shell: Shell, copy: Path, asker: str = "dr-a") -> str:
    opening = str(shell.json("reidentify", "request", copy, *REASON, "--by", asker)["opening_id"])
    shell.json("reidentify", "approve", opening, "--by", "caldicott")
    return opening


def effects(world: World) -> list[object]:
    return [entry["effect"] for entry in world.trail() if str(entry["door"]).startswith("consentgate reidentify")]


def test_two_people_and_a_key_find_out_whose_it_is(shell: Shell, copy: Path, records: Custodian) -> None:
    opening = approved(shell, copy)
    found = shell.json("reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a")
    assert found["attributes"]["00100020"]["Value"] == [PATIENT.id]
    assert found["attributes"]["00080018"]["Value"] == [UID]
    assert effects(shell.world) == ["REIDENTIFICATION_REQUESTED", "REIDENTIFICATION_APPROVED", "REIDENTIFIED"]
    assert "It was opened before" in shell.fails(
        "reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a"
    )
    assert shell.json("reidentify", "list") == []
    (known,) = shell.json("reidentify", "list", "--all")
    assert (known["requested_by"], known["approved_by"]) == ("dr-a", "caldicott")


def test_neither_trail_nor_list_say_whose_it_was(shell: Shell, copy: Path, records: Custodian) -> None:
    opening = approved(shell, copy)
    said = shell("reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a").stdout
    original = photograph()
    secrets = [str(original[name].value) for name in WHO]
    assert [secret for secret in secrets if secret in said] == secrets
    kept = json.dumps([*shell.world.trail(), *shell.json("reidentify", "list", "--all")], default=str)
    assert [secret for secret in (*secrets, "melanoma") if secret in json.dumps(shell.world.trail(), default=str)] == []
    assert [secret for secret in secrets if secret in kept] == []


def test_the_restored_file_is_for_its_owner_alone_and_never_over_another(
    shell: Shell, copy: Path, records: Custodian
) -> None:
    out = shell.world.folder / "restored.dcm"
    arguments = (copy, "--key", records.key, "--out", out, "--by", "dr-a")
    shell.json("reidentify", "open", approved(shell, copy), *arguments)
    assert out.stat().st_mode & 0o777 == 0o600
    assert str(dcmread(out).PatientName) == str(photograph().PatientName)
    before = out.read_bytes()
    assert "there already" in shell.fails("reidentify", "open", approved(shell, copy), *arguments)
    assert out.read_bytes() == before


def test_a_name_that_anybody_may_make_up_neither_asks_nor_approves(shell: Shell, copy: Path) -> None:
    assert "not in policy.toml" in shell.fails("reidentify", "request", copy, *REASON, "--by", "Somebody Else")
    opening = str(shell.json("reidentify", "request", copy, *REASON, "--by", "dr-a")["opening_id"])
    assert "not in policy.toml" in shell.fails("reidentify", "approve", opening, "--by", "Somebody Else")
    assert effects(shell.world) == ["REIDENTIFICATION_REQUESTED"]


@pytest.mark.parametrize("name", ["dr-a", "Dr-A", "dr-a ", "\uff44\uff52-a", "dr\u200b-a", "A. Person", "a.  person"])
def test_nobody_approves_their_own_request_in_any_disguise(name: str, shell: Shell, copy: Path) -> None:
    opening = str(shell.json("reidentify", "request", copy, *REASON, "--by", "dr-a")["opening_id"])
    assert "somebody else approve" in shell.fails("reidentify", "approve", opening, "--by", name)
    assert effects(shell.world) == ["REIDENTIFICATION_REQUESTED"]


def test_an_id_that_nobody_gave_is_told_so_and_isn_t_written_down(shell: Shell, copy: Path, records: Custodian) -> None:
    before = len(shell.world.trail())
    said = shell.fails("reidentify", "open", "Jane Doe", copy, "--key", records.key, "--by", "dr-a")
    assert "consentgate reidentify list" in said
    assert "consentgate reidentify list" in shell.fails("reidentify", "approve", "Jane Doe", "--by", "dr-a")
    assert len(shell.world.trail()) == before


def test_what_isn_t_approved_is_not_opened(shell: Shell, copy: Path, records: Custodian) -> None:
    opening = str(shell.json("reidentify", "request", copy, *REASON, "--by", "dr-a")["opening_id"])
    assert "Nobody has approved" in shell.fails(
        "reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a"
    )
    assert effects(shell.world)[-1] == "REIDENTIFICATION_REFUSED"


def test_an_approval_is_for_whoever_asked_for_this_file_and_for_a_week(
    shell: Shell, copy: Path, records: Custodian
) -> None:
    opening = approved(shell, copy)
    arguments = ("--key", records.key, "--by")
    assert "Somebody else asked" in shell.fails("reidentify", "open", opening, copy, *arguments, "caldicott")
    other = shell.world.folder / "other.dcm"
    other.write_bytes(released(shell.world).content)
    assert "another file" in shell.fails("reidentify", "open", opening, other, *arguments, "dr-a")
    shell.world.sql("UPDATE openings SET approved_at = '2020-11-01T00:00:00+00:00'")
    assert "has lapsed" in shell.fails("reidentify", "open", opening, copy, *arguments, "dr-a")


def test_a_wrong_key_tells_nothing_and_leaves_the_approval_as_it_was(
    shell: Shell, copy: Path, records: Custodian
) -> None:
    opening = approved(shell, copy)
    stranger = custodian(shell.world.folder, "stranger")
    said = shell.fails("reidentify", "open", opening, copy, "--key", stranger.key, "--by", "dr-a")
    assert "--certificate" in said
    named = ("--key", stranger.key, "--certificate", stranger.certificate, "--by", "dr-a")
    assert "not for the holder" in shell.fails("reidentify", "open", opening, copy, *named)
    assert effects(shell.world)[-2:] == ["REIDENTIFICATION_REFUSED"] * 2
    assert shell.json("reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a")["attributes"]


def test_a_key_with_a_passphrase_and_its_own_certificate_beside_it(
    shell: Shell, copy: Path, records: Custodian
) -> None:
    both = shell.world.folder / "both.pem"
    both.write_bytes(key_pem("records", b"secret") + records.certificate.read_bytes())
    both.chmod(0o600)
    records.certificate.unlink()
    phrase = shell.put("phrase", "secret\n")
    opening = approved(shell, copy)
    arguments = ("reidentify", "open", opening, copy, "--key", both)
    assert "can't be read" in shell.fails(*arguments, "--by", "dr-a")
    assert "passphrase" in shell.fails(*arguments, "--passphrase-file", shell.world.folder / "none", "--by", "dr-a")
    assert shell.json(*arguments, "--passphrase-file", phrase, "--by", "dr-a")["attributes"]


def test_no_record_no_opening(shell: Shell, copy: Path, records: Custodian) -> None:
    opening = approved(shell, copy)
    shell.world.stop_the_trail()
    said = shell.fails("reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a")
    assert PATIENT.id not in said.split()
    assert shell.json("reidentify", "list")[0]["opened_at"] is None


@pytest.mark.parametrize(
    ("content", "words"),
    [(photograph_bytes(), "no Encrypted Attributes Sequence"), (b"no DICOM", "no DICOM object")],
    ids=["an original", "text"],
)
def test_a_file_that_can_t_be_reidentified_isn_t_asked_for(content: bytes, words: str, shell: Shell) -> None:
    path = shell.world.folder / "file"
    path.write_bytes(content)
    assert words in shell.fails("reidentify", "request", path, *REASON, "--by", "dr-a")
    assert shell.json("reidentify", "list") == []


@pytest.mark.parametrize("reason", ["", "because", " . . . . . . . "])
def test_a_reason_is_in_words(reason: str, shell: Shell, copy: Path) -> None:
    assert "reason in words" in shell.fails("reidentify", "request", copy, "--reason", reason, "--by", "dr-a")


def test_what_was_put_from_one_copy_into_another_is_found_out(shell: Shell, copy: Path, records: Custodian) -> None:
    world = shell.world
    world.file(CARE, TEACHING, uid="2.25.999")
    world.review("2.25.999")
    leave(world, "2.25.999")
    of_another = dcmread(copy).SOPInstanceUID
    world.sql(f"UPDATE disclosures SET released_uid = '{of_another}'")  # noqa: S608 - the test's own
    said = shell.fails("reidentify", "open", approved(shell, copy), copy, "--key", records.key, "--by", "dr-a")
    assert "belongs to another picture" in said
    assert PATIENT.id not in said.split()


def test_an_approval_that_was_made_up_behind_our_back_is_noticed(shell: Shell, copy: Path) -> None:
    shell.json("reidentify", "request", copy, *REASON, "--by", "dr-a")
    assert shell.json("audit", "verify")["whole"] is True
    shell.world.sql("UPDATE openings SET approved_at = '2026-11-22T00:00:00+00:00', approved_by = 'somebody'")
    assert "re-identification" in shell.json("audit", "verify", code=1)["problem"]


def test_a_certificate_that_has_run_out_stops_the_release_and_names_no_patient(world: World, copy: Path) -> None:
    (world.folder / "records.pem").unlink()
    with pytest.raises(Exception, match="certificate of custodian records") as caught:
        released(world)
    assert PATIENT.id not in str(caught.value).split()


@pytest.mark.parametrize(
    ("people", "why"),
    [
        (PEOPLE.replace('name = "dr-a"', 'name = "dr-b"').replace("A. Person", "B. Person"), "not in policy.toml"),
        (PEOPLE.replace('name = "caldicott"', 'name = "successor"'), "nobody else has approved"),
        (PEOPLE.replace('name = "caldicott"', 'name = "caldicott"\nperson = "A. Person"'), "nobody else has approved"),
    ],
    ids=["who asked has left", "who approved has left", "the two turn out to be one person"],
)
def test_nothing_is_opened_that_policy_as_it_stands_has_no_two_people_for(
    people: str, why: str, shell: Shell, copy: Path, records: Custodian
) -> None:
    opening = approved(shell, copy)
    (shell.world.folder / "policy.toml").write_text(STUDY + people)
    assert why in shell.fails("reidentify", "open", opening, copy, "--key", records.key, "--by", "dr-a")
    assert effects(shell.world)[-1] == "REIDENTIFICATION_REFUSED"
    assert [each["opened_at"] for each in shell.json("reidentify", "list")] == [None]
