"""A consent as another system tells it, on top of what is on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.consentrecord import ConsentRecord, WithdrawnPurpose
from dicomwrap.terms import ConsentState, Explained
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.gate import Effect
from orthanc_plugin.lifecycle.receiving import NOT_TAKEN, Received, receive
from orthanc_plugin.registry import consents
from orthanc_plugin.registry.consentrows import IncompleteConsentError
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World

GIVEN = consent(CARE, TEACHING)
REFUSED = consent(TEACHING, state="REFUSED", decided_on="2025-05-01")
TAKEN_BACK = {"withdrawn_on": "2025-04-01", "withdrawn_purposes": ["TEACHING"]}


def since(on: date) -> tuple[WithdrawnPurpose, ...]:
    """Return the withdrawal of all that ``GIVEN`` is for."""
    return tuple(WithdrawnPurpose(purpose=scope.purpose, on=on) for scope in GIVEN.scopes)


def received(world: World, said: ConsentRecord, by: str = "the EPR") -> Received:
    with world.services.database.writing() as connection:
        return receive(connection, world.services.act(by, "the EPR's door"), said)


def states(world: World) -> dict[str, tuple[str, int]]:
    return {each.record.id: (each.record.state.value, each.record.version) for each in world.consents()}


@pytest.mark.parametrize("state", ["PROPOSED", "GIVEN", "REFUSED"])
def test_a_new_consent_is_filed_with_its_entry_in_the_trail(world: World, state: str) -> None:
    found = received(world, consent(CARE, TEACHING, state=state, version=7))
    assert (found.record.version, found.changed, found.gaps) == (1, True, ())
    assert states(world) == {CONSENT_ID: (state, 1)}
    assert [entry["effect"] for entry in world.trail()] == [f"RECORDED_{state}"]


def test_a_consent_that_lacks_something_is_only_proposed(world: World) -> None:
    found = received(world, replace(GIVEN, explained=(), evidence=None))
    assert found.record.state is ConsentState.PROPOSED
    assert {gap.partition(":")[0] for gap in found.gaps} >= {"explained", "evidence"}


def test_a_proposed_consent_is_given_once_it_is_complete(world: World) -> None:
    received(world, replace(GIVEN, explained=()))
    assert received(world, GIVEN).record.state is ConsentState.GIVEN
    assert states(world) == {CONSENT_ID: ("GIVEN", 2)}


def test_an_incomplete_consent_that_comes_again_stays_proposed(world: World) -> None:
    bare = replace(GIVEN, explained=())
    received(world, bare)
    again = received(world, bare)
    assert (again.changed, again.record.state, again.gaps != ()) == (False, ConsentState.PROPOSED, True)
    with pytest.raises(IncompleteConsentError):
        received(world, replace(bare, evidence=None))


def test_a_proposal_that_is_withdrawn_is_refused_so_that_nobody_completes_it(world: World) -> None:
    received(world, replace(GIVEN, explained=()))
    end = replace(GIVEN, state=ConsentState.WITHDRAWN, withdrawn=since(GIVEN.decided_on))
    assert received(world, end).record.state is ConsentState.REFUSED
    assert not received(world, end).changed


def test_a_proposed_consent_may_be_refused(world: World) -> None:
    received(world, replace(GIVEN, state=ConsentState.PROPOSED))
    received(world, replace(GIVEN, state=ConsentState.REFUSED))
    assert states(world) == {CONSENT_ID: ("REFUSED", 2)}


def test_a_refusal_that_lacks_something_is_not_made_a_proposal(world: World) -> None:
    with pytest.raises(IncompleteConsentError):
        received(world, consent(CARE, state="REFUSED", decided_on="2030-01-01"))
    assert states(world) == {}


def test_the_same_again_changes_nothing(world: World) -> None:
    received(world, GIVEN)
    again = received(world, replace(GIVEN, version=9))
    assert (again.changed, len(world.trail())) == (False, 1)


def test_a_withdrawal_ends_the_consent_whatever_version_it_names(world: World) -> None:
    world.file(CARE, TEACHING)
    found = received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2025-04-01", version=1))
    assert (found.record.state, found.record.withdrawn) == (ConsentState.WITHDRAWN, since(date(2025, 4, 1)))
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY
    again = received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2025-04-02"))
    assert not again.changed


def test_one_purpose_may_be_withdrawn(world: World) -> None:
    received(world, GIVEN)
    found = received(world, consent(CARE, TEACHING, version=2, **TAKEN_BACK))
    assert found.record.withdrawn_purposes == {"TEACHING"}
    assert not received(world, replace(found.record, version=5)).changed


STEPS = [{"purpose": "TEACHING", "on": "2025-04-01"}, {"purpose": "DIRECT_CARE", "on": "2025-06-01"}]


@pytest.mark.parametrize("known", [(CARE, TEACHING), (CARE, TEACHING, {**TEACHING, "purpose": "LOCAL_AUDIT"})])
def test_each_purpose_is_withdrawn_from_its_own_day_and_what_is_not_named_with_the_last(
    world: World, known: tuple[dict[str, object], ...]
) -> None:
    received(world, consent(*known))
    found = received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn=STEPS))
    days = {each.purpose: str(each.on) for each in found.record.withdrawn}
    rest = {scope["purpose"]: "2025-06-01" for scope in known}
    assert (found.record.state, days) == (ConsentState.WITHDRAWN, {**rest, "TEACHING": "2025-04-01"})
    assert found.record.version == 3


def test_what_is_left_out_is_withdrawn_today_and_what_is_named_from_its_own_day(world: World) -> None:
    audit = {**TEACHING, "purpose": "LOCAL_AUDIT"}
    received(world, consent(CARE, TEACHING, audit))
    found = received(world, consent(CARE, TEACHING, **TAKEN_BACK)).record
    assert {each.purpose: each.on for each in found.withdrawn} == {
        "TEACHING": date(2025, 4, 1),
        "LOCAL_AUDIT": world.clock().date(),
    }


def test_a_withdrawal_in_steps_that_comes_before_its_consent_refuses_from_the_last_day(world: World) -> None:
    found = received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn=STEPS)).record
    assert (found.state, found.withdrawn, found.decided_on) == (ConsentState.REFUSED, (), date(2025, 6, 1))
    assert [scope.purpose for scope in found.scopes] == ["DIRECT_CARE", "TEACHING"]


def test_what_was_withdrawn_does_not_come_back(world: World) -> None:
    received(world, GIVEN)
    received(world, consent(CARE, TEACHING, **TAKEN_BACK))
    with pytest.raises(IllegalTransitionError, match="Send a new decision with an id of its own"):
        received(world, GIVEN)


def test_a_withdrawn_consent_is_not_given_again(world: World) -> None:
    received(world, GIVEN)
    received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2025-04-01"))
    with pytest.raises(IllegalTransitionError, match="WITHDRAWN"):
        received(world, GIVEN)


def test_a_consent_does_not_grow_under_its_own_id(world: World) -> None:
    received(world, consent(CARE))
    with pytest.raises(IllegalTransitionError):
        received(world, GIVEN)
    assert states(world) == {CONSENT_ID: ("GIVEN", 1)}


def test_a_refusal_under_the_id_of_a_consent_withdraws_it_and_is_filed_beside_it(world: World) -> None:
    received(world, GIVEN)
    received(world, REFUSED)
    assert states(world) == {CONSENT_ID: ("GIVEN", 2), f"{CONSENT_ID}#refused": ("REFUSED", 1)}
    assert not received(world, REFUSED).changed
    assert next(each.record for each in world.consents()).withdrawn_purposes == {"TEACHING"}


def test_a_refusal_after_a_withdrawal_is_not_lost(world: World) -> None:
    received(world, GIVEN)
    received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2025-04-01"))
    received(world, REFUSED)
    assert states(world)[f"{CONSENT_ID}#refused"] == ("REFUSED", 1)


def test_a_record_in_error_is_marked_by_somebody_else(world: World) -> None:
    received(world, GIVEN)
    wrong = replace(GIVEN, state=ConsentState.ENTERED_IN_ERROR)
    with pytest.raises(IllegalTransitionError, match="second person"):
        received(world, wrong)
    marked = received(world, wrong, by="the ward").record
    assert (marked.state, marked.state_reason) == (
        ConsentState.ENTERED_IN_ERROR,
        "entered in error, as the sending system says",
    )


@pytest.mark.parametrize("changes", [{"patient_id": "P2"}, {"issuer": "ELSEWHERE"}])
def test_the_consent_of_another_patient_is_not_touched(world: World, changes: dict[str, str]) -> None:
    received(world, GIVEN)
    taken_back = replace(GIVEN, state=ConsentState.WITHDRAWN, withdrawn=since(GIVEN.decided_on))
    with pytest.raises(IllegalTransitionError, match="another patient"):
        received(world, replace(taken_back, **changes))
    assert states(world) == {CONSENT_ID: ("GIVEN", 1)}


def test_a_renewed_consent_replaces_the_one_it_names(world: World) -> None:
    received(world, GIVEN)
    told = (*GIVEN.explained, Explained.WITHDRAWAL)
    received(world, replace(GIVEN, id="urn:x:2", previous_id=CONSENT_ID, explained=told))
    assert states(world) == {CONSENT_ID: ("SUPERSEDED", 2), "urn:x:2": ("GIVEN", 1)}


def test_a_refusal_that_replaces_a_consent_withdraws_it_and_is_filed(world: World) -> None:
    received(world, GIVEN)
    received(world, replace(REFUSED, id="urn:x:2", previous_id=CONSENT_ID))
    assert states(world) == {CONSENT_ID: ("GIVEN", 2), "urn:x:2": ("REFUSED", 1)}
    assert next(each.record for each in world.consents()).withdrawn_purposes == {"TEACHING"}
    received(world, replace(REFUSED, id="urn:x:3", previous_id="urn:x:unknown"))
    assert states(world)["urn:x:3"] == ("REFUSED", 1)


def test_a_withdrawal_of_what_was_replaced_is_kept_as_a_refusal(world: World) -> None:
    received(world, GIVEN)
    received(world, replace(consent(CARE), id="urn:x:2", previous_id=CONSENT_ID))
    end = replace(GIVEN, state=ConsentState.WITHDRAWN, withdrawn=since(world.clock().date()))
    found = received(world, end)
    assert states(world) == {
        CONSENT_ID: ("SUPERSEDED", 2),
        "urn:x:2": ("GIVEN", 1),
        f"{CONSENT_ID}#refused": ("REFUSED", 1),
    }
    assert (found.record.decided_on, found.record.withdrawn_purposes) == (world.clock().date(), frozenset())
    assert not received(world, end).changed


def test_a_refusal_that_replaces_another_patient_s_consent_touches_nothing(world: World) -> None:
    received(world, GIVEN)
    with pytest.raises(IllegalTransitionError, match="another patient"):
        received(world, replace(REFUSED, id="urn:x:2", previous_id=CONSENT_ID, patient_id="P2"))
    assert states(world) == {CONSENT_ID: ("GIVEN", 1)}


def test_a_withdrawal_of_what_has_expired_refuses_the_pictures_filed_under_it(world: World) -> None:
    was = {"valid_to": "2026-11-22"}
    retention = {"retention_told": {"text": "a year", "until": "2026-11-22"}}
    world.record(consent({**CARE, **was}, {**TEACHING, **was}, level="IMAGE", **retention))
    world.receive()
    world.clock.advance(days=2)
    with world.services.database.writing() as connection:
        known = consents.expire(connection, CONSENT_ID, by="the sweep", at=world.clock())
    end = replace(known, state=ConsentState.WITHDRAWN, withdrawn=since(world.clock().date()))
    found = received(world, end).record
    assert (found.id, found.state, found.targets) == (f"{CONSENT_ID}#refused", ConsentState.REFUSED, (UID,))
    assert [scope.purpose for scope in found.scopes] == ["DIRECT_CARE", "TEACHING"]
    assert not received(world, end).changed


def test_copies_that_left_under_what_was_replaced_are_recalled_by_its_withdrawal(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    disclosure = leave(world, UID)
    received(world, replace(consent(CARE, TEACHING), id="urn:x:2", previous_id=CONSENT_ID))
    found = received(world, consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2026-11-22"))
    assert (*found.consequences.recalls, *found.consequences.not_recallable) == (disclosure,)
    assert world.services.gate.authorize(world.request("teacher")).decision.effect is Effect.DENY


def test_a_second_refusal_under_one_id_is_not_lost(world: World) -> None:
    received(world, GIVEN)
    received(world, REFUSED)
    wider = consent(CARE, TEACHING, state="REFUSED", decided_on="2025-06-01")
    for changed in (True, False):
        assert received(world, wider).changed is changed
        assert not received(world, REFUSED).changed
    assert states(world) == {
        CONSENT_ID: ("WITHDRAWN", 3),
        f"{CONSENT_ID}#refused": ("REFUSED", 1),
        f"{CONSENT_ID}#refused2": ("REFUSED", 1),
    }


def test_a_purpose_that_is_left_out_is_withdrawn(world: World) -> None:
    received(world, GIVEN)
    found = received(world, consent(CARE))
    assert (found.record.withdrawn_purposes, found.gaps) == ({"TEACHING"}, ())
    assert not received(world, consent(CARE)).changed


def test_what_else_differs_than_what_is_left_out_is_not_taken_and_told(world: World) -> None:
    received(world, GIVEN)
    found = received(world, consent({**CARE, "audience": ["CARE_TEAM", "MEDIA"]}, {**TEACHING, "purpose": "RESEARCH"}))
    assert consents.still_covered(found.record) == {"DIRECT_CARE"}
    assert found.record.scopes == GIVEN.scopes
    assert found.gaps == (NOT_TAKEN,)


def test_a_consent_completed_here_after_it_was_withdrawn_there_is_withdrawn(world: World) -> None:
    received(world, replace(GIVEN, explained=()))
    received(world, replace(GIVEN, decided_on=world.clock().date()))
    end = consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2025-04-01")
    assert received(world, end).record.state is ConsentState.WITHDRAWN


@pytest.mark.parametrize("end", [{"withdrawn_on": "2025-04-01"}, TAKEN_BACK])
def test_a_withdrawal_that_comes_before_its_consent_keeps_it_from_being_given(
    world: World, end: dict[str, object]
) -> None:
    whole = consent(CARE, TEACHING, state="WITHDRAWN", **end)
    found = received(world, whole).record
    refused = end.get("withdrawn_purposes", ["DIRECT_CARE", "TEACHING"])
    assert [scope.purpose for scope in found.scopes] == refused
    assert str(found.decided_on) == "2025-04-01"
    with pytest.raises(IllegalTransitionError, match="REFUSED"):
        received(world, GIVEN)
    assert not received(world, whole).changed
    assert states(world) == {CONSENT_ID: ("REFUSED", 1)}


def test_a_withdrawal_of_an_unknown_renewal_withdraws_the_consent_that_it_renewed(world: World) -> None:
    received(world, GIVEN)
    end = consent(TEACHING, id="urn:x:2", previous_id=CONSENT_ID, state="WITHDRAWN", withdrawn_on="2025-04-01")
    received(world, end)
    assert states(world) == {CONSENT_ID: ("GIVEN", 2), "urn:x:2": ("REFUSED", 1)}
    assert next(each.record for each in world.consents()).withdrawn_purposes == {"TEACHING"}


def test_a_withdrawal_of_an_unknown_consent_must_name_its_pictures(world: World) -> None:
    with pytest.raises(IncompleteConsentError):
        received(world, consent(CARE, level="IMAGE", state="WITHDRAWN", withdrawn_on="2025-04-01"))
    assert states(world) == {}


@pytest.mark.parametrize("state", ["EXPIRED", "SUPERSEDED", "ENTERED_IN_ERROR"])
def test_an_end_without_a_beginning_is_refused(world: World, state: str) -> None:
    with pytest.raises(IncompleteConsentError):
        received(world, consent(CARE, state=state))
    assert states(world) == {}
