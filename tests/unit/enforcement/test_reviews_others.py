"""The steps by which others are hidden, by REST: the same as by the command line, each in the account's own name."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.rest import RestDoor
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.policy.reviewing import CHECKLIST
from tests.contract.test_openapi import problems
from tests.fakes.caller import Caller
from tests.fakes.looking import looking
from tests.fakes.orthanc import RestOutput
from tests.fakes.pictures import CARE, TEACHING, UID, consent

ONE = f"reviews/{UID}"
ABOUT = {"others": True}


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with looking(tmp_path) as world:
        world.file(CARE, TEACHING)
        yield Caller(world=world)


def picture(caller: Caller, by: str, **more: str) -> tuple[int, bytes]:
    """Ask for the picture, which is no JSON."""
    door = RestDoor(caller.world.services, ENDPOINTS, caller.world.worker())
    headers = {"authorization": "Basic " + base64.b64encode(f"{by}:x".encode()).decode()}
    output = RestOutput()
    asks = {"others": "true", **more}
    door.hook(output, f"/consentgate/{ONE}/picture", method="GET", headers=headers, groups=(), get=asks)
    body = output.body
    return output.status, body if isinstance(body, bytes) else body.encode()


def test_the_steps_by_rest_keep_to_the_description_and_hide_somebody(caller: Caller) -> None:
    assert problems("ReviewNamed", ABOUT) == []
    for tail, body in {
        "opening": ABOUT,
        "proposals": ABOUT,
        "regions": {**ABOUT, "regions": [[0, 0, 16, 16]], "proposed": True},
    }.items():
        said = caller.post(f"{ONE}/{tail}", body, "looker")
        assert (said.status, problems("Review", said.body)) == (200, []), said.body
    listed = caller.get("reviews", "second-looker")
    assert (listed.status, problems("ReviewQueue", listed.body)) == (200, [])
    assert [(each["image"], each["profile"]) for each in listed["reviews"]] == [(UID, "others hidden")]  # type: ignore[attr-defined]
    assert caller.post(f"{ONE}/confirmation", ABOUT, "looker").status == 403
    assert caller.post(f"{ONE}/confirmation", ABOUT, "second-looker").status == 409
    assert caller.post(f"{ONE}/opening", ABOUT, "second-looker").status == 200
    status, content = picture(caller, "second-looker")
    with Image.open(BytesIO(content)) as shown:
        assert (status, shown.convert("RGB").getpixel((4, 4))) == (200, (128, 128, 128))
    assert picture(caller, "second-looker", outlined="true")[0] == 200
    assert problems("ReviewAnswers", ABOUT) == []
    confirmed = caller.post(f"{ONE}/confirmation", {**ABOUT, "note": "a porter"}, "second-looker")
    assert (confirmed.status, problems("ReviewVerdict", confirmed.body)) == (200, []), confirmed.body
    decision = caller.world.services.gate.authorize(caller.world.request("derm")).decision
    assert decision.obligations == (Obligation.REDACT_THIRD_PARTIES,)
    rejected = caller.post(f"{ONE}/rejection", {**ABOUT, "reason": "A poster."}, "looker")
    assert (rejected.status, problems("ReviewVerdict", rejected.body)) == (200, [])
    decision = caller.world.services.gate.authorize(caller.world.request("derm")).decision
    assert decision.obligations == (Obligation.REDACT_THIRD_PARTIES,)


@pytest.mark.parametrize(
    ("tail", "body", "status"),
    [
        ("opening", {"others": "yes"}, 400),
        ("opening", {"others": 1}, 400),
        ("opening", {"others": True, "profile": "teaching"}, 400),
        ("opening", {"others": False}, 400),
        ("regions", {**ABOUT, "regions": [[0, 0, 8, 8]]}, 409),
        ("regions", {**ABOUT, "regions": [[0, 0, 8, 8]], "crop": [0, 0, 8, 8]}, 409),
        ("confirmation", {**ABOUT, "answers": dict.fromkeys(CHECKLIST, "NOT_SHOWN")}, 400),
        ("confirmation", ABOUT, 409),
        ("rejection", ABOUT, 400),
        ("rejection", {**ABOUT, "reason": "x"}, 409),
    ],
)
def test_what_is_no_step_is_refused_and_changes_nothing(
    tail: str, body: dict[str, object], status: int, caller: Caller
) -> None:
    said = caller.post(f"{ONE}/{tail}", body, "looker")
    assert (said.status, problems("Error", said.body)) == (status, []), said.body
    assert caller.world.sql("SELECT * FROM reviews") == []


def test_the_picture_is_for_whoever_has_it_open_and_may_see_such(caller: Caller) -> None:
    assert picture(caller, "looker")[0] == 409
    caller.world.sql("UPDATE images SET intimate = 1")
    caller.world.record(consent(CARE, id="urn:x:this", level="IMAGE", targets=[UID]))
    said = caller.post(f"{ONE}/opening", ABOUT, "looker")
    assert (said.status, "intimate" in str(said["error"])) == (409, True)
    assert caller.post(f"{ONE}/opening", ABOUT, "second-looker").status == 200
    assert picture(caller, "looker")[0] == 409
    assert picture(caller, "second-looker")[0] == 200
    caller.world.services.gate.close("the trail is broken")
    assert picture(caller, "second-looker")[0] == 409


@pytest.mark.parametrize("by", ["epr", "governance", "admin", "teacher", "derm"])
def test_no_other_role_takes_a_step(by: str, caller: Caller) -> None:
    for tail in ("opening", "proposals", "regions", "confirmation", "rejection"):
        assert caller.post(f"{ONE}/{tail}", ABOUT, by).status == 403
