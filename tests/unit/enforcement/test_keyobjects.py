"""Key objects that ask for an export: who may ask, what is queued, what is told, and that none leaves unasked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomwrap.iod import keyobject
from dicomwrap.iod.keyobject import Code
from orthanc_plugin.enforcement.ingest import NOT_AUTHORIZED, SUCCESS
from orthanc_plugin.lifecycle import exportrequests, routing
from orthanc_plugin.lifecycle.exportrequests import Standing
from orthanc_plugin.policy.model import Effect, ImageType, Obligation
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.keyobjects import State
from orthanc_plugin.registry.outbox import State as Outbox
from orthanc_plugin.release import unmet
from tests.fakes.keying import (
    CAMERA,
    KEYING,
    OLD_ARCHIVE,
    READING_ROOM,
    TEACHING_FILE,
    came,
    listing,
    pushed,
    queued,
    uid_of,
)
from tests.fakes.pictures import CARE, TEACHING, UID, encoded, photograph
from tests.fakes.world import World, make_world
from tests.unit.dicomwrap.objects import PATIENT

OTHER = "2.25.4"
OF_INTEREST = Code(value="113000", scheme="DCM", meaning="Of Interest")
PUBLICATION = Code(value="128714", scheme="DCM", meaning="For Publication Export")
LOCAL = Code(value="128710", scheme="99HOSP", meaning="For Teaching File Export")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=KEYING)
    made.file(CARE, TEACHING)
    yield made
    made.close()


def standings(world: World, content: bytes) -> dict[str, tuple[Standing, str]]:
    told = came(world, content)
    assert told is not None
    services = world.services
    with services.database.reading() as connection:
        found = exportrequests.standings(connection, services.act("officer", "test"), told, services.release.under)
    return {each.sop_instance_uid: (each.standing, each.reason) for each in found}


def ended(world: World, uid: str, state: Outbox, reason: str = "") -> None:
    """Have a courier end what is queued of a picture."""
    at = world.clock()
    with world.services.database.writing() as connection:
        (claimed,) = outbox.claim(connection, "courier", at, at.replace(year=at.year + 1), 10)
        assert claimed.sop_instance_uid == uid
        assert outbox.ended(connection, claimed, state, at, reason=reason)


def test_a_node_that_may_ask_has_pictures_queued_and_told_what_waits(world: World) -> None:
    asked = listing(world)
    assert pushed(world, asked) == SUCCESS
    told = came(world, asked)
    assert told is not None
    assert (told.state, told.sender, told.purpose, told.queued) == (State.REQUESTED, "reading-room", "TEACHING", 1)
    assert queued(world) == {UID: "WAITING"}
    (task,) = [each for each in world.tasks() if each["kind"] == "EXPORT_REQUESTED"]
    assert task["subject"] == told.key_object_uid
    assert "1 waiting for review" in str(task["reason"])
    assert PATIENT.id not in str(world.tasks()) + str(world.trail())
    assert standings(world, asked)[UID][0] is Standing.WAITING


def test_an_account_that_may_ask_does_so_by_http_and_is_known_as_who_asked(world: World) -> None:
    asked = listing(world)
    assert world.receive(asked, account="clerk").reasons == ()
    told = came(world, asked)
    assert told is not None
    assert (told.state, told.sender) == (State.REQUESTED, "clerk")
    assert [each["actor"] for each in world.trail() if each["effect"] == "EXPORT_REQUESTED"] == ["clerk"]


@pytest.mark.parametrize("account", ["uploader", ""])
def test_an_account_that_may_not_ask_is_not_asked_for(world: World, account: str) -> None:
    asked = listing(world)
    if account:
        assert world.receive(asked, account=account).reasons == ()
    else:
        assert pushed(world, asked, CAMERA) == SUCCESS
    told = came(world, asked)
    assert told is not None
    assert told.state is State.NO_EFFECT
    assert "not bound in policy.toml to request-export" in told.reason
    assert queued(world) == {}
    assert [each["kind"] for each in world.tasks()] == ["KEY_OBJECT_WITHOUT_EFFECT"]


def test_a_node_that_may_reject_may_not_ask_for_exports(world: World) -> None:
    assert pushed(world, listing(world), OLD_ARCHIVE) == SUCCESS
    assert queued(world) == {}


def test_what_an_unbound_node_sends_is_not_stored_and_asks_for_nothing(world: World) -> None:
    asked = listing(world)
    assert pushed(world, asked, "STRANGER") == NOT_AUTHORIZED
    assert came(world, asked) is None
    assert queued(world) == {}


@pytest.mark.parametrize("title", [OF_INTEREST, LOCAL], ids=["of-interest", "another-scheme"])
def test_a_key_object_that_asks_for_nothing_is_filed_and_nobody_is_troubled(world: World, title: Code) -> None:
    filed = listing(world, title, ("2.25.555",))
    assert pushed(world, filed) == SUCCESS
    told = came(world, filed)
    assert told is not None
    assert told.state is State.NO_EFFECT
    assert (world.tasks(), queued(world)) == ([], {})
    assert world.row(uid_of(filed)).image_type is ImageType.KEY_OBJECT


def test_the_same_request_again_changes_nothing_and_one_that_had_no_effect_is_looked_at_again(world: World) -> None:
    asked = listing(world)
    pushed(world, asked, CAMERA)
    pushed(world, asked, READING_ROOM)
    first = came(world, asked)
    assert first is not None
    assert first.state is State.REQUESTED
    world.clock.advance(hours=1)
    pushed(world, asked, READING_ROOM)
    assert came(world, asked) == first


def test_without_a_route_for_the_purpose_nothing_is_queued_and_somebody_is_told(world: World) -> None:
    asked = listing(world, PUBLICATION)
    pushed(world, asked)
    assert queued(world) == {}
    assert "no route is for it" in str(world.tasks())
    assert standings(world, asked) == {UID: (Standing.REFUSED, "no route is for it")}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"uids": (UID, "2.25.555")}, "KEY_OBJECT_UNKNOWN_PICTURES"),
        ({"patient": replace(PATIENT, id="ANOTHER")}, "KEY_OBJECT_OF_ANOTHER_PATIENT"),
        ({"study": "2.25.556"}, "KEY_OBJECT_CONTRADICTS"),
    ],
    ids=["unknown", "another-patient", "another-study"],
)
def test_a_request_for_others_or_unknown_pictures_is_held_and_somebody_is_told(
    world: World, changes: dict[str, object], rule: str
) -> None:
    asked = listing(world, **changes)  # type: ignore[arg-type]
    assert pushed(world, asked) == SUCCESS
    (held,) = world.held()
    assert any(reason.startswith(rule) for reason in held.reasons)
    assert came(world, asked) is None
    assert queued(world) == {}
    assert [each["kind"] for each in world.tasks()] == ["KEY_OBJECT_WITHOUT_EFFECT"]


def test_a_key_object_that_can_t_be_read_is_held_and_somebody_is_told(world: World) -> None:
    dataset = dcmread(BytesIO(listing(world)))
    del dataset.CurrentRequestedProcedureEvidenceSequence
    assert pushed(world, encoded(dataset)) == SUCCESS
    (held,) = world.held()
    assert held.reasons[0].startswith("KEY_OBJECT_UNREADABLE")
    assert [each["kind"] for each in world.tasks()] == ["KEY_OBJECT_WITHOUT_EFFECT"]


def test_a_part_of_a_picture_is_not_sent_for_the_whole(world: World) -> None:
    dataset = dcmread(BytesIO(listing(world)))
    dataset.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber = 1
    assert pushed(world, encoded(dataset)) == SUCCESS
    assert queued(world) == {}
    assert "pictures leave whole" in str(world.tasks())


def test_what_the_patient_refused_is_told_and_what_they_allowed_goes(world: World) -> None:
    assert world.receive(encoded(photograph(uid=OTHER))).reasons == ()
    world.review(UID)
    world.review(OTHER, "face")
    asked = listing(world, uids=(UID, OTHER))
    pushed(world, asked)
    found = standings(world, asked)
    assert found[UID] == (Standing.QUEUED, "")
    assert found[OTHER][0] is not Standing.QUEUED
    assert "1 queued" in str(world.tasks())


def test_whoever_asked_is_noted_so_that_they_don_t_confirm_the_picture_themselves(world: World) -> None:
    pushed(world, listing(world))
    (asked,) = world.sql("SELECT requester, recipient, purpose FROM review_requests")
    assert asked == ("reading-room", "teaching-archive", "TEACHING")


def test_how_a_request_stands_follows_what_was_sent(world: World) -> None:
    world.review(UID)
    asked = listing(world)
    pushed(world, asked)
    assert standings(world, asked) == {UID: (Standing.QUEUED, "")}
    ended(world, UID, Outbox.DELIVERED)
    assert standings(world, asked)[UID][0] is Standing.DELIVERED


def test_what_was_refused_is_asked_again_once_somebody_has_looked(world: World) -> None:
    asked = listing(world)
    pushed(world, asked)
    ended(world, UID, Outbox.REFUSED, "nobody has looked")
    assert standings(world, asked)[UID][0] is Standing.WAITING
    world.review(UID)
    with world.services.database.writing() as connection:
        act = world.services.act("dr-look", "test")
        assert routing.queue_picture(connection, act, UID, Trigger.REVIEW) == 1
    assert queued(world) == {UID: "WAITING"}
    assert standings(world, asked) == {UID: (Standing.QUEUED, "")}


def test_a_key_object_leaves_for_care_alone_and_only_to_who_handles_consents(world: World) -> None:
    asked = listing(world)
    pushed(world, asked)
    services, uid = world.services, uid_of(asked)
    for name, leaves in (("derm", False), ("teacher", False), ("workstation", False), ("forms", True)):
        answer = services.gate.authorize(world.request(name, uid))
        context = services.context(answer, world.binding(name))
        assert (answer.decision.permits and not unmet(answer.decision, context)) is leaves, name
    assert not [
        each for each in world.tasks() if each["kind"] == Obligation.VERIFY_RESIDUAL_ID and each["subject"] == uid
    ]


def test_no_use_but_care_ever_gets_a_key_object(world: World) -> None:
    asked = listing(world)
    pushed(world, asked)
    answer = world.services.gate.authorize(world.request("teacher", uid_of(asked)))
    assert (answer.decision.effect, answer.decision.rules) == (Effect.DENY, ("R0.key-object",))


@pytest.mark.parametrize("title", [keyobject.QUALITY, TEACHING_FILE])
def test_the_title_s_code_counts_and_not_its_words(world: World, title: Code) -> None:
    misnamed = listing(world, replace(title, meaning="Of Interest"))
    pushed(world, misnamed)
    told = came(world, misnamed)
    assert told is not None
    assert (told.state is State.REQUESTED) is (title == TEACHING_FILE)
