"""``consentgate deidentify`` and what it is given: folders, regions, pipes, full disks, runs that were killed."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import EncapsulatedPDFStorage, JPEGBaseline8Bit

from orthanc_plugin.cli.batch import NOTES
from tests.fakes.pictures import ct, encoded, photograph
from tests.unit.cli.test_deidentify import KEY, POLICY, REVIEWED, Desk, furnished

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

BLANKED = [[0, 0, 16, 16]]
ZEROS = "00" * 32
LEFT_OVER = ".dicomwrap-a1b2c3d4.part"
SAID = {"input", "status", "output", "reason", "actions"}
PROGRAM = (sys.executable, "-c", "from orthanc_plugin.cli.main import main; main()", "deidentify")
ALMIGHTY = "-dac_override,-dac_read_search"
LIKE_ANYBODY = ("setpriv", f"--bounding-set={ALMIGHTY}", f"--inh-caps={ALMIGHTY}", "--") if os.geteuid() == 0 else ()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return furnished(tmp_path, monkeypatch)


def listed(desk: Desk, said: dict[str, object], name: str = "regions.json") -> Path:
    """Write a file of regions or crops."""
    return desk.put(name, json.dumps(said).encode())


def noted(desk: Desk) -> list[dict[str, object]]:
    """Return the notes of the folder of the copies."""
    return [json.loads(line) for line in (desk.out / NOTES).read_text().splitlines()]


def started(
    desk: Desk, *arguments: str | Path, before: tuple[str, ...] = (), stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run the command as a program of its own, under another command such as setpriv."""
    words = [*before, *PROGRAM, *map(str, arguments), "--out", str(desk.out), "--key", str(desk.key)]
    return subprocess.run(
        words, check=False, timeout=60, text=True, cwd=desk.folder, stdout=stdout, stderr=subprocess.PIPE
    )


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Have the disk refuse what would make a file longer, as a full one does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("given", "out"),
    [
        (("in",), "in"),
        (("in",), "."),
        (("in/Doe_Jane.dcm",), "in"),
        (("in/Doe_Jane.dcm",), "."),
        (("in/Doe_Jane.dcm",), "also"),
        (("link.dcm",), "in"),
        (("link.dcm",), "."),
        (("other", "in/Doe_Jane.dcm"), "in/../in"),
    ],
)
def test_copies_never_come_to_lie_among_the_originals(given: tuple[str, ...], out: str, desk: Desk) -> None:
    desk.put("other/a.dcm", encoded(photograph(uid="2.25.9")))
    (desk.folder / "also").symlink_to("in")
    (desk.folder / "link.dcm").symlink_to("in/Doe_Jane.dcm")
    before = sorted(desk.folder.rglob("*"))
    result = replace(desk, into=out)(*given, *REVIEWED, "--key", desk.key, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Give another folder" in result.stderr
    assert sorted(desk.folder.rglob("*")) == before


def test_copies_may_lie_in_a_folder_of_the_inputs_and_are_none_themselves(desk: Desk) -> None:
    within = replace(desk, into="in/copies")
    for _ in range(2):
        assert [each["input"] for each in within.judged("in", *REVIEWED)] == ["in/Doe_Jane.dcm"]


@pytest.mark.parametrize("given", [("empty",), ("empty", "hollow")])
def test_nothing_to_do_is_an_error_and_says_so(given: tuple[str, ...], desk: Desk) -> None:
    for name in ("empty", "hollow/within"):
        (desk.folder / name).mkdir(parents=True)
    result = desk(*given, *REVIEWED, "--key", desk.key, "--json")
    assert (result.exit_code, result.stdout, desk.out.exists()) == (2, "", False)
    assert "There is no file" in result.stderr


@pytest.mark.parametrize("within", [False, True])
def test_a_pipe_is_refused_and_not_waited_for(within: bool, desk: Desk) -> None:
    os.mkfifo(desk.folder / "in/pipe")
    (desk.folder / "in/nowhere").symlink_to("gone")
    (desk.folder / "in/round").symlink_to("round")
    run = started(desk, *(("in",) if within else ("in/Doe_Jane.dcm", "in/pipe", "/dev/zero")), *REVIEWED, "--json")
    said = {str(each["input"]): each for each in map(json.loads, run.stdout.splitlines())}
    refused = ("in/nowhere", "in/pipe", "in/round") if within else ("in/pipe", "/dev/zero")
    assert run.returncode == 1
    assert set(said) == {"in/Doe_Jane.dcm", *refused}
    assert {said[each]["status"] for each in refused} == {"refused"}
    assert "no regular file" in said["in/pipe"]["reason"]


def test_a_folder_that_can_t_be_read_is_not_passed_over(desk: Desk) -> None:
    desk.put("in/shut/a.dcm", encoded(photograph(uid="2.25.9"))).parent.chmod(0o300)
    desk.put("in/mine.dcm", b"").chmod(0o000)
    run = started(desk, "in", *REVIEWED, "--json", before=LIKE_ANYBODY)
    said = {str(each["input"]): each["reason"] for each in map(json.loads, run.stdout.splitlines())}
    assert set(said) == {"in/Doe_Jane.dcm", "in/mine.dcm", "in/shut"}
    for each in ("in/mine.dcm", "in/shut"):
        assert "can't be read (Permission denied). Mend that" in said[each]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("option", "part"), [("--regions", BLANKED), ("--crops", [0, 0, 40, 40])])
