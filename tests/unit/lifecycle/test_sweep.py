"""The nightly look at what time has done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from dicomwrap.terms import Audience, ConsentState, Form, Purpose, PurposeGroup
from orthanc_plugin.config.forms import ConsentForm, FormLevel, FormScope
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.lifecycle import duties
from orthanc_plugin.lifecycle.sweep import Swept, sweep
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World, with_policy
from tests.unit.lifecycle.steps import acting, effects, listed

PARENT = {"giver": {"type": "PR_HOLDER", "id": "mother", "competent_at_decision": "NA"}}
FORM_CARE = FormScope(purpose=Purpose.DIRECT_CARE, max_form=Form.IDENTIFIABLE, audience=(Audience.CARE_TEAM,))
WIDEST = FormLevel(
    label="Everybody", scopes=(replace(FORM_CARE, audience=(Audience.CARE_TEAM, Audience.TRUST_STUDENTS)),)
)
ASKED = {("SEEK_RECONSENT", CONSENT_ID)}


def swept(world: World, *, dry_run: bool = False) -> Swept:
    return sweep(world.services.database, world.services.act("sweep", "test"), dry_run=dry_run)


def on(world: World, day: date) -> World:
    world.clock.at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    return world


@pytest.fixture
def child(world: World) -> World:
    """Give a world with a parent's consent for a child born on 29 February 2016."""
    on(world, date(2025, 3, 2))
    world.record(consent(CARE, **PARENT), birth_date=date(2016, 2, 29))
    return world


@pytest.mark.parametrize(
    ("day", "state", "asked"),
    [
        (date(2032, 2, 28), ConsentState.GIVEN, False),
        (date(2032, 2, 29), ConsentState.GIVEN, True),
        (date(2034, 2, 28), ConsentState.GIVEN, True),
        (date(2034, 3, 1), ConsentState.EXPIRED, True),
    ],
)
def test_a_child_who_grows_up_is_asked_at_16_and_a_parent_s_consent_ends_at_18(
    day: date, state: ConsentState, asked: bool, child: World
) -> None:
    swept(on(child, day))
    assert child.consents()[0].record.state is state
    assert listed(child) == (ASKED if asked else set())


@pytest.mark.parametrize("damage", ["{", "[]", "null", '{"targets": 3}'])
def test_a_damaged_consent_does_not_keep_the_others_from_being_looked_at(damage: str, world: World) -> None:
    world.record(consent({**CARE, "valid_to": "2026-01-01"}))
    world.record(consent(CARE, id="urn:x:2", patient_id="A0"))
    world.sql(f"UPDATE consents SET record = '{damage}' WHERE patient_id = 'A0'")  # noqa: S608 - texts of this test
    found = swept(world)
    assert ([due.consent_id for due in found.done], found.unreadable) == ([CONSENT_ID], 1)


def test_running_twice_changes_nothing(child: World) -> None:
    on(child, date(2032, 3, 1))
    assert len(swept(child).done) == 1
    before = (child.trail(), child.tasks())
    assert swept(child).done == ()
    assert (child.trail(), child.tasks()) == before


def test_what_was_answered_is_not_asked_again_the_next_night_but_at_18(child: World) -> None:
    swept(on(child, date(2032, 3, 1)))
    (task,) = child.tasks()
    with acting(child) as (connection, act):
        duties.close(connection, act, str(task["task_id"]), "wants to think about it")
    assert swept(on(child, date(2032, 3, 2))).done == ()
    swept(on(child, date(2034, 3, 1)))
    assert listed(child) == ASKED


def test_a_second_reason_does_not_ask_twice(child: World) -> None:
    child.sql("UPDATE patients SET gillick = 'COMPETENT'")
    swept(on(child, date(2030, 1, 1)))
    assert swept(on(child, date(2032, 3, 1))).done == ()
    assert len(child.tasks()) == 1
    assert child.tasks()[0]["reason"] == "the child was found competent; a parent agreed"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(child: World) -> None:
    on(child, date(2034, 3, 1))
    (due,) = swept(child, dry_run=True).done
    assert (due.consent_id, due.happening, due.ended) == (CONSENT_ID, "BIRTHDAY_18", True)
    assert (child.trail(), child.tasks(), child.consents()[0].record.state) == ([], [], ConsentState.GIVEN)


def test_a_consent_whose_last_day_has_passed_is_stored_as_expired(world: World) -> None:
    world.record(consent({**CARE, "valid_to": "2026-11-30"}))
    assert swept(on(world, date(2026, 11, 30))).done == ()
    swept(on(world, date(2026, 12, 1)))
    assert world.consents()[0].record.state is ConsentState.EXPIRED
    assert (effects(world), listed(world)) == (["EXPIRED"], ASKED)
    assert swept(on(world, date(2026, 12, 2))).done == ()


def test_what_is_left_of_a_partly_withdrawn_consent_expires(world: World) -> None:
    world.record(consent({**CARE, "valid_to": "2026-11-30"}, TEACHING))
    assert swept(on(world, date(2026, 12, 1))).done == ()
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    (due,) = swept(world).done
    assert (due.happening, world.consents()[0].record.state) == ("EXPIRY", ConsentState.EXPIRED)


