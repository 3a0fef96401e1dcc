"""Archives: from what may leave only, recorded before it leaves, with a manifest of what stayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from pydicom import dcmread

from orthanc_plugin.audit.event import Outcome
from orthanc_plugin.enforcement import rest
from orthanc_plugin.enforcement import streaming as streams
from orthanc_plugin.registry.images import orthanc_id
from tests.fakes.exits import NOBODY, OTHER, THIRD, Asking, endpoints_of, refuse, world_with_senders
from tests.fakes.orthanc import RestOutput, StreamOutput
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.unwilling import Unwilling
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.enforcement.test_http import basic

CREATE = "/tools/create-archive"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = world_with_senders(tmp_path)
    for uid in (UID, OTHER, THIRD):
        made.file(CARE, TEACHING, uid=uid)
        made.review(uid)
    yield made
    made.close()


@pytest.fixture(params=[True, False], ids=["streamed", "collected"])
def asking(world: World, request: pytest.FixtureRequest) -> Asking:
    return Asking(world=world, streams=request.param)


@pytest.fixture
def streaming(world: World) -> Asking:
    return Asking(world=world)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Asking]:
    """Give a world without any picture."""
    made = world_with_senders(tmp_path)
    yield Asking(world=made)
    made.close()


def test_an_archive_of_a_study_holds_the_very_pictures_and_each_was_recorded(asking: Asking) -> None:
    world, row = asking.world, asking.world.row()
    given = asking.get(f"/studies/{row.orthanc_study}/archive")
    assert (given.status, given.headers["Content-Type"]) == (200, "application/zip")
    names = ["00001.dcm", "00002.dcm", "00003.dcm"]
    assert given.zip.namelist() == [*names, "MANIFEST.json", "MANIFEST.txt"]
    assert {given.zip.read(name) for name in names} == set(world.archive.objects.values())
    assert [(each["outcome"], each["recipient"], each["door"]) for each in world.disclosures()] == [
        ("DELIVERED", "sender", "GET /studies/{study}/archive")
    ] * 3
    files = given.manifest["files"]
    assert isinstance(files, list)
    assert [each["sha256"] for each in files] == [hashlib.sha256(given.zip.read(name)).hexdigest() for name in names]
    assert {each["disclosure"] for each in files} == {each["disclosure_id"] for each in world.disclosures()}
    assert (given.manifest["complete"], given.manifest["left_out"]) == (True, [])


def test_no_name_in_the_archive_or_its_headers_is_a_patient_s(asking: Asking) -> None:
    given = asking.get(f"/patients/{asking.world.row().orthanc_patient}/archive")
    told = f"{given.headers} {given.zip.namelist()} {given.manifest} {given.zip.read('MANIFEST.txt')!r}"
    assert PATIENT.id not in told
    assert str(PATIENT.name) not in told
    assert given.headers["Content-Disposition"] == 'attachment; filename="pictures.zip"'


@pytest.mark.parametrize("form", ["GET", "object", "list", "twice", "all levels"])
def test_what_is_named_is_given_once_however_it_is_named(asking: Asking, form: str) -> None:
    row = asking.world.row()
    both = [row.orthanc_instance, asking.instance(OTHER)]
    given = {
        "GET": lambda: asking.get(f"{CREATE}?resources={','.join(both)}"),
        "object": lambda: asking.post(CREATE, {"Resources": both, "Synchronous": True, "Filename": "x.zip"}),
        "list": lambda: asking.post(CREATE, both),
        "twice": lambda: asking.post(CREATE, [*both, *both]),
        "all levels": lambda: asking.post(CREATE, [*both, row.orthanc_series, row.orthanc_study, row.orthanc_patient]),
    }[form]()
    files = given.manifest["files"]
    assert isinstance(files, list)
    expected = [UID, OTHER, THIRD] if form == "all levels" else [UID, OTHER]
    assert [each["sop_instance_uid"] for each in files] == expected
    assert len(asking.world.disclosures()) == len(expected)


def test_what_may_not_leave_is_left_out_and_the_manifest_says_so_without_naming_it(asking: Asking) -> None:
    refuse(asking.world)
    given = asking.get(f"/series/{asking.world.row().orthanc_series}/archive")
    held = asking.world.archive.objects[asking.instance(OTHER)]
    assert held not in given.content
    assert OTHER not in given.content.decode("latin-1")
    (left_out,) = given.manifest["left_out"]  # type: ignore[misc]
    decision = next(each for each in asking.world.trail() if each["id"] == left_out["decisions"][0])
    assert (decision["subject"], decision["effect"]) == (OTHER, "DENY")
    assert (left_out["named"], left_out["pictures"], left_out["reasons"]) == (1, 1, decision["reasons"])
    assert "1 of it, because" in given.zip.read("MANIFEST.txt").decode()
    assert {each["sop_instance_uid"] for each in asking.world.disclosures()} == {UID, THIRD}


def test_when_nothing_may_leave_there_is_no_archive(asking: Asking) -> None:
    asking.world.withdraw()
    given = asking.get(f"/studies/{asking.world.row().orthanc_study}/archive")
    assert given.status == 403
    (refused,) = given.json["refused"]  # type: ignore[misc]
    assert (refused["pictures"], len(refused["decisions"])) == (3, 3)
    assert refused["reasons"]
    assert asking.world.disclosures() == []


def test_a_patient_of_whom_nothing_may_leave_is_answered_like_one_who_is_unknown(asking: Asking) -> None:
    asking.world.withdraw()
    known = asking.world.row().orthanc_patient
    assert known == orthanc_id(PATIENT.id)
    answers = []
    for path in (f"/patients/{known}/archive", f"/patients/{NOBODY}/archive"):
        given = asking.get(path)
        (refused,) = given.json["refused"]  # type: ignore[misc]
        assert [each["id"] for each in asking.world.trail()].count(refused["decisions"][0]) == 1
        answers.append((given.status, given.json["error"], {**refused, "resource": "", "decisions": len(refused)}))
    assert answers[0] == answers[1]
    assert known not in str(asking.world.trail())


def test_a_number_that_two_patients_have_names_neither(streaming: Asking) -> None:
    streaming.world.sql("UPDATE images SET issuer = 'ELSEWHERE' WHERE sop_instance_uid = '2.25.4'")
    given = streaming.get(f"/patients/{streaming.world.row().orthanc_patient}/archive")
    (refused,) = given.json["refused"]  # type: ignore[misc]
    assert (given.status, "pictures" in refused) == (403, False)
    assert streaming.world.disclosures() == []


def test_a_level_in_the_path_is_the_level(streaming: Asking) -> None:
    assert streaming.get(f"/studies/{streaming.world.row().orthanc_patient}/archive").status == 403


def test_an_account_that_may_see_anonymised_pictures_only_gets_such_an_archive(asking: Asking) -> None:
    row = asking.world.row()
    given = asking.post(CREATE, [row.orthanc_study, row.orthanc_patient], "lecturer")
    assert given.status == 200, given.content
    hidden = (PATIENT.id, str(PATIENT.name), row.orthanc_study, row.orthanc_patient)
    for name in given.zip.namelist():
        content = given.zip.read(name).decode("latin-1")
        assert [each for each in hidden if each in content] == []
    for entry in given.manifest["files"]:  # type: ignore[attr-defined]
        dataset = dcmread(BytesIO(given.zip.read(entry["file"])))
        assert (entry["sop_instance_uid"], entry["form"]) == (dataset.SOPInstanceUID, "ANONYMISED")
        assert dataset.PatientIdentityRemoved == "YES"
        assert {str(dataset.SOPInstanceUID), str(dataset.StudyInstanceUID)} & {
            UID,
            OTHER,
            THIRD,
            row.study_instance_uid,
        } == set()
    assert {each["form"] for each in asking.world.disclosures()} == {"PERMIT_ANONYMISED"}


def test_bytes_that_are_not_those_that_were_accepted_stay(asking: Asking) -> None:
    asking.world.archive.objects[asking.instance()] += b"\0"
    given = asking.post(CREATE, [asking.instance(), asking.instance(OTHER)])
    assert [each["sop_instance_uid"] for each in given.manifest["files"]] == [OTHER]  # type: ignore[attr-defined]
    assert "not the one that was accepted" in json.dumps(given.manifest["left_out"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Resources"),
        ({"Resources": []}, "Resources"),
        ({"Resources": "x"}, "Resources"),
        ({"Resources": [1]}, "Resources"),
        ({"Resources": ["../../etc"]}, "no identifier"),
        ({"Resources": [NOBODY] * 1001}, "more than 1000"),
        ({"Resources": [NOBODY], "Asynchronous": True}, "Asynchronous"),
        ({"Resources": [NOBODY], "Synchronous": False}, "Synchronous"),
        ({"Resources": [NOBODY], "Synchronous": "false"}, "Synchronous"),
        ({"Resources": [NOBODY], "Transcode": "1.2.840.10008.1.2.4.50"}, "as they were filed"),
        ({"Resources": [NOBODY], "Priority": 3}, "Priority"),
        ({"Resources": [NOBODY], "UserData": "x"}, "UserData"),
        (b"\xff", "no identifier"),
        (b"[" * 5000, "no identifier"),
        (7, "JSON object"),
    ],
)
def test_a_wrong_body_is_told_what_is_wrong_and_nothing_is_asked(empty: Asking, body: object, words: str) -> None:
    before = empty.world.trail()
    given = empty.post(CREATE, body)
    assert (given.status, words in str(given.json["error"])) == (400, True), given.json
    assert given.json["remedy"]
    assert empty.world.trail() == before


@pytest.mark.parametrize(
    "arguments", ["", "resources=", "resources=x", "transcode=1.2", "resource=x", "lossy-quality=5"]
)
def test_wrong_arguments_are_told(streaming: Asking, arguments: str) -> None:
    assert streaming.get(f"{CREATE}?{arguments}").status == 400
    level = streaming.get(f"/series/{streaming.world.row().orthanc_series}/archive?{arguments}")
    assert level.status == (400 if arguments else 200)


def test_a_file_name_in_the_request_changes_nothing(streaming: Asking) -> None:
    series = streaming.world.row().orthanc_series
    for given in (
        streaming.get(f"/series/{series}/archive?filename=Doe.zip"),
        streaming.post(f"/series/{series}/archive", {"Filename": "Doe.zip", "Asynchronous": False}),
    ):
        assert (given.status, "Doe" in str(given.headers)) == (200, False)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH"])
def test_a_method_that_nobody_answers_is_not_the_core_s_either(streaming: Asking, method: str) -> None:
    assert streaming.call(method, f"/studies/{streaming.world.row().orthanc_study}/archive").status == 405


@pytest.mark.parametrize("account", ["uploader", "admin", "nobody", ""])
def test_without_the_role_there_is_no_archive(streaming: Asking, account: str) -> None:
    assert streaming.get(f"/studies/{streaming.world.row().orthanc_study}/archive", account).status == 403
    assert streaming.world.disclosures() == []


def test_without_a_record_nothing_leaves(asking: Asking) -> None:
    asking.world.stop_the_trail()
    given = asking.get(f"/studies/{asking.world.row().orthanc_study}/archive")
    assert (given.status, b"DICM" in given.content) == (403, False)


def ask(world: World, output: RestOutput) -> None:
    path = f"/studies/{world.row().orthanc_study}/archive"
    door = rest.RestDoor(world.services, endpoints_of(world, path), world.worker(), streams=True)
    door.hook(output, path, method="GET", headers={"authorization": basic("sender")}, get={}, groups=())


class Interrupted(StreamOutput):
    """Something happens after the first picture has left."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def SendStreamChunk(self, piece: bytes) -> None:  # noqa: N802
        super().SendStreamChunk(piece)
        if len(self.pieces) == 1:
            self.world.file(CARE, TEACHING, uid="2.25.6")
            self.world.withdraw(CONSENT_ID)


