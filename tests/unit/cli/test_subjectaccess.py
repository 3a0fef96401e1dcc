"""``consentgate subject-access``, with an archive that is only made up."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.owncopy import OwnCopy
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.lifecycle import subjectaccess
from orthanc_plugin.lifecycle.ownfolder import FolderError, OwnFolder, own_folder
from orthanc_plugin.policy.access import CheckKind, LeftOut
from orthanc_plugin.registry import access, stubs
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import POLICY, World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import leave

OTHER = "2.25.31"
PICTURES = (UID, OTHER)
WHO = (PATIENT.id, PATIENT.issuer)
STAFF = "".join(
    f'[[users]]\nname = "{name}"\nroles = ["tasks"]\npurpose = "RECORDS_MANAGEMENT"\naudience = "RECORDS_OFFICER"\n'
    for name in ("records", "dr-look", "porter")
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=POLICY + STAFF)
    yield made
    made.close()


@pytest.fixture
def asked(shell: Shell) -> Shell:
    """Give a world with two photographs of a patient who asked for a copy."""
    shell.world.file(CARE, TEACHING)
    shell.world.file(uid=OTHER)
    arguments = ("--issuer", PATIENT.issuer, "--handover", "IN_PERSON", "--note", "by letter", "--by", "records")
    shell.json("subject-access", "open", PATIENT.id, *arguments)
    return shell


def request_of(shell: Shell) -> str:
    with shell.world.services.database.reading() as connection:
        (request,) = access.listed(connection)
    return request.request_id


def check(shell: Shell, kind: str, *arguments: str, by: str = "records", clear: str = "--clear") -> None:
    which = () if kind == "identity" or "--image" in arguments else ("--all",)
    shell.json(
        "subject-access", "check", request_of(shell), kind, clear, *which, *arguments, "--reason", "x", "--by", by
    )


def checked(shell: Shell) -> Shell:
    check(shell, "identity")
    check(shell, "third-parties", by="photographer")
    check(shell, "serious-harm", by="dr-look")
    return shell


@contextmanager
def copied(shell: Shell, by: str = "records") -> Iterator[OwnCopy]:
    """Give the copy that is being made, as the command makes it."""
    services = shell.world.services
    with services.database.reading() as connection:
        request = subjectaccess.ready(connection, services.act(by, "test"), request_of(shell))
    yield OwnCopy(services, shell.world.archive, request, by)


def test_the_copy_is_made_once_everything_is_checked(asked: Shell, tmp_path: Path) -> None:
    leave(asked.world)
    checked(asked)
    out = tmp_path / "own"
    with copied(asked) as copy, own_folder(out) as folder:
        made = copy.fill(folder)
    assert made.names == ("photographs/2025-03-01_1.jpg", "photographs/2025-03-01_2.jpg")
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {path.name for path in files} == {
        "README.txt", "consents.txt", "disclosures.csv", "disclosures.html", "disclosures.pdf",
        "2025-03-01_1.jpg", "2025-03-01_2.jpg"
    }  # fmt: skip
    hidden = b"".join(path.read_bytes() for path in files if path.suffix == ".jpg")
    assert PATIENT.id.encode() not in hidden
    assert "teaching-archive" in (out / "disclosures.html").read_text()
    assert "This was agreed to." in (out / "consents.txt").read_text()
    left = [row for row in asked.world.disclosures() if row["purpose"] == "SUBJECT_ACCESS"]
    assert {(row["sop_instance_uid"], row["requester"], row["outcome"]) for row in left} == {
        (uid, "records", "BEGUN") for uid in PICTURES
    }


def test_a_picture_of_others_is_left_out_and_the_patient_is_told_why(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    check(asked, "third-parties", "--image", OTHER, by="photographer", clear="--not-clear")
    with copied(asked) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    assert [each.reason for each in made.missing] == [LeftOut.OTHERS]
    assert len(made.names) == 1
    assert LeftOut.OTHERS.value in (tmp_path / "own" / "README.txt").read_text()
    assert [row["sop_instance_uid"] for row in asked.world.disclosures()] == [UID]
    refusal = asked.world.trail()[-1]
    assert (refusal["rules"], refusal["subject"]) == (["OBLIGATION_UNMET"], OTHER)


@pytest.mark.parametrize("meanwhile", ["close --not-given --note", "check identity --not-clear --reason"])
def test_what_is_found_after_the_copy_was_begun_stops_it(meanwhile: str, asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    word, *how = meanwhile.split()
    with copied(asked) as copy, own_folder(tmp_path / "own") as folder:
        asked.json("subject-access", word, request_of(asked), *how, "x", "--by", "records")
        with pytest.raises(ConsentgateError):
            copy.fill(folder)
    assert [*(tmp_path / "own").rglob("*.*")] == []
    assert asked.world.disclosures() == []


def test_of_a_patient_whose_pictures_are_gone_the_pages_are_given(shell: Shell, tmp_path: Path) -> None:
    shell.world.record(consent())
    arguments = ("--issuer", PATIENT.issuer, "--handover", "IN_PERSON", "--note", "by letter", "--by", "records")
    shell.json("subject-access", "open", PATIENT.id, *arguments)
    check(shell, "identity")
    with copied(shell) as copy, own_folder(tmp_path / "own") as folder:
        copy.fill(folder)
    assert "No copy of a photograph has left." in (tmp_path / "own" / "disclosures.html").read_text()


def test_of_what_was_destroyed_the_facts_are_told(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    texts = ("stub_id", "plan_id", "uids_sha256", "rule", "schedule", "due_date", "method")
    people = ("proposed", "decided", "approved", "executed")
    told = {f"{name}_{what}": asked.world.clock().isoformat() for name in people for what in ("by", "at")}
    known = {**dict.fromkeys(texts, "x"), **told, "acquired": "2009", "objects": 3, "size": 9, "holds": ()}
    with asked.world.services.database.writing() as connection:
        link = stubs.link(connection, (PATIENT.id, PATIENT.issuer), "link-1")
        stubs.add(connection, stubs.Stub(link_id=link, certificate="2026-1", **known))  # type: ignore[arg-type]
    with copied(asked) as copy, own_folder(tmp_path / "own") as folder:
        copy.fill(folder)
    said = "3 picture(s) of 2009 were destroyed on 22 November 2026; certificate 2026-1."
    assert said in (tmp_path / "own" / "README.txt").read_text()


def test_what_one_found_harmful_nobody_else_calls_harmless(asked: Shell) -> None:
    checked(asked)
    check(asked, "serious-harm", "--image", OTHER, by="dr-look", clear="--not-clear")
    arguments = ("subject-access", "check", request_of(asked), "serious-harm", "--clear", "--reason", "x")
    assert "Somebody else found" in asked.fails(*arguments, "--all", "--by", "porter")
    asked.json(*arguments, "--image", UID, "--by", "porter")
    asked.world.clock.advance(seconds=1)
    asked.json(*arguments, "--image", OTHER, "--by", "DR-look")


def test_what_might_harm_is_left_out_without_saying_so(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    check(asked, "serious-harm", "--image", OTHER, by="dr-look", clear="--not-clear")
    with copied(asked) as copy, own_folder(tmp_path / "own") as folder:
        made = copy.fill(folder)
    assert [each.reason for each in made.missing] == [LeftOut.NOT_NOW]
    assert "harm" not in (tmp_path / "own" / "README.txt").read_text()


@pytest.mark.parametrize("lacking", [*CheckKind])
def test_without_a_check_there_is_no_copy(lacking: CheckKind, asked: Shell, tmp_path: Path) -> None:
    for kind, by in (("identity", "records"), ("third-parties", "photographer"), ("serious-harm", "dr-look")):
        if CheckKind(kind.upper().replace("-", "_")) is not lacking:
            check(asked, kind, by=by)
    said = asked.fails("subject-access", "copy", request_of(asked), "--out", tmp_path / "own", "--by", "records")
    assert f"({lacking})" in said
    assert not (tmp_path / "own").exists()


def test_the_copy_can_be_asked_for_by_the_patient_s_number(asked: Shell, tmp_path: Path) -> None:
    arguments, first = ("subject-access", "copy", PATIENT.id, "--issuer", PATIENT.issuer), request_of(asked)
    made = ("--out", tmp_path / "own", "--by", "records")
    assert "(IDENTITY)" in asked.fails(*arguments, *made)
    again = ("--issuer", PATIENT.issuer, "--handover", "POST", "--note", "once more", "--by", "records")
    second = asked.json("subject-access", "open", PATIENT.id, *again)["request"]
    said = asked.fails(*arguments, *made)
    assert all(each in said for each in ("2 open requests", first, second))
    for number in ("0815", PATIENT.id):
        assert "no patient of this number" in asked.fails("subject-access", "copy", number, "--issuer", "NHS", *made)


def test_a_picture_that_came_since_must_be_looked_at_too(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    assert asked.world.receive(encoded(photograph(uid="2.25.32"))).reasons == ()
    said = asked.fails("subject-access", "copy", request_of(asked), "--out", tmp_path / "own", "--by", "records")
    assert "1 picture(s) have not been looked at" in said


def test_a_name_that_anybody_may_make_up_neither_finds_it_harmless_nor_makes_the_copy(
    asked: Shell, tmp_path: Path
) -> None:
    harmless = ("check", request_of(asked), "serious-harm", "--clear", "--all", "--reason", "x")
    assert "not in policy.toml" in asked.fails("subject-access", *harmless, "--by", "Somebody Else")
    checked(asked)
    made = ("copy", request_of(asked), "--out", tmp_path / "own")
    assert "not in policy.toml" in asked.fails("subject-access", *made, "--by", "Somebody Else")
    assert not (tmp_path / "own").exists()


def test_whoever_makes_the_copy_has_not_made_the_harm_check(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    said = asked.fails("subject-access", "copy", request_of(asked), "--out", tmp_path / "own", "--by", "DR-look ")
    assert "somebody else" in said


def test_identity_that_was_not_proven_is_no_identity(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    check(asked, "identity", clear="--not-clear")
    said = asked.fails("subject-access", "copy", request_of(asked), "--out", tmp_path / "own", "--by", "records")
    assert "(IDENTITY)" in said


def test_what_is_there_is_never_touched_and_a_broken_copy_leaves_nothing(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    out = tmp_path / "own"
    out.mkdir()
    with pytest.raises(FolderError, match="nothing is overwritten"), own_folder(out):
        pass
    out.rmdir()
    asked.world.archive.objects.clear()
    with copied(asked) as copy, pytest.raises(ArchiveError), own_folder(out) as folder:
        copy.fill(folder)
    assert not out.exists()


class Watched(OwnFolder):
    """A folder on a disk that has room for one photograph; it notes what is on record when a file is written."""

    def __init__(self, out: Path, part: Path, world: World) -> None:
        super().__init__(out, part)
        self.world = world
        self.seen: list[tuple[str, int]] = []

    def put(self, name: str, data: bytes) -> None:
        if name.endswith("_2.jpg"):
            raise FolderError("The folder can't be written (No space left on device).")
        self.seen.append((name, len(self.world.disclosures())))
        super().put(name, data)


def test_a_disclosure_is_on_record_before_its_file_and_fails_with_the_copy(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    folder = Watched(tmp_path / "own", tmp_path / "part", asked.world)
    folder.begin()
    with copied(asked) as copy, pytest.raises(FolderError):
        copy.fill(folder)
    assert folder.seen[-1] == ("photographs/2025-03-01_1.jpg", 1)
    assert [row["outcome"] for row in asked.world.disclosures()] == ["FAILED", "FAILED"]


@pytest.mark.parametrize(("word", "outcome"), [("--given", "DELIVERED"), ("--not-given", "FAILED")])
def test_closing_says_how_it_ended(word: str, outcome: str, asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    (task,) = [row for row in asked.json("task", "list") if row["kind"] == "SUBJECT_ACCESS"]
    assert task["due_at"].startswith("2026-12-23T00:00")
    assert "consentgate subject-access close" in asked.fails(
        "task", "close", task["task_id"], "--note", "x", "--by", "a"
    )
    with copied(asked) as copy, own_folder(tmp_path / "own") as folder:
        copy.fill(folder)
    request = request_of(asked)
    asked.json("subject-access", "close", request, word, "--note", "in clinic", "--by", "records")
    assert {row["outcome"] for row in asked.world.disclosures()} == {outcome}
    assert [row for row in asked.json("task", "list") if row["kind"] == "SUBJECT_ACCESS"] == []
    assert "is closed" in asked.fails("subject-access", "close", request, word, "--note", "again", "--by", "records")
    assert asked.json("subject-access", "list") == []
    assert [row["outcome"] for row in asked.json("subject-access", "list", "--all")] == ["in clinic"]


def test_no_account_can_be_bound_to_a_request(asked: Shell) -> None:
    checked(asked)
    world = asked.world
    patient = ("nobody", f"subject access {request_of(asked)}", "0" * 64)
    with world.services.database.reading() as connection:
        assert access.checked(connection, "derm", UID, world.row().sha256) is None
        assert access.checked(connection, f"subject access {patient[0]}", UID, world.row().sha256) == frozenset()
        assert access.checked(connection, patient[1], UID, patient[2]) == frozenset()
        assert len(access.checked(connection, patient[1], UID, world.row().sha256) or ()) == 2


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE access_checks SET finding = 'NOT_CLEAR' WHERE kind = 'IDENTITY'", "subject access check"),
        ("DELETE FROM access_checks WHERE kind = 'IDENTITY'", "subject access check"),
        ("UPDATE access_requests SET patient_id = 'other'", "subject access"),
    ],
)
def test_a_check_that_was_changed_is_noticed(statement: str, kind: str, asked: Shell) -> None:
    checked(asked)
    asked.world.sql("DELETE FROM consents")  # which the world records without telling the trail
    assert asked.json("audit", "verify")["whole"] is True
    asked.world.sql(statement)
    assert f"1 {kind} record(s)" in asked.json("audit", "verify", code=1)["problem"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("open", PATIENT.id, "--issuer", "HOSP", "--as", "PR_HOLDER", "--handover", "POST"), "the patient alone"),
        (("open", "0815", "--handover", "POST"), "No such patient"),
        (("open", PATIENT.id, "--issuer", "HOSP", "--handover", "POST", "--received", "2027-01-01"), "today or before"),
    ],
)
def test_a_request_that_can_t_be_is_refused(arguments: tuple[str, ...], words: str, shell: Shell) -> None:
    shell.world.file(CARE)
    if arguments[1] == PATIENT.id:
        arguments = tuple(PATIENT.issuer if each == "HOSP" else each for each in arguments)
    assert words in shell.fails("subject-access", *arguments, "--note", "by letter", "--by", "records")


def test_without_a_running_archive_nothing_is_made(asked: Shell, tmp_path: Path) -> None:
    checked(asked)
    said = asked.fails("subject-access", "copy", request_of(asked), "--out", tmp_path / "own", "--by", "records")
    assert said.startswith(f"consentgate: {ArchiveError('No running Orthanc').args[0]}")
    assert not (tmp_path / "own").exists()
