"""Which step may follow which in a consent's life: each legal one is appended, each illegal one refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from hashlib import sha256
from itertools import product

import pytest
from sqlalchemy import Connection

from dicomwrap.consentfile import consent_json
from dicomwrap.consentrecord import ConsentRecord, Withdrawal, WithdrawnPurpose
from dicomwrap.terms import ConsentState, Purpose, WithdrawalPhase
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry import consentrows, consents
from orthanc_plugin.registry.consents import IncompleteConsentError
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World

DAY = date(2026, 11, 22)
RENEWED_ON = date(2026, 11, 20)
PAST = {**CARE, "valid_to": "2026-11-21"}
PROPOSED, GIVEN, REFUSED, WITHDRAWN, EXPIRED, SUPERSEDED, ERROR = ConsentState
RENEWED = consent(id="urn:x:new")
LEGAL = {
    (PROPOSED, GIVEN),
    (PROPOSED, REFUSED),
    *((GIVEN, after) for after in (WITHDRAWN, EXPIRED, SUPERSEDED)),
    *((before, ERROR) for before in ConsentState if before is not ERROR),
}

Step = Callable[[World, Connection], ConsentRecord]


def give(world: World, connection: Connection) -> ConsentRecord:
    return consents.give(connection, CONSENT_ID, by="nurse", at=world.clock())


def refuse(world: World, connection: Connection) -> ConsentRecord:
    return consents.refuse(connection, CONSENT_ID, by="nurse", at=world.clock())


def withdraw(world: World, connection: Connection) -> ConsentRecord:
    return consents.withdraw(connection, CONSENT_ID, None, on=DAY, by="nurse", at=world.clock())


def expire(world: World, connection: Connection) -> ConsentRecord:
    return consents.expire(connection, CONSENT_ID, by="nightly", at=world.clock())


def supersede(world: World, connection: Connection) -> ConsentRecord:
    consents.supersede(connection, CONSENT_ID, RENEWED, by="nurse", at=world.clock())
    return consents.current(connection, CONSENT_ID)


def enter_in_error(world: World, connection: Connection) -> ConsentRecord:
    return consents.enter_in_error(connection, CONSENT_ID, by="records", at=world.clock(), reason="wrong patient")


STEPS: dict[ConsentState, Step] = {
    GIVEN: give,
    REFUSED: refuse,
    WITHDRAWN: withdraw,
    EXPIRED: expire,
    SUPERSEDED: supersede,
    ERROR: enter_in_error,
}


def put(world: World, state: ConsentState) -> None:
    """Have a consent on record that stands in ``state``; its last day has passed, so that it may expire."""
    whole = (WithdrawnPurpose(purpose=Purpose(str(PAST["purpose"])), on=date(2026, 1, 1)),)
    record = replace(consent(PAST, version=1), state=state, withdrawn=whole if state is WITHDRAWN else ())
    with world.services.database.writing() as connection:
        consentrows.append(connection, record, by="nurse", at=world.clock())


def take(world: World, step: Step) -> ConsentRecord:
    with world.services.database.writing() as connection:
        return step(world, connection)


def states(world: World, consent_id: str = CONSENT_ID) -> list[ConsentState]:
    with world.services.database.reading() as connection:
        return [each.record.state for each in consents.versions(connection, consent_id)]


@pytest.mark.parametrize(("before", "after"), sorted(LEGAL))
def test_a_legal_step_appends_a_version(before: ConsentState, after: ConsentState, world: World) -> None:
    put(world, before)
    changed = take(world, STEPS[after] if (before, after) != (PROPOSED, GIVEN) else give_for_longer)
    assert (changed.state, changed.version) == (after, 2)
    assert states(world) == [before, after]


def give_for_longer(world: World, connection: Connection) -> ConsentRecord:
    return consents.give(connection, consent(), by="nurse", at=world.clock())


@pytest.mark.parametrize(("before", "after"), sorted(set(product(ConsentState, STEPS)) - LEGAL))
def test_an_illegal_step_is_refused_with_the_reason(before: ConsentState, after: ConsentState, world: World) -> None:
    put(world, before)
    with pytest.raises(IllegalTransitionError, match=f"{before} can't become {after}"):
        take(world, STEPS[after])
    assert states(world) == [before]


def test_the_table_of_steps_names_every_state_and_nothing_else() -> None:
    assert {(before, after) for before, allowed in consents.STEPS.items() for after in allowed} == LEGAL
    assert set(consents.STEPS) == set(ConsentState)


@pytest.mark.parametrize("step", [*STEPS.values(), lambda _, connection: consents.versions(connection, CONSENT_ID)])
def test_no_step_is_taken_with_an_unknown_consent(step: Step, world: World) -> None:
    with pytest.raises(UnknownRecordError):
        take(world, step)


def test_a_proposal_given_by_its_id_is_decided_today(world: World) -> None:
    world.record(consent(state="PROPOSED"))
    given = take(world, give)
    assert (given.state, given.decided_on, given.scopes[0].valid_from) == (GIVEN, DAY, date(2025, 3, 1))


def test_a_proposal_becomes_what_the_completed_form_says(world: World) -> None:
    world.record(consent(state="PROPOSED", evidence=None, explained=[], discussion=None))
    with pytest.raises(IncompleteConsentError, match="evidence"):
        take(world, give)
    form = consent(issuer=None, state="GIVEN", version=9)
    given = take(world, lambda world, it: consents.give(it, form, by="nurse", at=world.clock()))
    assert (given.version, given.issuer, given.evidence) == (2, "HOSP", "SIGNED_FORM")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (consent(state="REFUSED"), "says REFUSED, not GIVEN"),
        (consent(state="ENTERED_IN_ERROR"), "says ENTERED_IN_ERROR"),
        (consent(patient_id="P2"), "different patients"),
        (consent(issuer="ELSEWHERE"), "different patients"),
        (consent(previous_id="urn:x:0"), "supersede"),
    ],
)
def test_a_form_that_says_otherwise_gives_nothing(form: ConsentRecord, words: str, world: World) -> None:
    world.record(consent(state="PROPOSED"))
    with pytest.raises(IllegalTransitionError, match=f"(?i){words}"):
        take(world, lambda world, it: consents.give(it, form, by="nurse", at=world.clock()))
    assert states(world) == [PROPOSED]


def test_a_withdrawal_keeps_who_when_why_and_how(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    note = Withdrawal(by="P1", phase=WithdrawalPhase.IMMEDIATELY_AFTER, reason="changed mind", how_received="by phone")
    changed = take(
        world,
        lambda world, it: consents.withdraw(
            it, CONSENT_ID, (Purpose.TEACHING,), on=DAY, by="nurse", at=world.clock(), note=note
        ),
    )
    assert (changed.withdrawal, changed.withdrawn_purposes) == (note, {Purpose.TEACHING})


def test_what_has_not_ended_does_not_expire(world: World) -> None:
    world.record(consent(PAST, {**TEACHING, "valid_to": "2026-11-22"}))
    with pytest.raises(IllegalTransitionError, match="has not ended"):
        take(world, expire)
    world.clock.advance(days=1)
    assert take(world, expire).state is EXPIRED


def test_a_parents_consent_expires_with_the_authority(world: World) -> None:
    world.record(consent(giver={"type": "PR_HOLDER", "id": "mother"}), birth_date=date(2010, 1, 1))
    assert take(world, expire).state is EXPIRED


def test_a_renewed_consent_names_the_old_one_which_ends_with_it(world: World) -> None:
    world.record(consent())
    with world.services.database.writing() as connection:
        renewed = replace(RENEWED, issuer=None, version=4)
        filed = consents.supersede(connection, CONSENT_ID, renewed, by="nurse", at=world.clock(), default_issuer="HOSP")
    assert (filed.previous_id, filed.version, filed.state) == (CONSENT_ID, 1, GIVEN)
    assert states(world) == [GIVEN, SUPERSEDED]


@pytest.mark.parametrize(
    ("renewed", "words"),
    [
        (consent(id="urn:x:new", patient_id="P2"), "different patients"),
        (consent(id="urn:x:new", state="PROPOSED"), "PROPOSED replaces no consent"),
        (consent(id="urn:x:new", previous_id="urn:x:0"), "previous_id"),
        (consent(id="urn:x:new", evidence=None), "evidence"),
        (consent(), "on record already"),
    ],
)
def test_nothing_changes_when_the_renewed_consent_will_not_do(renewed: ConsentRecord, words: str, world: World) -> None:
    world.record(consent())
    with pytest.raises(ConsentgateError, match=words):
        take(world, lambda world, it: consents.supersede(it, CONSENT_ID, renewed, by="nurse", at=world.clock()))
    assert states(world) == [GIVEN]
    assert len(world.consents()) == 1


@pytest.mark.parametrize(
    ("withdrawn", "kept", "gone"),
    [
        ([], [CARE, TEACHING], {}),
        ([], [CARE], {Purpose.TEACHING: RENEWED_ON}),
        ([Purpose.TEACHING], [CARE], {Purpose.TEACHING: DAY}),
        ([Purpose.TEACHING], [CARE, TEACHING], {Purpose.TEACHING: DAY}),
        ([Purpose.TEACHING], [TEACHING], {Purpose.TEACHING: DAY, Purpose.DIRECT_CARE: RENEWED_ON}),
    ],
)
def test_what_a_renewed_consent_no_longer_covers_is_withdrawn_from_the_old_one(
    withdrawn: list[Purpose],
    kept: list[dict[str, object]],
    gone: dict[Purpose, date],
    world: World,
) -> None:
    world.record(consent(CARE, TEACHING))
    for purpose in withdrawn:
        world.withdraw(CONSENT_ID, purpose)
    renewed = consent(*kept, id="urn:x:new", decided_on=RENEWED_ON.isoformat())
    take(world, lambda world, it: consents.supersede(it, CONSENT_ID, renewed, by="nurse", at=world.clock()))
    with world.services.database.reading() as connection:
        ended = consents.current(connection, CONSENT_ID)
    assert (ended.state, {each.purpose: each.on for each in ended.withdrawn}) == (SUPERSEDED, gone)


@pytest.mark.parametrize(
    ("old", "new", "stands"),
    [("PATIENT", "BEST_INTERESTS", True), ("PATIENT", "PATIENT", False), ("PR_HOLDER", "PATIENT", False)],
)
def test_the_patient_s_own_word_is_replaced_by_nobody_else_s(old: str, new: str, stands: bool, world: World) -> None:
    world.record(consent(giver={"type": old, "id": "g-1", "competent_at_decision": "YES"}))
    renewed = consent(id="urn:x:new", giver={"type": new, "id": "g-2", "competent_at_decision": "YES"})
    replacing = consents.supersede
    with nullcontext() if not stands else pytest.raises(IllegalTransitionError, match="beside it"):
        take(world, lambda world, it: replacing(it, CONSENT_ID, renewed, by="nurse", at=world.clock()))
    assert states(world) == ([GIVEN] if stands else [GIVEN, SUPERSEDED])


def test_a_record_replaces_another_only_through_supersede(world: World) -> None:
    with pytest.raises(IllegalTransitionError, match="Supersede"):
        world.record(consent(previous_id="urn:x:0"))


@pytest.mark.parametrize(
    ("by", "reason"), [("nurse", "wrong"), (" NURSE\u200b", "wrong"), ("\u200b", "wrong"), ("records", " ")]
)
def test_an_error_is_marked_by_a_second_person_with_a_reason(by: str, reason: str, world: World) -> None:
    world.record(consent())
    with pytest.raises(IllegalTransitionError):
        take(world, lambda world, it: consents.enter_in_error(it, CONSENT_ID, by=by, at=world.clock(), reason=reason))
    assert take(world, enter_in_error).state_reason == "wrong patient"
    assert states(world) == [GIVEN, ERROR]


def test_the_second_person_is_not_who_recorded_any_version(world: World) -> None:
    put(world, PROPOSED)
    with world.services.database.writing() as connection:
        consents.refuse(connection, CONSENT_ID, by="records", at=world.clock())
    with pytest.raises(IllegalTransitionError, match="second person"):
        take(world, enter_in_error)


def test_of_two_writers_of_one_version_the_second_reads_again(world: World) -> None:
    record = consent(version=1)
    with world.services.database.writing() as connection:
        consentrows.append(connection, record, by="nurse", at=world.clock())
    with pytest.raises(IllegalTransitionError, match="Read it again"):
        take(world, lambda world, it: consentrows.append(it, record, by="ward", at=world.clock()))
    assert [each.recorded_by for each in world.consents()] == ["nurse"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (replace(consent(), id="x" * 257), "id: "),
        (replace(consent(), patient_id="x" * 65), "patient_id: "),
        (replace(consent(), withdrawal=Withdrawal()), "withdrawal: needs withdrawn_on"),
        (replace(consent(), source_system="   "), "source_system: "),
    ],
)
def test_what_could_not_be_read_again_is_not_written(record: ConsentRecord, words: str, world: World) -> None:
    with pytest.raises(IncompleteConsentError, match=words):
        world.record(record)
    assert world.consents() == []


def test_the_history_is_told_oldest_first_with_who_and_when(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    first = world.clock()
    world.clock.advance(days=2)
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    with world.services.database.reading() as connection:
        history = consents.versions(connection, CONSENT_ID)
    assert [(each.record.version, each.recorded_at) for each in history] == [
        (1, first.isoformat()),
        (2, world.clock().isoformat()),
    ]


def test_a_seal_is_over_the_text_that_was_stored_whatever_would_be_written_today(world: World) -> None:
    text = json.dumps({**json.loads(consent_json(consent())), "tests": None}, sort_keys=True)
    assert text != consent_json(consent())
    row = f"('{CONSENT_ID}', 1, 'P1', 'HOSP', '{text}', '2026-01-01T00:00:00+00:00', 'nurse')"
    world.sql(f"INSERT INTO consents VALUES {row}")  # noqa: S608 - texts of this test
    with world.services.database.reading() as connection:
        (sealed,) = consents.seals(connection)
        assert consents.current(connection, CONSENT_ID) == consent()
    assert sealed == f"consent record {CONSENT_ID} version 1 sha256 {sha256(text.encode()).hexdigest()}"


def test_the_seal_told_at_recording_is_the_one_found_later(world: World) -> None:
    told = consents.seal(world.record(consent()))
    with world.services.database.reading() as connection:
        assert list(consents.seals(connection)) == [told]
