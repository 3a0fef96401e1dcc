"""Sends for an account: to bound nodes only, for the account's purpose, each picture decided on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from orthanc_plugin.gate import Gate
from tests.fakes.exits import NOBODY, OTHER, THIRD, Asking, Given, refuse, world_with_senders
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT

TO_WARD = "/modalities/dermatology/store"
TO_TEACHING = "/modalities/teaching/store"


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    world = world_with_senders(tmp_path)
    for uid in (UID, OTHER):
        world.file(CARE, TEACHING, uid=uid)
    yield Asking(world=world)
    world.close()


def counts(given: Given) -> tuple[object, object, int]:
    refused = given.json["Refused"]
    assert isinstance(refused, list)
    return given.json["InstancesCount"], given.json["FailedInstancesCount"], len(refused)


@pytest.mark.parametrize("shape", ["object", "list", "identifier", "text"])
def test_a_picture_is_sent_however_the_body_names_it(asking: Asking, shape: str) -> None:
    name = asking.instance()
    body = {"object": {"Resources": [name], "Synchronous": True}, "list": [name], "identifier": name}
    given = asking.post(TO_WARD, body.get(shape, name.encode()))
    assert (given.status, counts(given)) == (200, (1, 0, 0))
    assert (given.json["RemoteAet"], given.json["ParentResources"]) == ("DERMWS", [name])
    assert asking.world.archive.sent == [("dermatology", asking.world.archive.objects[name])]
    (disclosure,) = asking.world.disclosures()
    assert (disclosure["outcome"], disclosure["recipient"]) == ("DELIVERED", "workstation")
    assert disclosure["door"] == "POST /modalities/{modality}/store"
    decisions = [entry for entry in asking.world.trail() if entry["id"] == disclosure["decision_id"]]
    assert [(entry["actor"], entry["purpose"]) for entry in decisions] == [("sender", "DIRECT_CARE")]


@pytest.mark.parametrize("level", ["orthanc_series", "orthanc_study", "orthanc_patient"])
def test_a_level_is_all_its_pictures_each_once(asking: Asking, level: str) -> None:
    name = getattr(asking.world.row(), level)
    given = asking.post(TO_WARD, [name, asking.instance(), name])
    assert (given.status, counts(given)) == (200, (2, 0, 0))
    assert len(asking.world.archive.sent) == 2


def test_what_may_not_go_stays_and_the_answer_says_why(asking: Asking) -> None:
    refuse(asking.world)
    study = asking.world.row().orthanc_study
    given = asking.post(TO_WARD, [study])
    assert (given.status, counts(given)) == (200, (1, 0, 1))
    (refused,) = given.json["Refused"]  # type: ignore[misc]
    assert (refused["resource"], refused["pictures"]) == (study, 1)
    (decision,) = [entry for entry in asking.world.trail() if entry["id"] == refused["decisions"][0]]
    assert (decision["subject"], decision["reasons"]) == (OTHER, refused["reasons"])
    assert OTHER not in given.content.decode()
    assert len(asking.world.archive.sent) == 1


def test_when_nothing_may_go_the_answer_is_no(asking: Asking) -> None:
    asking.world.withdraw()
    given = asking.post(TO_WARD, [asking.instance(), asking.instance(OTHER)])
    assert (given.status, given.json["error"]) == (403, "Nothing was sent.")
    assert [each["resource"] for each in given.json["refused"]] == [  # type: ignore[attr-defined]
        asking.instance(),
        asking.instance(OTHER),
    ]
    assert asking.world.archive.sent == asking.world.disclosures() == []


def test_whether_somebody_is_a_patient_is_not_told(asking: Asking) -> None:
    asking.world.withdraw()
    answers = []
    for name in (asking.world.row().orthanc_patient, NOBODY):
        given = asking.post(TO_WARD, [name])
        (refused,) = given.json["refused"]  # type: ignore[misc]
        answers.append((given.status, given.json["error"], refused["reasons"], len(refused["decisions"]), set(refused)))
    assert answers[0] == answers[1]


def test_an_anonymised_copy_goes_where_the_node_s_profile_says_so(asking: Asking) -> None:
    asking.world.review(UID)
    given = asking.post(TO_TEACHING, [asking.instance(), asking.instance(OTHER)], "lecturer")
    assert counts(given) == (1, 0, 1)
    ((modality, content),) = asking.world.archive.sent
    assert (modality, PATIENT.id.encode() in content) == ("teaching", False)
    assert dcmread(BytesIO(content)).PatientIdentityRemoved == "YES"
    assert "nobody" not in json.dumps(given.json)


@pytest.mark.parametrize(
    ("path", "account", "words", "rule"),
    [
        ("/modalities/camera/store", "sender", "not bound in policy.toml to receive", "UNKNOWN_AE"),
        ("/modalities/outside/store", "sender", "not bound in policy.toml to receive", "UNKNOWN_AE"),
        ("/modalities/nowhere/store", "sender", "not bound in policy.toml to receive", "UNKNOWN_AE"),
        (TO_TEACHING, "sender", "bound to TEACHING", "PURPOSE_NOT_BOUND"),
        (TO_WARD, "lecturer", "bound to DIRECT_CARE", "PURPOSE_NOT_BOUND"),
    ],
)
def test_other_destinations_are_refused_and_on_record(
    asking: Asking, path: str, account: str, words: str, rule: str
) -> None:
    given = asking.post(path, [asking.instance()], account)
    assert (given.status, words in str(given.json["error"])) == (403, True)
    assert asking.world.last_rules() == [rule]
    assert asking.world.archive.sent == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("Host", "10.0.0.66"),
        ("Port", 4242),
        ("CalledAet", "EVIL"),
        ("LocalAet", "EVIL"),
        ("Timeout", 1),
        ("MoveOriginatorAet", "X"),
        ("StorageCommitment", True),
        ("Asynchronous", True),
        ("Synchronous", False),
        ("Permissive", True),
        ("host", "10.0.0.66"),
    ],
)
def test_what_the_body_says_of_the_destination_or_of_jobs_is_refused(
    asking: Asking, option: str, value: object
) -> None:
    given = asking.post(TO_WARD, {"Resources": [asking.instance()], option: value})
    assert (given.status, option in str(given.json["error"]), bool(given.json["remedy"])) == (400, True, True)
    assert asking.world.archive.sent == []


@pytest.mark.parametrize("account", ["derm", "uploader", "admin", "nobody", ""])
def test_without_the_role_nothing_is_sent(asking: Asking, account: str) -> None:
    assert asking.post(TO_WARD, [asking.instance()], account).status == 403
    assert asking.world.archive.sent == []


def test_what_is_withdrawn_while_the_destination_is_called_was_refused_and_not_left_unconfirmed(asking: Asking) -> None:
    asking.world.archive.caller = lambda _modality: asking.world.withdraw()
    names = [asking.instance(), asking.instance(OTHER)]
    given = asking.post(TO_WARD, names)
    assert (given.status, given.json["error"]) == (403, "Nothing was sent.")
    assert [each["resource"] for each in given.json["refused"]] == names  # type: ignore[attr-defined]
    assert "The decision changed before the release began" in given.content.decode()
    assert asking.world.archive.sent == []


def test_what_is_withdrawn_while_another_goes_is_told_as_refused_beside_it(asking: Asking) -> None:
    asking.world.file(CARE, uid=THIRD)
    names = [asking.instance(each) for each in (UID, OTHER, THIRD)]
    first: list[str] = []

    def sent(modality: str, _content: bytes) -> None:
        if not first:
            first.append(modality)
            asking.world.withdraw()

    asking.world.archive.watcher = sent
    given = asking.post(TO_WARD, names)
    assert (given.status, counts(given)) == (200, (1, 0, 2))
    assert "error" not in given.json
    assert len(asking.world.archive.sent) == 1
    assert {each["outcome"] for each in asking.world.disclosures() if each["outcome"] != "FAILED"} == {"DELIVERED"}


def test_a_destination_that_does_not_answer_ends_it_and_the_answer_says_so(asking: Asking) -> None:
    asking.world.archive.unreachable.add("dermatology")
    given = asking.post(TO_WARD, [asking.instance(), asking.instance(OTHER)])
    assert (given.status, counts(given)) == (502, (1, 1, 0))
    assert "did not confirm" in str(given.json["error"])
    assert "Ask again" in str(given.json["remedy"])
    assert [each["outcome"] for each in asking.world.disclosures()] == ["FAILED"]


def test_what_the_destination_refuses_is_counted_and_the_rest_goes(asking: Asking) -> None:
    asking.world.archive.refused = {asking.world.archive.objects[asking.instance()]}
    given = asking.post(TO_WARD, [asking.instance(), asking.instance(OTHER)])
    assert (given.status, counts(given)) == (502, (2, 1, 0))
    assert "reason for each picture" in str(given.json["remedy"])
    outcomes = {each["sop_instance_uid"]: each["outcome"] for each in asking.world.disclosures()}
    assert outcomes == {UID: "SENT", OTHER: "DELIVERED"}
    assert asking.world.archive.open == 0


def test_a_withdrawal_while_the_first_is_sent_stops_the_second(asking: Asking) -> None:
    asking.world.archive.watcher = lambda _modality, _content: withdraw_once(asking.world)
    given = asking.post(TO_WARD, [asking.world.row().orthanc_study])
    assert (given.status, counts(given)) == (200, (1, 0, 1))
    assert [each["sop_instance_uid"] for each in asking.world.disclosures()] == [UID]


def withdraw_once(world: World) -> None:
    if world.consents()[0].record.state != "WITHDRAWN":
        world.withdraw()


def test_no_emergency_access_of_the_account_goes_with_a_send(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    decide = Gate.decide
    monkeypatch.setattr(Gate, "decide", lambda gate, writing, asked: seen.extend(asked) or decide(gate, writing, asked))
    asking.post(TO_WARD, [asking.instance()])
    assert [(each.requester.signed_in, each.requester.recipient) for each in seen] == [(False, "workstation")]


def test_a_third_picture_that_is_filed_meanwhile_is_not_sent(asking: Asking) -> None:
    def file_one(_modality: str, _content: bytes) -> None:
        if len(asking.world.rows()) == 2:
            asking.world.file(CARE, TEACHING, uid=THIRD)

    asking.world.archive.watcher = file_one
    assert counts(asking.post(TO_WARD, [asking.world.row().orthanc_study])) == (2, 0, 0)
    assert len(asking.world.rows()) == 3