def test_what_is_said_of_a_picture_holds_under_its_other_names_too(
    option: str, part: list[object], jobs: int, desk: Desk
) -> None:
    shutil.copy(desk.folder / "in/Doe_Jane.dcm", desk.folder / "in/A copy.dcm")
    (desk.folder / "in/B link.dcm").symlink_to("Doe_Jane.dcm")
    said = desk.judged("in", *REVIEWED, option, listed(desk, {"Doe_Jane.dcm": part}), "--jobs", str(jobs))
    assert len({str(each["output"]) for each in said}) == 1
    alone = Desk(folder=desk.folder / "alone")
    alone.put("pseudonym.key", KEY.encode()).chmod(0o600)
    alone.judged("in/Doe_Jane.dcm", *REVIEWED, option, desk.folder / "regions.json")
    assert [each.read_bytes() for each in desk.copies] == [each.read_bytes() for each in alone.copies]


@pytest.mark.parametrize(("option", "one", "other"), [
    ("--regions", BLANKED, [[16, 16, 9, 9]]),
    ("--regions", BLANKED, []),
    ("--crops", [0, 0, 40, 40], [0, 0, 16, 16]),
])  # fmt: skip
def test_two_things_said_of_one_picture_stop_the_run_before_it_begins(
    option: str, one: list[object], other: list[object], desk: Desk
) -> None:
    shutil.copy(desk.folder / "in/Doe_Jane.dcm", desk.folder / "in/A copy.dcm")
    said = listed(desk, {"Doe_Jane.dcm": one, "A copy.dcm": other})
    result = desk("in", *REVIEWED, "--key", desk.key, option, said, "--json")
    assert (result.exit_code, result.stdout, desk.out.exists()) == (1, "", False)
    for name in ("in/Doe_Jane.dcm", "in/A copy.dcm", "the same picture"):
        assert name in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "RecursionError"),
        (b'{"in/Doe_Jane.dcm": ' + b"[" * 100_000, "RecursionError"),
        ('{"Doe_Jäne.dcm": []}'.encode("latin-1"), "can't be read"),
        ("\N{BOM}{}".encode("utf-16"), "can't be read"),
    ],
)
def test_a_file_of_regions_that_can_t_be_read_is_said_to_be_so(content: bytes, words: str, desk: Desk) -> None:
    result = desk("in", *REVIEWED, "--key", desk.key, "--regions", desk.put("regions.json", content))
    assert (result.exit_code, result.stdout, desk.copies) == (1, "", [])
    assert "regions.json" in result.stderr
    assert words in result.stderr