def test_a_death_has_the_family_thought_of_and_ends_nothing(child: World) -> None:
    child.sql("UPDATE patients SET death_date = '2026-01-01'")
    swept(on(child, date(2034, 3, 1)))
    assert child.consents()[0].record.state is ConsentState.GIVEN
    assert (effects(child), listed(child)) == (["DECEASED_CHECK_FAMILY"], {("CONSIDER_FAMILY", CONSENT_ID)})


def with_form(world: World, version: str, *scopes: FormScope) -> World:
    level = FormLevel(label="Record", scopes=scopes)
    form = ConsentForm(title="Our form", version=version, levels={"A": level, "B": WIDEST})
    return with_policy(world, forms={"IMI": form})


def signed(world: World, **changes: object) -> World:
    world.record(consent(CARE, **{"document": {"form_id": "IMI", "form_version": "1"}, **changes}))
    return world


@pytest.mark.parametrize(
    ("scope", "widens"),
    [
        (FORM_CARE, False),
        (replace(FORM_CARE, max_form=Form.ANONYMISED), False),
        (replace(FORM_CARE, audience=(Audience.CARE_TEAM, Audience.TRUST_CLINICIAN)), True),
        (replace(FORM_CARE, purpose=PurposeGroup.ALL), True),
        (replace(FORM_CARE, purpose=Purpose.SECOND_OPINION), True),  # only level B has what was signed
    ],
)
def test_a_form_that_allows_more_than_was_signed_has_the_patient_asked_again(
    scope: FormScope, widens: bool, world: World
) -> None:
    signed(world)
    assert swept(with_form(world, "1", scope)).done == ()
    found = swept(with_form(world, "2", scope)).done
    assert [due.happening for due in found] == ["NEW_FORM_VERSION"] * widens
    assert (effects(world), listed(world)) == ((["RECONSENT_DUE"], ASKED) if widens else ([], set()))
    assert world.consents()[0].record.state is ConsentState.GIVEN


def test_a_wider_form_is_asked_about_once_for_each_version(world: World) -> None:
    signed(world)
    wider = replace(FORM_CARE, audience=(Audience.TRUST_CLINICIAN,))
    asked = []
    for version in ("2", "2", "3"):
        asked += [due.reason for due in swept(with_form(world, version, wider)).done]
        for task in world.tasks():
            with acting(world) as (connection, act):
                duties.close(connection, act, str(task["task_id"]), "stays as it is")
    assert asked == [f"form IMI allows more in version {version} than was signed" for version in ("2", "3")]


def test_an_anonymised_consent_is_asked_about_when_the_form_identifies_now(world: World) -> None:
    signed(world, scopes=[{**CARE, "max_form": "ANONYMISED"}])
    assert len(swept(with_form(world, "2", FORM_CARE)).done) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"document": None},
        {"document": {"form_id": "OTHER", "form_version": "1"}},
        {"state": "REFUSED"},
        {"scopes": [{**CARE, "valid_to": "2026-01-01"}]},
        {"scopes": [{**CARE, "purpose": "PUBLIC_INTEREST"}]},
    ],
)
def test_nobody_is_asked_about_a_form_that_was_not_signed_or_no_longer_counts(
    changes: dict[str, object], world: World
) -> None:
    signed(world, **changes)
    wider = replace(FORM_CARE, audience=(Audience.TRUST_CLINICIAN,))
    assert "NEW_FORM_VERSION" not in {due.happening for due in swept(with_form(world, "2", wider)).done}


def test_the_dead_are_not_asked_about_a_form(world: World) -> None:
    signed(world)
    world.sql("UPDATE patients SET death_date = '2026-01-01'")
    assert [due.happening for due in swept(with_form(world, "2", WIDEST.scopes[0])).done] == ["DEATH"]


def test_many_patients_are_gone_through_each_once(world: World) -> None:
    for number in range(7):
        world.record(consent({**CARE, "valid_to": "2026-11-30"}, id=f"urn:x:{number}", patient_id=f"N{number % 4}"))
    done = swept(on(world, date(2026, 12, 1))).done
    assert sorted(due.consent_id for due in done) == [f"urn:x:{number}" for number in range(7)]


def test_a_row_that_can_t_be_read_does_not_keep_others_from_being_looked_at(child: World) -> None:
    child.record(consent({**CARE, "valid_to": "2026-11-30"}, id="urn:x:2", patient_id="P0"))
    child.sql("UPDATE patients SET capacity = 'MAYBE' WHERE patient_id = 'P0'")
    found = swept(on(child, date(2034, 3, 1)))
    assert ([due.consent_id for due in found.done], found.unreadable) == ([CONSENT_ID], 1)


def test_a_sweep_that_is_cut_off_goes_on_the_next_time(world: World) -> None:
    for number in range(3):
        world.record(consent({**CARE, "valid_to": "2026-11-30"}, id=f"urn:x:{number}", patient_id=f"N{number}"))
    world.sql(
        "CREATE TRIGGER cut BEFORE INSERT ON tasks WHEN NEW.subject = 'urn:x:1' BEGIN SELECT RAISE(ABORT, 'x'); END"
    )
    on(world, date(2026, 12, 1))
    with pytest.raises(RegistryError):
        swept(world)
    states = {each.record.id: each.record.state for each in world.consents()}
    assert states == {"urn:x:0": "EXPIRED", "urn:x:1": "GIVEN", "urn:x:2": "GIVEN"}
    world.sql("DROP TRIGGER cut")
    assert [due.consent_id for due in swept(world).done] == ["urn:x:1", "urn:x:2"]
    assert len(world.tasks()) == 3
