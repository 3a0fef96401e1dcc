"""``consentgate deidentify``: copies of files that are in no archive, or the reason why there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from pydicom import dcmread

from orthanc_plugin.cli.batch import NOTES
from orthanc_plugin.cli.main import main
from orthanc_plugin.deid.vaultopen import attributes_in, private_key
from tests.fakes.custodians import custodian
from tests.fakes.pictures import encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

KEY = "ab" * 32


@dataclass(kw_only=True)
class Desk:
    """A folder with photographs and a key, and no settings.toml."""

    folder: Path
    into: str = "copies"

    def __call__(self, *arguments: str | Path, env: dict[str, str] | None = None) -> Result:
        """Run the command."""
        words = ["deidentify", *map(str, arguments), "--out", str(self.out)]
        return CliRunner().invoke(main, words, env=env, catch_exceptions=False)

    def judged(self, *arguments: str | Path, code: int = 0) -> list[dict[str, object]]:
        """Run the command with a key and --json, and return its lines."""
        result = self(*arguments, "--key", self.key, "--json")
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    @property
    def out(self) -> Path:
        """Where the copies go."""
        return self.folder / self.into

    @property
    def key(self) -> Path:
        """The key file."""
        return self.folder / "pseudonym.key"

    @property
    def copies(self) -> list[Path]:
        """The copies that are there."""
        return sorted(self.out.glob("*.dcm"))

    def put(self, name: str, content: bytes) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


def furnished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk with a photograph on it, at which the test sits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTGATE_SETTINGS", raising=False)
    made = Desk(folder=tmp_path)
    made.put("pseudonym.key", KEY.encode()).chmod(0o600)
    made.put("in/Doe_Jane.dcm", encoded(photograph()))
    return made


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return furnished(tmp_path, monkeypatch)


TEACHING = ("--profile", "teaching")
REVIEWED = (*TEACHING, "--reviewed-by", "R. Viewer")


def test_a_picture_that_nobody_confirmed_is_held_back_and_listed(desk: Desk) -> None:
    (said,) = desk.judged("in", *TEACHING, code=1)
    assert (said["input"], said["status"], said["output"]) == ("in/Doe_Jane.dcm", "held", None)
    assert "--reviewed-by" in str(said["reason"])
    assert desk.copies == []


@pytest.mark.parametrize("name", ["", " "])
def test_nobody_is_no_reviewer(name: str, desk: Desk) -> None:
    assert desk.judged("in", *TEACHING, "--reviewed-by", name, code=1)[0]["status"] == "held"


def test_a_confirmed_picture_is_written_under_a_name_that_says_nothing(desk: Desk) -> None:
    before = (desk.folder / "in/Doe_Jane.dcm").read_bytes()
    (said,) = desk.judged("in", *REVIEWED)
    assert set(said) == {"input", "status", "output", "reason", "actions"}
    assert (said["status"], said["reason"]) == ("written", None)
    assert int(str(said["actions"])) > 20
    (copy,) = desk.copies
    assert str(said["output"]) == str(copy)
    assert copy.stem == dcmread(copy).SOPInstanceUID
    assert copy.stat().st_mode & 0o077 == 0
    assert (desk.folder / "in/Doe_Jane.dcm").read_bytes() == before
    assert not [word for word in (b"Doe", b"Jane", b"P1") if word in (desk.out / NOTES).read_bytes()]


def test_each_input_has_its_line_and_one_that_isn_t_dicom_is_refused(desk: Desk) -> None:
    desk.put("in/more/b.dcm", encoded(photograph(uid="2.25.9")))
    desk.put("in/notes.txt", b"notes")
    desk.put("in/z.dcm", encoded(photograph(uid="2.25.10"))[:-300])
    said = desk.judged("in", desk.folder / "in/more/b.dcm", *REVIEWED, code=1)
    assert [each["status"] for each in said] == ["written", "written", "refused", "refused", "written"]
    assert "no DICOM" in str(said[2]["reason"])
    assert "dicomwrap wrap" in str(said[2]["reason"])
    assert said[3]["output"] is None
    assert len(desk.copies) == 2


def test_a_run_that_was_broken_off_goes_on_and_makes_no_copy_twice(desk: Desk) -> None:
    first = desk.judged("in", *REVIEWED)
    (copy,) = desk.copies
    written = copy.stat().st_mtime_ns
    desk.put("in/next.dcm", encoded(photograph(uid="2.25.9")))
    with (desk.out / NOTES).open("a") as notes:
        notes.write('{"of": "half a li')
    again = desk.judged("in", *REVIEWED)
    assert again[0] == first[0]
    assert copy.stat().st_mtime_ns == written
    assert len(desk.copies) == 2
    noted = (desk.out / NOTES).read_bytes()
    assert desk.judged("in", *REVIEWED) == again
    assert (desk.out / NOTES).read_bytes() == noted  # the half line has cost none of the others


def test_several_at_a_time_make_the_copies_that_one_after_the_other_does(desk: Desk) -> None:
    for number in range(5):
        desk.put(f"in/{number}.dcm", encoded(photograph(uid=f"2.25.{number + 50}")))
    desk.put("in/again.dcm", encoded(photograph()))
    desk.put("in/x.txt", b"no picture")
    several = desk.judged("in", *REVIEWED, "--jobs", "3", code=1)
    copies = {path.name: path.read_bytes() for path in desk.copies}
    assert len(copies) == 6
    assert desk.judged("in", *REVIEWED, code=1) == several
    for path in (*desk.copies, desk.out / NOTES):
        path.unlink()
    assert desk.judged("in", *REVIEWED, code=1) == several
    assert {path.name: path.read_bytes() for path in desk.copies} == copies


def test_a_copy_that_was_changed_or_made_otherwise_is_never_replaced(desk: Desk) -> None:
    desk.judged("in", *REVIEWED)
    (copy,) = desk.copies
    copy.write_bytes(b"somebody's own")
    assert desk.judged("in", *REVIEWED, code=1)[0]["status"] == "refused"
    assert copy.read_bytes() == b"somebody's own"


def test_regions_are_blanked_in_the_picture_they_are_named_for(desk: Desk) -> None:
    plain, other = desk.folder / "in/Doe_Jane.dcm", desk.put("in/other.dcm", encoded(photograph(uid="2.25.9")))
    regions = desk.put("regions.json", json.dumps({"Doe_Jane.dcm": [[0, 0, 16, 16]]}).encode())
    said = desk.judged(plain, other, *REVIEWED, "--regions", regions)
    types = [dcmread(str(each["output"])).ImageType[0] for each in said]
    assert types == ["DERIVED", "ORIGINAL"]


@pytest.mark.parametrize("region", [[9000, 0, 16, 16], [0, 0, 100000, 16]])
def test_a_region_outside_the_picture_refuses_it(region: list[int], desk: Desk) -> None:
    regions = desk.put("regions.json", json.dumps({"in/Doe_Jane.dcm": [region]}).encode())
    (said,) = desk.judged("in", *REVIEWED, "--regions", regions, code=1)
    assert said["status"] == "refused"
    assert desk.copies == []


TWICE = '"in/Doe_Jane.dcm": [[0, 0, 16, 16]], "{}": [[16, 16, 9, 9]]'


@pytest.mark.parametrize("again", ["in/Doe_Jane.dcm", "Doe_Jane.dcm"])
def test_an_input_that_is_named_twice_loses_no_region(again: str, desk: Desk) -> None:
    regions = desk.put("regions.json", ("{" + TWICE.format(again) + "}").encode())
    result = desk("in", *REVIEWED, "--key", desk.key, "--regions", regions)
    assert (result.exit_code, result.stdout, desk.copies) == (1, "", [])
    assert "names an input twice" in result.stderr


@pytest.mark.parametrize(
    "text", ["", "[]", '{"in/Doe_Jane.dcm": [[1, 2]]}', '{"in/Doe_Jane.dcm": 7}', '{"in/Dow_Jane.dcm": [[0, 0, 9, 9]]}']
)
def test_regions_that_can_t_be_meant_stop_the_run_before_it_begins(text: str, desk: Desk) -> None:
    regions = desk.put("regions.json", text.encode())
    result = desk("in", *REVIEWED, "--key", desk.key, "--regions", regions)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "regions.json" in result.stderr
    assert desk.copies == []


def test_a_picture_is_cropped_to_the_part_it_is_named_with_and_made_anew_for_another_part(desk: Desk) -> None:
    crops = desk.put("crops.json", json.dumps({"Doe_Jane.dcm": [0, 0, 40, 40]}).encode())
    (said,) = desk.judged("in", *REVIEWED, "--crops", crops)
    made = dcmread(str(said["output"]))
    assert (made.Columns, made.Rows) == (32, 32)
    assert desk.judged("in", *REVIEWED, "--crops", crops) == [said]
    desk.put("crops.json", json.dumps({"Doe_Jane.dcm": [0, 0, 16, 16]}).encode())
    (again,) = desk.judged("in", *REVIEWED, "--crops", crops, code=1)
    assert again["status"] == "refused"  # another copy of the picture is there


@pytest.mark.parametrize(
    "text", ["", "[]", '{"in/Doe_Jane.dcm": [[1, 2, 3, 4]]}', '{"in/Doe_Jane.dcm": 7}', '{"in/Dow.dcm": [0, 0, 9, 9]}']
)
def test_crops_that_can_t_be_meant_stop_the_run_before_it_begins(text: str, desk: Desk) -> None:
    crops = desk.put("crops.json", text.encode())
    result = desk("in", *REVIEWED, "--key", desk.key, "--crops", crops)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "crops.json" in result.stderr
    assert desk.copies == []


def test_the_key_may_be_in_the_environment_and_gives_the_same_pseudonyms(desk: Desk) -> None:
    (said,) = desk.judged("in", *REVIEWED)
    result = desk("in", *REVIEWED, "--json", env={"CONSENTGATE_PSEUDONYM_KEY": KEY})
    assert json.loads(result.stdout) == said


@pytest.mark.parametrize("key", ["", "ab", "zz" * 32])
def test_without_a_key_nothing_is_done(key: str, desk: Desk) -> None:
    result = desk("in", *REVIEWED, env={"CONSENTGATE_PSEUDONYM_KEY": key})
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--key" in result.stderr
    result = desk("in", *REVIEWED, "--key", desk.folder / "none.key")
    assert (result.exit_code, desk.out.exists()) == (1, False)


def test_a_profile_that_there_isn_t_is_named_with_those_there_are(desk: Desk) -> None:
    result = desk("in", "--profile", "teeching", "--key", desk.key)
    assert result.exit_code == 1
    assert "teaching" in result.stderr


def test_the_folder_of_the_copies_is_never_an_input(desk: Desk) -> None:
    desk.judged("in", *REVIEWED)
    assert [each["input"] for each in desk.judged(".", *REVIEWED, code=1)] == ["in/Doe_Jane.dcm", "pseudonym.key"]


def test_the_policy_s_own_profiles_can_be_named(desk: Desk) -> None:
    desk.put(
        "policy.toml",
        b'[decisions]\nanonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"\n'
        b'[intake]\npersonal_device = "reject"\n'
        b'[profiles.atlas]\npseudonym_domain = "atlas"\nextends = "publication"\npixels = "none"\n',
    )
    desk.put("settings.toml", b"")
    (said,) = desk.judged("in", "--profile", "atlas")
    assert dcmread(str(said["output"])).PatientIdentityRemoved == "NO"


def test_words_are_for_people_and_end_with_the_counts(desk: Desk) -> None:
    result = desk("in", *REVIEWED, "--key", desk.key)
    assert result.stdout.startswith("written\tin/Doe_Jane.dcm\t")
    assert result.stderr == "1 written, 0 held, 0 refused.\n"


SETTINGS = '[custodians]\nrecords = "records.pem"\n'
POLICY = """
[decisions]
anonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"
[intake]
personal_device = "reject"
[profiles.study]
pseudonym_domain = "study"
custodians = ["records"]
"""


def test_copies_of_a_profile_with_custodians_can_be_opened_by_them_alone(desk: Desk) -> None:
    records = custodian(desk.folder)
    desk.put("settings.toml", SETTINGS.encode())
    desk.put("policy.toml", POLICY.encode())
    study = ("in", "--profile", "study", "--reviewed-by", "R. Viewer")
    desk.judged(*study)
    desk.judged(*study)
    (copy,) = desk.copies
    key = private_key(records.key)
    certificates = x509.load_pem_x509_certificates(records.certificate.read_bytes())
    assert attributes_in(dcmread(copy), key, certificates).PatientID == photograph().PatientID
    records.certificate.unlink()
    desk.put("in/next.dcm", encoded(photograph(uid="2.25.9")))
    assert [each["status"] for each in desk.judged(*study, code=1)] == ["written", "refused"]