def test_a_file_of_regions_may_begin_with_a_byte_order_mark(desk: Desk) -> None:
    regions = desk.put("regions.json", json.dumps({"Doe_Jane.dcm": BLANKED}).encode("utf-8-sig"))
    assert desk.judged("in", *REVIEWED, "--regions", regions)[0]["status"] == "written"


def test_who_reviewed_and_what_was_blanked_is_noted_and_said_nowhere_else(desk: Desk) -> None:
    desk.put("in/plain.dcm", encoded(photograph(uid="2.25.9")))
    said = desk.judged("in", *REVIEWED, "--regions", listed(desk, {"Doe_Jane.dcm": BLANKED}))
    blanked, plain = noted(desk)
    assert (blanked["reviewed_by"], plain["reviewed_by"]) == ("R. Viewer", "R. Viewer")
    assert (blanked["regions"], plain["regions"]) == ([[[0, 0], [15, 0], [15, 15], [0, 15]]], [])
    assert (desk.out / NOTES).stat().st_mode & 0o077 == 0
    assert {name for each in said for name in each} == SAID
    assert not [copy for copy in desk.copies if b"R. Viewer" in copy.read_bytes()]


def test_what_is_kept_is_noted(desk: Desk) -> None:
    desk.judged("in", *REVIEWED, "--crops", listed(desk, {"Doe_Jane.dcm": [0, 0, 40, 40]}))
    assert noted(desk)[0]["crop"] == {"left": 0, "top": 0, "width": 40, "height": 40}


def test_notes_of_older_versions_are_read(desk: Desk) -> None:
    first = desk.judged("in", *REVIEWED)
    (note,) = noted(desk)
    older = json.dumps({name: note[name] for name in ("of", "output", "sha256", "actions")}) + "\n"
    (desk.out / NOTES).write_text("[" * 100_000 + "\n" + older)
    assert desk.judged("in", *REVIEWED) == first
    assert (desk.out / NOTES).read_text().endswith(older)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_copy_that_can_t_be_noted_is_not_made(jobs: int, desk: Desk) -> None:
    desk.put("in/next.dcm", encoded(photograph(uid="2.25.9")))
    longest = 1 << 20
    desk.put(f"copies/{NOTES}", b" " * (longest - 10) + b"\n")
    with files_no_longer_than(longest):
        said = desk.judged("in", *REVIEWED, "--jobs", str(jobs), code=1)
    assert [(each["status"], each["output"]) for each in said] == [("refused", None)] * 2
    assert "No copy could be written (File too large). Mend that" in str(said[0]["reason"])
    assert desk.copies == []
    assert [each["status"] for each in desk.judged("in", *REVIEWED)] == ["written", "written"]
    assert len(desk.copies) == 2


def test_a_copy_that_can_t_be_written_whole_is_not_there(desk: Desk) -> None:
    with files_no_longer_than(1 << 10):
        (said,) = desk.judged("in", *REVIEWED, code=1)
    assert (said["status"], said["output"], desk.copies) == ("refused", None, [])
    assert desk.judged("in", *REVIEWED)[0]["status"] == "written"


def test_what_a_killed_run_left_half_written_is_removed(desk: Desk) -> None:
    left, other = desk.put(f"copies/{LEFT_OVER}", b"half"), desk.put("copies/own.part", b"somebody's own")
    desk.judged("in", *REVIEWED)
    assert (left.exists(), other.exists()) == (False, True)


def test_what_another_run_may_be_writing_stays(desk: Desk) -> None:
    part = desk.put(f"copies/{LEFT_OVER}", b"half")
    another = os.open(desk.out, os.O_RDONLY)
    fcntl.flock(another, fcntl.LOCK_SH)
    desk.judged("in", *REVIEWED)
    assert part.exists()
    os.close(another)
    desk.judged("in", *REVIEWED)
    assert not part.exists()


