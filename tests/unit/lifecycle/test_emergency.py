"""Emergency access: who may have it, for how long, who is told, and who looks at it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import emergency
from orthanc_plugin.lifecycle.emergency import EmergencyRefusedError
from orthanc_plugin.registry import breakglass, tasks
from orthanc_plugin.registry.breakglass import Grant
from tests.fakes.clinic import clinic
from tests.fakes.pictures import CARE, consent
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT

WHOSE = (PATIENT.id or "", PATIENT.issuer or "")
REASON = "Unconscious in resus, is the wound the old one?"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clinic(tmp_path)
    yield made
    made.close()


def granted(
    world: World,
    account: str = "registrar",
    whose: tuple[str, str] = WHOSE,
    *,
    minutes: int | None = None,
    reason: str = REASON,
) -> Grant:
    with world.services.database.writing() as connection:
        act = world.services.act(account, "test")
        return emergency.grant(connection, act, account, whose, minutes=minutes, reason=reason)


def test_whoever_granted_it_to_somebody_else_does_not_review_it(world: World) -> None:
    world.file(CARE)
    with world.services.database.writing() as connection:
        act = world.services.act("Dr X", "test")
        given = emergency.grant(connection, act, "registrar", WHOSE, minutes=1, reason=REASON)
    world.clock.advance(minutes=1)
    with pytest.raises(EmergencyRefusedError, match="nor what they granted"):
        reviewed(world, given.grant_id, "dr x")
    assert reviewed(world, given.grant_id).granted_by == "Dr X"


def reviewed(world: World, grant_id: str, by: str = "governance", finding: str = "Justified.") -> Grant:
    with world.services.database.writing() as connection:
        return emergency.review(connection, world.services.act(by, "test"), grant_id, finding)


def test_a_grant_lasts_as_long_as_the_policy_says_unless_less_is_asked_for(world: World) -> None:
    world.file(CARE)
    whole = granted(world)
    assert (whole.ends_at - whole.granted_at).total_seconds() == 60 * 60
    short = granted(world, "consultant", minutes=5)
    assert (short.ends_at - short.granted_at).total_seconds() == 5 * 60


def test_a_grant_is_live_from_its_first_moment_until_just_before_its_last(world: World) -> None:
    world.file(CARE)
    given = granted(world, minutes=1)
    assert given.live(given.granted_at)
    world.clock.advance(seconds=59, microseconds=999_999)
    assert given.live(world.clock())
    world.clock.advance(microseconds=1)
    assert not given.live(world.clock())


def test_those_who_must_be_told_are_told_and_the_reviewer_is_somebody_else(world: World) -> None:
    world.file(CARE)
    given = granted(world)
    opened = {str(task["kind"]): task for task in world.tasks()}
    assert set(opened) == {"NOTIFY_IG", "NOTIFY_PATIENT", "RETROSPECTIVE_REVIEW"}
    assert {task["subject"] for task in opened.values()} == {given.grant_id}
    assert opened["RETROSPECTIVE_REVIEW"]["not_by"] == "registrar"
    assert str(opened["RETROSPECTIVE_REVIEW"]["due_at"]).startswith("2026-11-25T09:30")
    assert not any(WHOSE[0] in str(task["reason"]) for task in opened.values())


def test_the_trail_tells_of_the_override_and_seals_the_reason_without_telling_it(world: World) -> None:
    world.file(CARE)
    given = granted(world)
    entry = world.trail()[-1]
    assert (entry["event"], entry["effect"], entry["subject"]) == ("110127", "GRANTED", given.grant_id)
    assert entry["detail"] == breakglass.seal(given)
    assert "resus" not in str(entry)
    assert WHOSE[0] not in str(entry["detail"]).split("sha256")[0].split()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": ""}, "reason in words"),
        ({"reason": "  .... ---- !!!! "}, "reason in words"),
        ({"reason": "emergency"}, "reason in words"),
        ({"account": "derm"}, "role 'break-glass'"),
        ({"account": "nobody"}, "role 'break-glass'"),
        ({"account": "Registrar"}, "role 'break-glass'"),
        ({"whose": ("P9", WHOSE[1])}, "No such patient"),
        ({"whose": (WHOSE[0], "ELSEWHERE")}, "No such patient"),
        ({"minutes": 0}, "from 1 to 60 minutes"),
        ({"minutes": -5}, "from 1 to 60 minutes"),
        ({"minutes": 61}, "from 1 to 60 minutes"),
    ],
)
def test_what_is_wrong_with_the_asking_refuses_it_and_leaves_nothing(
    changes: dict[str, object], words: str, world: World
) -> None:
    world.file(CARE)
    before = world.trail()
    with pytest.raises(EmergencyRefusedError, match=words) as caught:
        granted(world, **changes)  # type: ignore[arg-type]
    assert caught.value.remedy in str(caught.value)
    assert (world.tasks(), world.trail(), world.sql("SELECT * FROM break_glass")) == ([], before, [])


def test_nobody_has_two_grants_for_one_patient_at_once(world: World) -> None:
    world.file(CARE)
    granted(world, minutes=10)
    with pytest.raises(EmergencyRefusedError, match="already"):
        granted(world)
    world.clock.advance(minutes=10)
    assert granted(world).account == "registrar"


def test_a_patient_who_has_died_needs_no_emergency_care(world: World) -> None:
    world.file(CARE)
    world.sql("UPDATE patients SET death_date = '2026-11-22'")
    with pytest.raises(EmergencyRefusedError, match="died"):
        granted(world)


def test_a_patient_without_pictures_has_nothing_to_open(world: World) -> None:
    world.record(consent())
    with pytest.raises(EmergencyRefusedError, match="no picture"):
        granted(world)


def test_a_capable_patient_s_refusal_of_care_is_not_overridden(world: World) -> None:
    world.file(CARE)
    world.withdraw()
    with pytest.raises(EmergencyRefusedError, match="said no to use in care"):
        granted(world)


def test_a_refusal_by_a_patient_who_can_no_longer_decide_does_not_bar_an_emergency(world: World) -> None:
    world.file(CARE)
    world.withdraw()
    world.sql("UPDATE patients SET capacity = 'LACKS'")
    assert granted(world).account == "registrar"


def test_a_grant_that_is_ended_opens_nothing_more(world: World) -> None:
    world.file(CARE)
    given = granted(world)
    world.clock.advance(minutes=3)
    with world.services.database.writing() as connection:
        ended = emergency.end(connection, world.services.act("registrar", "test"), given.grant_id)
    assert ended.ends_at == world.clock()
    assert not ended.live(world.clock())
    assert (world.trail()[-1]["event"], world.trail()[-1]["effect"]) == ("110138", "ENDED")
    with pytest.raises(EmergencyRefusedError, match="ended already"), world.services.database.writing() as connection:
        emergency.end(connection, world.services.act("registrar", "test"), given.grant_id)


def test_somebody_else_reviews_it_and_that_closes_the_task(world: World) -> None:
    world.file(CARE)
    given = granted(world, minutes=1)
    world.clock.advance(minutes=1)
    found = reviewed(world, given.grant_id)
    assert (found.reviewed_by, found.finding, found.reviewed_at) == ("governance", "Justified.", world.clock())
    assert {task["kind"] for task in world.tasks()} == {"NOTIFY_IG", "NOTIFY_PATIENT"}
    assert (world.trail()[-1]["event"], world.trail()[-1]["effect"]) == ("110138", "REVIEWED")
    with pytest.raises(EmergencyRefusedError, match="has been reviewed"):
        reviewed(world, given.grant_id)


@pytest.mark.parametrize(
    ("by", "finding", "minutes", "words"),
    [
        ("registrar", "Fine.", 1, "their own"),
        ("REGISTRAR", "Fine.", 1, "their own"),
        ("registrar\u200b", "Fine.", 1, "their own"),
        ("governance", "  ", 1, "says nothing"),
        ("governance", "Fine.", 0, "still open"),
    ],
)
def test_a_review_that_is_none_is_refused(by: str, finding: str, minutes: int, words: str, world: World) -> None:
    world.file(CARE)
    given = granted(world, minutes=1)
    world.clock.advance(minutes=minutes)
    with pytest.raises(EmergencyRefusedError, match=words):
        reviewed(world, given.grant_id, by, finding)
    assert "RETROSPECTIVE_REVIEW" in {task["kind"] for task in world.tasks()}


def test_the_task_of_the_review_can_t_be_closed_by_whom_it_is_about(world: World) -> None:
    world.file(CARE)
    granted(world)
    (task,) = (each for each in world.tasks() if each["kind"] == "RETROSPECTIVE_REVIEW")
    with pytest.raises(IllegalTransitionError), world.services.database.writing() as connection:
        tasks.close(connection, str(task["task_id"]), by="registrar", at=world.clock(), note="all fine")


@pytest.mark.parametrize("step", [emergency.end, lambda *them: emergency.review(*them, "Fine.")])
def test_a_grant_that_is_not_there_is_told(step: object, world: World) -> None:
    with pytest.raises(UnknownRecordError, match="break-glass list"), world.services.database.writing() as connection:
        step(connection, world.services.act("governance", "test"), "nothing")  # type: ignore[operator]


def test_without_the_trail_there_is_no_grant(world: World) -> None:
    world.file(CARE)
    world.stop_the_trail()
    with pytest.raises(Exception, match="registry can't be written"):
        granted(world)
    assert world.sql("SELECT * FROM break_glass") == []