def test_a_withdrawal_stops_what_is_still_to_go_and_a_picture_filed_meanwhile_is_not_in(world: World) -> None:
    output = Interrupted(world)
    ask(world, output)
    assert isinstance(output.body, bytes)
    manifest = json.loads(ZipFile(BytesIO(output.body)).read("MANIFEST.json"))
    assert [each["sop_instance_uid"] for each in manifest["files"]] == [UID]
    assert (manifest["complete"], manifest["left_out"][0]["pictures"]) == (False, 2)
    assert "withdrawn" in " ".join(manifest["left_out"][0]["reasons"]).lower()
    assert [each["sop_instance_uid"] for each in world.disclosures()] == [UID]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_client_that_goes_away_ends_the_archive_and_what_had_begun_stays_on_record(world: World, after: int) -> None:
    output = StreamOutput(gone_after=after)
    ask(world, output)
    assert len(output.pieces) == after
    begun = [each["outcome"] for each in world.disclosures()]
    assert begun == ["BEGUN"] * min(after + 1, 3)
    last = world.trail()[-1]
    assert (last["outcome"], "broke off" in str(last["reasons"])) == (Outcome.FAILURE, True)


def test_an_archive_that_can_t_even_begin_is_noted_like_one_that_breaks_off(world: World) -> None:
    ask(world, Unwilling())
    assert [each["outcome"] for each in world.disclosures()] == ["BEGUN"]
    last = world.trail()[-1]
    assert (last["outcome"], "broke off" in str(last["reasons"])) == (Outcome.FAILURE, True)


def test_what_can_t_be_streamed_and_is_too_large_is_refused_with_a_remedy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "COLLECTED_BYTES", 1000)
    given = Asking(world=world, streams=False).get(f"/studies/{world.row().orthanc_study}/archive")
    assert (given.status, "less at a time" in str(given.json["remedy"])) == (413, True)
    assert {each["outcome"] for each in world.disclosures()} == {"BEGUN"}