def nested(times: int) -> bytes:
    """Return a photograph before whose modality a sequence nests in itself."""
    content = encoded(photograph())
    at = content.index(b"\x08\0\x60\0CS")
    opened = b"\x08\0\x51\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\r\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return content[:at] + opened * times + closed * times + content[at:]


def coded(syntax: str) -> bytes:
    """Return a photograph that says it is of another transfer syntax, be it one that pydicom doesn't write."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    known = JPEGBaseline8Bit.encode()
    return encoded(photograph()).replace(b"UI\x16\0" + known, b"UI" + len(uid).to_bytes(2, "little") + uid, 1)


@pytest.mark.parametrize(
    ("content", "reason", "remedy"),
    [
        (b"notes", "The bytes are no DICOM object", "'dicomwrap wrap' makes them"),
        (encoded(photograph(SOPClassUID=EncapsulatedPDFStorage)), "Documents", "Leave it out."),
        (encoded(ct()), "The object has no pixel data", "only pictures"),
        (coded("1.2.3.4"), "The transfer syntax is not one", "another transfer syntax"),
        (coded("1.2.840.10008.1.2.4.112"), "streams can't be read", "another transfer syntax"),
        (
            encoded(photograph(PatientID="Consentgate")),
            "The copy still carries identifiers",
            "a profile that keeps less",
        ),
        (encoded(photograph(SOPClassUID=None)), "it has no SOP class", "ask for support"),
        (nested(3000), "The object is damaged or unusual", "ask for support"),
    ],
)
def test_every_reason_is_a_sentence_and_says_what_to_do(content: bytes, reason: str, remedy: str, desk: Desk) -> None:
    desk.put("in/Doe_Jane.dcm", content)
    (said,) = desk.judged("in", *REVIEWED, code=1)
    assert said["status"] == "refused"
    assert reason in str(said["reason"])
    assert remedy in str(said["reason"])
    assert "governance" not in str(said["reason"])


def test_where_uids_are_kept_a_number_in_one_is_told_with_what_to_do(desk: Desk) -> None:
    desk.put("settings.toml", b"")
    desk.put("policy.toml", POLICY.replace('custodians = ["records"]', 'options = ["Retain UIDs"]').encode())
    desk.put("in/Doe_Jane.dcm", encoded(photograph(uid="2.25.12345678", PatientID="12345678")))
    (said,) = desk.judged("in", "--profile", "study", "--reviewed-by", "R. Viewer", code=1)
    assert "A UID that is kept has an identifier" in str(said["reason"])
    assert "without Retain UIDs" in str(said["reason"])


@pytest.mark.parametrize("by_file", [True, False])
def test_a_key_of_zeros_is_none(by_file: bool, desk: Desk) -> None:
    desk.key.write_text(ZEROS)
    given = ("--key", desk.key) if by_file else ()
    result = desk("in", *REVIEWED, *given, env={"CONSENTGATE_PSEUDONYM_KEY": ZEROS})
    assert (result.exit_code, result.stdout, desk.out.exists()) == (1, "", False)
    assert "zeros" in result.stderr
    assert "openssl rand" in result.stderr


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_output_that_can_t_be_written_ends_the_run_with_words_and_the_next_goes_on(
    as_json: tuple[str, ...], desk: Desk
) -> None:
    with Path("/dev/full").open("w") as full:
        run = started(desk, "in", *REVIEWED, *as_json, stdout=full.fileno())
    assert run.returncode == 1
    assert run.stderr.startswith("consentgate: What was done can't be printed (No space left on device)")
    assert len(run.stderr.splitlines()) == 1
    assert desk.judged("in", *REVIEWED)[0]["status"] == "written"
