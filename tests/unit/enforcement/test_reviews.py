"""Reviews by REST: what an account with the role is shown, and what it may record."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.rest import RestDoor
from orthanc_plugin.enforcement.reviewing import Picture, shown_by
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.reviewing import CHECKLIST
from tests.contract.test_openapi import problems
from tests.fakes.caller import Caller
from tests.fakes.looking import looking
from tests.fakes.orthanc import RestOutput
from tests.fakes.pictures import CARE, TEACHING, UID, consent, ct, encoded, photograph, photograph_bytes

ONE = f"reviews/{UID}"
NAMED = {"profile": "teaching"}
NOTHING = dict.fromkeys(CHECKLIST, "NOT_SHOWN")


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    """Give somebody who calls a hospital whose teacher has asked for a picture."""
    with looking(tmp_path) as world:
        world.file(CARE, TEACHING)
        assert asked(Caller(world=world)) is Effect.NEEDS_REVIEW
        yield Caller(world=world)


def asked(caller: Caller) -> Effect:
    return caller.world.services.gate.authorize(caller.world.request("teacher")).decision.effect


def picture(caller: Caller, by: str = "looker", profile: str = "teaching", **more: str) -> tuple[int, bytes]:
    """Ask for the picture, which is no JSON."""
    door = RestDoor(caller.world.services, ENDPOINTS, caller.world.worker())
    headers = {"authorization": "Basic " + base64.b64encode(f"{by}:x".encode()).decode()}
    output = RestOutput()
    asks = {"profile": profile, **more}
    door.hook(output, f"/consentgate/{ONE}/picture", method="GET", headers=headers, groups=(), get=asks)
    body = output.body
    return output.status, body if isinstance(body, bytes) else body.encode()


def test_the_steps_by_rest_keep_to_the_description_and_lead_to_a_copy(caller: Caller) -> None:
    listed = caller.get("reviews", "looker")
    assert (listed.status, problems("ReviewQueue", listed.body)) == (200, [])
    assert [(each["image"], each["requesters"]) for each in listed["reviews"]] == [(UID, ["teacher"])]  # type: ignore[attr-defined]
    given = {"opening": NAMED, "proposals": NAMED, "regions": {**NAMED, "regions": [[0, 0, 16, 16]], "proposed": True}}
    for tail, body in given.items():
        said = caller.post(f"{ONE}/{tail}", body, "looker")
        assert (said.status, problems("Review", said.body)) == (200, []), said.body
    status, content = picture(caller)
    assert (status, content[:2]) == (200, b"\xff\xd8")
    answers = {"answers": {**NOTHING, "face": "COVERED"}, **NAMED}
    assert problems("ReviewAnswers", answers) == []
    confirmed = caller.post(f"{ONE}/confirmation", answers, "looker")
    assert (confirmed.status, problems("ReviewVerdict", confirmed.body)) == (200, []), confirmed.body
    assert asked(caller) is Effect.PERMIT_ANONYMISED
    rejected = caller.post(f"{ONE}/rejection", {"reason": "A scar."}, "second-looker")
    assert (rejected.status, problems("ReviewVerdict", rejected.body)) == (200, [])
    assert not asked(caller).startswith("PERMIT")


def test_an_outlined_picture_is_no_look_at_what_would_leave(caller: Caller) -> None:
    caller.post(f"{ONE}/opening", NAMED, "looker")
    caller.post(f"{ONE}/regions", {**NAMED, "regions": [[[8, 8], [40, 8], [24, 40]]], "crop": [0, 0, 48, 48]}, "looker")
    status, content = picture(caller, outlined="true")
    assert (status, content[:2]) == (200, b"\xff\xd8")
    answers = {"answers": {**NOTHING, "face": "COVERED"}, **NAMED}
    said = caller.post(f"{ONE}/confirmation", answers, "looker")
    assert (said.status, said["error"]) == (409, "The picture as it would leave has not been looked at.")
    assert picture(caller, outlined="1")[0] == 400
    assert picture(caller)[1] != content
    assert caller.post(f"{ONE}/confirmation", answers, "looker").status == 200


@pytest.mark.parametrize("by", ["epr", "governance", "admin", "teacher", "derm"])
def test_no_other_role_is_shown_or_records_anything(by: str, caller: Caller) -> None:
    assert caller.get("reviews", by).status == 403
    for tail in ("opening", "proposals", "regions", "confirmation", "rejection"):
        assert caller.post(f"{ONE}/{tail}", {}, by).status == 403
    assert picture(caller, by)[0] == 403


def test_an_account_of_whoever_asked_is_refused_with_the_reason(caller: Caller) -> None:
    for tail, body in (("opening", NAMED), ("confirmation", {**NAMED, "answers": NOTHING})):
        said = caller.post(f"{ONE}/{tail}", body, "teacher-at-desk")
        assert (said.status, said["error"]) == (403, "Whoever asked for a copy of the picture doesn't review it.")
        assert problems("Error", said.body) == []
    assert asked(caller) is Effect.NEEDS_REVIEW


def test_the_picture_is_for_whoever_has_it_open(caller: Caller) -> None:
    assert picture(caller)[0] == 409
    caller.post(f"{ONE}/opening", NAMED, "looker")
    assert picture(caller, "second-looker")[0] == 409
    assert picture(caller, profile="")[0] == 400
    assert picture(caller)[0] == 200
    caller.world.services.gate.close("the trail is broken")
    status, body = picture(caller)
    assert (status, json.loads(body)["error"]) == (409, "The gate is closed: the trail is broken.")


def test_an_intimate_picture_is_shown_to_those_named_for_it(caller: Caller) -> None:
    caller.world.sql("UPDATE images SET intimate = 1")
    caller.world.record(consent(TEACHING, id="urn:x:this", level="IMAGE", targets=[UID]))
    said = caller.post(f"{ONE}/opening", NAMED, "looker")
    assert said.status == 409
    assert "intimate" in str(said["error"])
    assert caller.post(f"{ONE}/opening", NAMED, "second-looker")["reviewer"] == "second-looker"
    assert picture(caller, "second-looker")[0] == 200


@pytest.mark.parametrize(
    ("tail", "body", "status"),
    [
        ("opening", {}, 400),
        ("opening", {"profile": "none"}, 409),
        ("regions", {**NAMED, "regions": "all"}, 400),
        ("regions", {**NAMED, "regions": [[1, 2]]}, 422),
        ("regions", {**NAMED, "regions": [["a", "b", "c", "d"]]}, 422),
        ("regions", {**NAMED, "proposed": "yes"}, 400),
        ("confirmation", {**NAMED}, 400),
        ("confirmation", {**NAMED, "answers": {"face": "PERHAPS"}}, 400),
        ("confirmation", {"answers": NOTHING}, 400),
        ("confirmation", {**NAMED, "answers": {"face": "NOT_SHOWN"}}, 409),
        ("confirmation", {**NAMED, "answers": NOTHING}, 409),
        ("rejection", {}, 400),
        ("rejection", {**NAMED, "reason": "x", "by": "somebody"}, 400),
    ],
)
def test_what_is_no_step_is_refused_and_changes_nothing(
    tail: str, body: dict[str, object], status: int, caller: Caller
) -> None:
    said = caller.post(f"{ONE}/{tail}", body, "looker")
    assert (said.status, problems("Error", said.body)) == (status, []), said.body
    assert caller.world.sql("SELECT * FROM reviews") == []


def test_what_is_no_single_jpeg_is_shown_as_the_copy_itself() -> None:
    for said in (ct(), photograph(NumberOfFrames=2)):
        assert shown_by(encoded(said)) == Picture(content=encoded(said), media="application/dicom")
    assert shown_by(photograph_bytes()).media == "image/jpeg"


def test_a_picture_of_nobody_is_not_found(caller: Caller) -> None:
    assert caller.post("reviews/2.25.9/opening", NAMED, "looker").status == 404
