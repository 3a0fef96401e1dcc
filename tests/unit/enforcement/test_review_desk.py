"""What a reviewer is shown of a picture: only what could leave, and nothing of the copy but its picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.rest import RestDoor
from orthanc_plugin.policy.model import Effect, Obligation
from orthanc_plugin.policy.reviewing import CHECKLIST
from orthanc_plugin.release import Hidden
from tests.fakes.caller import Caller
from tests.fakes.custodians import custodian
from tests.fakes.looking import LOOKING, confirmed, looking
from tests.fakes.orthanc import RestOutput
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import SETTINGS, World, make_world

ONE = f"reviews/{UID}"
NAMED = {"profile": "teaching"}
NOTHING = dict.fromkeys(CHECKLIST, "NOT_SHOWN")


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    """Give somebody who calls a hospital whose teacher has asked for a picture."""
    with looking(tmp_path) as world:
        world.file(CARE, TEACHING)
        assert asked(world) is Effect.NEEDS_REVIEW
        yield Caller(world=world)


def asked(world: World) -> Effect:
    return world.services.gate.authorize(world.request("teacher")).decision.effect


def picture(caller: Caller, by: str = "looker") -> RestOutput:
    door = RestDoor(caller.world.services, ENDPOINTS, caller.world.worker())
    headers = {"authorization": "Basic " + base64.b64encode(f"{by}:x".encode()).decode()}
    output = RestOutput()
    door.hook(output, f"/consentgate/{ONE}/picture", method="GET", headers=headers, groups=(), get=NAMED)
    return output


def test_nobody_confirms_by_a_call_what_they_were_not_shown(caller: Caller) -> None:
    caller.world.sql("UPDATE images SET intimate = 1")
    caller.world.record(consent(TEACHING, id="urn:x:this", level="IMAGE", targets=[UID]))
    assert caller.post(f"{ONE}/opening", NAMED, "looker").status == 409
    assert caller.post(f"{ONE}/confirmation", {"answers": NOTHING}, "looker").status == 400
    assert caller.post(f"{ONE}/confirmation", {**NAMED, "answers": NOTHING}, "looker").status == 409
    assert asked(caller.world) is Effect.NEEDS_REVIEW


def test_a_picture_that_could_not_leave_whatever_it_shows_is_not_opened(tmp_path: Path) -> None:
    with looking(tmp_path) as world:
        world.record(consent(CARE, TEACHING))
        assert world.receive(encoded(photograph())).reasons == ()
        world.record(consent(TEACHING, id="urn:x:this", level="IMAGE", targets=[UID]))
        world.sql("UPDATE images SET intimate = 1")
        world.sql("UPDATE patients SET birth_date = NULL")
        assert asked(world) is Effect.NEEDS_REVIEW
        said = Caller(world=world).post(f"{ONE}/opening", NAMED, "second-looker")
        assert (said.status, said["error"]) == (
            409,
            "Nobody who asked may have a copy of the picture under this profile, whatever it shows.",
        )
        confirmed(world, profile="")
        assert asked(world) is Effect.NEEDS_REVIEW


def test_a_picture_is_not_opened_for_a_recipient_that_could_not_be_given_it(tmp_path: Path) -> None:
    asker = '[[users]]\nname = "asker"\nroles = ["view"]\npurpose = "DIRECT_CARE"\naudience = "CARE_TEAM"\n'
    asker += 'form = "ANONYMISED"\nprofile = "teaching"\n'
    statuses = []
    for name, more in (("less", ""), ("more", "may_view_intimate = true\n")):
        (tmp_path / name).mkdir()
        with looking(tmp_path / name, LOOKING + asker + more) as world:
            world.file(CARE, TEACHING)
            world.sql("UPDATE images SET intimate = 1")
            decision = world.services.gate.authorize(world.request("asker")).decision
            assert Obligation.VERIFY_RESIDUAL_ID in decision.obligations
            statuses.append(Caller(world=world).post(f"{ONE}/opening", NAMED, "second-looker").status)
    assert statuses == [409, 200]


def test_after_a_withdrawal_nothing_more_is_done_with_a_picture_that_is_open(caller: Caller) -> None:
    assert caller.post(f"{ONE}/opening", NAMED, "looker").status == 200
    caller.world.clock.advance(minutes=1)
    caller.world.withdraw()
    steps = caller.world.sql("SELECT * FROM reviews")
    for tail, body in (("proposals", NAMED), ("regions", {**NAMED, "regions": [[0, 0, 16, 16]]})):
        assert caller.post(f"{ONE}/{tail}", body, "looker").status == 409
    assert picture(caller).status == 409
    assert caller.world.sql("SELECT * FROM reviews") == steps


@pytest.mark.parametrize("tail", ["proposals", "regions"])
def test_while_the_gate_is_closed_no_picture_is_read(tail: str, caller: Caller) -> None:
    assert caller.post(f"{ONE}/opening", NAMED, "looker").status == 200
    caller.world.services.gate.close("the trail is broken")
    said = caller.post(f"{ONE}/{tail}", NAMED, "looker")
    assert (said.status, said["error"]) == (409, "The gate is closed: the trail is broken.")


def test_a_refused_look_is_in_the_trail_like_any_refusal(caller: Caller) -> None:
    before = len(caller.world.trail())
    assert caller.post(f"{ONE}/opening", NAMED, "teacher-at-desk").status == 403
    assert picture(caller).status == 409
    told = caller.world.trail()[before:]
    assert [(each["actor"], each["effect"], each["outcome"], each["subject"]) for each in told] == [
        ("teacher-at-desk", "DENY", told[0]["outcome"], UID),
        ("looker", "DENY", told[0]["outcome"], UID),
    ]
    assert told[0]["reasons"] == ["Whoever asked for a copy of the picture doesn't review it."]


def test_no_cache_keeps_a_picture_that_was_looked_at(caller: Caller) -> None:
    caller.post(f"{ONE}/opening", NAMED, "looker")
    assert picture(caller).headers == {"Content-Type": "image/jpeg", "Cache-Control": "no-store"}


def test_what_is_looked_at_has_no_pseudonym_that_leaves_and_nothing_for_custodians(tmp_path: Path) -> None:
    named = 'pseudonym_domain = "teaching"'
    policy = LOOKING.replace(named, f'{named}\ncustodians = ["records"]')
    keeper = f'[custodians]\nrecords = "{custodian(tmp_path).certificate}"\n'
    world = make_world(tmp_path, policy=policy, settings=SETTINGS + keeper)
    world.file(CARE, TEACHING)
    release, original = world.services.release, world.archive.read(world.row().orthanc_instance)
    profile = release.named("teaching")
    assert profile is not None
    leaves = pydicom.dcmread(BytesIO(release.derived(original, profile, Hidden(), confirmed=True).content))
    first, second = (
        pydicom.dcmread(BytesIO(release.shown(original, profile, Hidden(), each))) for each in ("one", "two")
    )
    assert first.PixelData == second.PixelData == leaves.PixelData
    assert "EncryptedAttributesSequence" in leaves
    assert "EncryptedAttributesSequence" not in first
    for keyword in ("PatientID", "SOPInstanceUID", "StudyInstanceUID"):
        assert len({leaves[keyword].value, first[keyword].value, second[keyword].value}) == 3
    world.close()
