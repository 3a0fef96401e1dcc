"""Which pictures a requester may be told of, and what the trail keeps of the question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from dicomwrap.terms import Audience, Form, Purpose
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.enforcement import visible as visibility
from orthanc_plugin.enforcement.visible import ATTEMPTS, MOST, QueryRefusedError, Viewer, visible
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import breakglass, tasks
from orthanc_plugin.registry.breakglass import Grant
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.listed import Listed, listed
from tests.fakes.clinic import clinic
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World
from tests.unit.enforcement.listing import HIDDEN, HIDDEN_TOO, SEEN, STUDY, Ward, make_ward

QUERY = EventType.QUERY
NOBODY_S = Listed("2.25.404", "1", "2", "3", "4", "5", "6", "7", "")


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    made = make_ward(tmp_path)
    yield made
    made.world.close()


def viewer(world: World, name: str = "derm", **changes: object) -> Viewer:
    binding = replace(world.binding(name), **changes)  # type: ignore[arg-type]
    return Viewer(requester=world.requester(name), binding=binding, door="test")


def of_study(connection: Connection) -> Iterable[Listed]:
    return listed(connection, Subject.STUDY_INSTANCE_UID, (STUDY,), MOST)


def shown(world: World, who: Viewer, pictures: Callable[[Connection], Iterable[Listed]] = of_study) -> list[str]:
    return [row.sop_instance_uid for row in visible(world.services, who, pictures)]


def change(world: World, event: EventType) -> None:
    """Write an entry into the trail, as whoever changes something does."""
    services = world.services
    said = AuditEvent(
        id=services.ids(), at=world.clock(), event=event, outcome=Outcome.SUCCESS, actor="nurse", door="test"
    )
    assert services.gate.note(said)


def test_only_what_could_be_released_as_it_is_is_told_of(ward: Ward) -> None:
    assert shown(ward.world, viewer(ward.world)) == [SEEN]


def test_the_named_roles_are_told_of_intimate_pictures(ward: Ward) -> None:
    found = shown(ward.world, viewer(ward.world, may_view_intimate=True))
    assert found == [SEEN, HIDDEN, HIDDEN_TOO]


def test_a_records_officer_is_told_what_is_kept_and_is_shown_no_picture(ward: Ward) -> None:
    assert shown(ward.world, viewer(ward.world, "admin")) == [SEEN, HIDDEN, HIDDEN_TOO]
    answer = ward.world.services.gate.authorize(ward.world.request("admin", SEEN))
    assert not answer.decision.permits


@pytest.mark.parametrize("name", ["student", "lecture-room", "teacher"])
def test_whoever_may_only_have_anonymised_copies_is_told_of_nothing(ward: Ward, name: str) -> None:
    ward.world.review(SEEN)
    assert shown(ward.world, viewer(ward.world, name)) == []


def test_a_withdrawal_hides_at_once(ward: Ward) -> None:
    ward.world.withdraw()
    assert shown(ward.world, viewer(ward.world)) == []


def test_a_picture_that_the_registry_does_not_know_is_never_told_of(ward: Ward) -> None:
    assert shown(ward.world, viewer(ward.world), lambda _connection: [NOBODY_S]) == []


def test_a_row_that_can_t_be_read_hides_only_its_picture(ward: Ward) -> None:
    ward.world.sql("UPDATE images SET status = 'GONE MAD' WHERE sop_instance_uid = '2.25.1003'")
    found = shown(ward.world, viewer(ward.world, may_view_intimate=True))
    assert found == [HIDDEN, HIDDEN_TOO]


def test_one_entry_tells_how_many_and_names_nobody(ward: Ward) -> None:
    before = len(ward.world.trail())
    shown(ward.world, viewer(ward.world))
    (entry,) = ward.world.trail()[before:]
    assert (entry["event"], entry["detail"]) == (QUERY, "1 pictures shown, 2 withheld")
    assert (entry["actor"], entry["door"], entry["purpose"]) == ("derm", "test", "DIRECT_CARE")
    assert not any(word in str(entry) for word in (SEEN, HIDDEN, STUDY, "P1", "Doe"))


def test_no_record_no_answer(ward: Ward) -> None:
    ward.world.stop_the_trail()
    with pytest.raises(RegistryError):
        shown(ward.world, viewer(ward.world))


def test_shut_doors_tell_nothing_and_say_so(ward: Ward) -> None:
    ward.world.services.gate.close("the trail is broken")
    with pytest.raises(QueryRefusedError) as raised:
        shown(ward.world, viewer(ward.world))
    assert raised.value.status == 503
    assert ward.world.last_rules() == ["GATE_CLOSED"]


def test_too_many_are_refused_and_none_is_left_out_silently(ward: Ward) -> None:
    with pytest.raises(QueryRefusedError, match="Narrow the query") as raised:
        shown(ward.world, viewer(ward.world), lambda _connection: [NOBODY_S] * (MOST + 1))
    assert raised.value.status == 413
    assert ward.world.last_rules() == ["TOO_MANY"]


@pytest.mark.parametrize("number", [1, visibility.MOST_GUESSED + 1, MOST + 1])
def test_of_one_patient_of_whom_all_is_hidden_not_even_that_there_are_many_is_told(ward: Ward, number: int) -> None:
    found = visible(ward.world.services, viewer(ward.world), lambda _connection: [NOBODY_S] * number, guessed=True)
    assert (found, ward.queries()) == ((), [f"0 pictures shown, {number} withheld"])


def test_of_one_patient_of_whom_something_may_be_seen_all_of_that_is_told(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility, "MOST_GUESSED", 1)
    found = visible(ward.world.services, viewer(ward.world), of_study, guessed=True)
    assert [row.sop_instance_uid for row in found] == [SEEN]


SECOND_OPINION = {"purpose": "SECOND_OPINION", "max_form": "IDENTIFIABLE", "audience": ["PARTNER_ORG_CLINICIAN"]}


@pytest.mark.parametrize("undescribed", [True, False])
def test_what_must_be_entered_in_the_register_is_not_listed_because_a_list_has_no_entries(
    tmp_path: Path, undescribed: bool
) -> None:
    world = clinic(tmp_path)
    world.file(CARE, SECOND_OPINION)
    who = viewer(world, "registrar", secure_channel=True)
    requester = replace(
        who.requester, audience=Audience.PARTNER_ORG_CLINICIAN, purpose=Purpose.SECOND_OPINION, form=Form.IDENTIFIABLE
    )
    assert shown(world, replace(who, requester=requester, undescribed=undescribed)) == ([UID] if undescribed else [])
    world.close()


def test_a_withdrawal_between_decision_and_record_counts(ward: Ward) -> None:
    world, withdrawn = ward.world, iter([True])

    def pictures(connection: Connection) -> Iterable[Listed]:
        found = of_study(connection)
        if next(withdrawn, False):  # the transaction that reads has begun, so it doesn't see this
            world.withdraw()
            change(world, EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED)
        return found

    assert shown(world, viewer(world), pictures) == []
    assert ward.queries() == ["0 pictures shown, 3 withheld"]


def test_what_changes_nothing_costs_no_second_decision(ward: Ward) -> None:
    times = []

    def pictures(connection: Connection) -> Iterable[Listed]:
        times.append(1)
        change(ward.world, EventType.ACCESS_CONTROL_DECISION)
        return of_study(connection)

    assert shown(ward.world, viewer(ward.world), pictures) == [SEEN]
    assert len(times) == 1


def test_facts_that_keep_changing_end_in_a_refusal(ward: Ward) -> None:
    times = []

    def pictures(connection: Connection) -> Iterable[Listed]:
        times.append(1)
        change(ward.world, EventType.PATIENT_RECORD)
        return of_study(connection)

    with pytest.raises(QueryRefusedError):
        shown(ward.world, viewer(ward.world), pictures)
    assert len(times) == ATTEMPTS
    assert ward.world.last_rules() == ["DECISION_CHANGED"]


def granted(world: World) -> None:
    """Give the registrar emergency access to the patient, with what it puts on people's lists."""
    at = world.clock()
    given = Grant(
        grant_id="grant-1",
        patient_id="P1",
        issuer="HOSP",
        account="registrar",
        reason="Unconscious in resus.",
        granted_at=at,
        granted_by="ward sister",
        ends_at=at + timedelta(minutes=10),
    )
    with world.services.database.writing() as connection:
        breakglass.record(connection, given)
        for kind in (Obligation.NOTIFY_IG, Obligation.NOTIFY_PATIENT, Obligation.RETROSPECTIVE_REVIEW):
            tasks.open_task(
                connection, task_id=world.services.ids(), kind=kind, subject="grant-1", reason="granted", at=at
            )


def test_emergency_access_shows_the_patient_s_pictures_while_it_lasts(tmp_path: Path) -> None:
    world = clinic(tmp_path)
    world.file(CARE, TEACHING)
    who = viewer(world, "registrar")
    who = replace(who, requester=replace(who.requester, audience=Audience.TRUST_CLINICIAN, signed_in=True))
    assert shown(world, who) == []
    granted(world)
    assert shown(world, who) == [UID]
    world.clock.advance(minutes=11)
    assert shown(world, who) == []
    world.close()
