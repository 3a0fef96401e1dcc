"""Consents are appended, never changed; a withdrawal ends what it names and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.consentrecord import ConsentRecord, WithdrawnPurpose
from dicomwrap.terms import Explained, Purpose, PurposeGroup
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry import consents, patients
from orthanc_plugin.registry.consents import IncompleteConsentError
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World

DAY = date(2026, 11, 22)


def withdraw(world: World, *purposes: Purpose | PurposeGroup, on: date = DAY) -> ConsentRecord:
    with world.services.database.writing() as connection:
        return consents.withdraw(connection, CONSENT_ID, purposes or None, on=on, by="nurse", at=world.clock())


def gone(purpose: Purpose | PurposeGroup, on: date) -> WithdrawnPurpose:
    return WithdrawnPurpose(purpose=purpose, on=on)


def versions(world: World) -> list[tuple[object, ...]]:
    return world.sql("SELECT version, record FROM consents ORDER BY version")


def test_a_consent_is_filed_as_its_first_version_whatever_the_form_says(world: World) -> None:
    assert world.record(consent(CARE, version=7)).version == 1
    (recorded,) = world.consents()
    assert (recorded.record.id, recorded.recorded_by) == (CONSENT_ID, "nurse")
    assert recorded.recorded_at == world.clock().isoformat()


def test_the_same_id_can_t_be_filed_twice(world: World) -> None:
    world.record(consent())
    with pytest.raises(IllegalTransitionError, match="on record already"):
        world.record(consent(TEACHING))
    assert len(versions(world)) == 1


def test_a_withdrawal_appends_and_leaves_what_was_there(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    (before,) = versions(world)
    changed = withdraw(world)
    whole = (gone(Purpose.DIRECT_CARE, DAY), gone(Purpose.TEACHING, DAY))
    assert (changed.state, changed.version, changed.withdrawn) == ("WITHDRAWN", 2, whole)
    assert versions(world)[0] == before
    assert [each.record.version for each in world.consents()] == [2]


def test_a_partial_withdrawal_lets_the_rest_survive(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    changed = withdraw(world, Purpose.TEACHING)
    assert (changed.state, changed.withdrawn_purposes) == ("GIVEN", {Purpose.TEACHING})
    ended = withdraw(world, Purpose.DIRECT_CARE)
    assert (ended.state, ended.version) == ("WITHDRAWN", 3)
    assert ended.withdrawn_purposes == {Purpose.TEACHING, Purpose.DIRECT_CARE}


def test_a_group_withdraws_every_purpose_it_covers(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    assert withdraw(world, PurposeGroup.ALL_SECONDARY).withdrawn_purposes == {Purpose.TEACHING}


def test_a_purpose_taken_out_of_a_blanket_consent_leaves_the_others(world: World) -> None:
    world.record(consent({**CARE, "purpose": "ALL"}, explained=list(Explained)))
    changed = withdraw(world, Purpose.PUBLICATION)
    assert (changed.state, changed.withdrawn_purposes) == ("GIVEN", {Purpose.PUBLICATION})


@pytest.mark.parametrize(("first", "then"), [(date(2026, 1, 2), DAY), (DAY, date(2026, 1, 2))])
def test_what_is_withdrawn_in_steps_has_the_day_of_its_own_step(first: date, then: date, world: World) -> None:
    world.record(consent(CARE, TEACHING))
    withdraw(world, Purpose.TEACHING, on=first)
    steps = (gone(Purpose.TEACHING, first), gone(Purpose.DIRECT_CARE, then))
    assert withdraw(world, on=then).withdrawn == steps
    assert [each.record.withdrawn for each in world.consents()] == [steps]


def test_what_is_withdrawn_twice_keeps_its_first_day(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    withdraw(world, Purpose.TEACHING, on=date(2026, 1, 2))
    again = withdraw(world, PurposeGroup.ALL_SECONDARY)
    assert (again.state, again.withdrawn) == ("GIVEN", (gone(Purpose.TEACHING, date(2026, 1, 2)),))


def test_a_blanket_consent_is_withdrawn_as_it_was_given_or_use_by_use(world: World) -> None:
    blanket = consent({**CARE, "purpose": "ALL"}, explained=list(Explained))
    world.record(blanket)
    world.record(replace(blanket, id="urn:x:2"))
    assert withdraw(world).withdrawn == (gone(PurposeGroup.ALL, DAY),)
    with world.services.database.writing() as connection:
        for named in ((Purpose.TEACHING,), None):
            ended = consents.withdraw(connection, "urn:x:2", named, on=DAY, by="nurse", at=world.clock())
    assert (ended.state, {each.purpose for each in ended.withdrawn}) == ("WITHDRAWN", set(Purpose))


@pytest.mark.parametrize("state", ["REFUSED", "PROPOSED"])
def test_what_was_never_given_can_t_be_withdrawn(state: str, world: World) -> None:
    world.record(consent(state=state))
    with pytest.raises(IllegalTransitionError, match=state):
        withdraw(world)


def test_what_is_withdrawn_stays_withdrawn(world: World) -> None:
    world.record(consent())
    withdraw(world)
    with pytest.raises(IllegalTransitionError, match="WITHDRAWN"):
        withdraw(world)
    assert len(versions(world)) == 2


def test_what_was_never_covered_can_t_be_withdrawn(world: World) -> None:
    world.record(consent(CARE))
    with pytest.raises(IllegalTransitionError, match="DIRECT_CARE"):
        withdraw(world, Purpose.TEACHING)


def test_a_consent_can_t_be_withdrawn_before_it_was_given_and_stays_readable(world: World) -> None:
    world.record(consent())
    with pytest.raises(IllegalTransitionError, match="2025-03-01"):
        withdraw(world, on=date(2024, 1, 1))
    assert [each.record.state for each in world.consents()] == ["GIVEN"]


def test_an_unknown_consent_is_told(world: World) -> None:
    with pytest.raises(UnknownRecordError):
        withdraw(world)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patient_id": None}, "patient_id"),
        ({"state": "EXPIRED"}, "state"),
        ({"state": "SUPERSEDED"}, "state"),
        ({"state": "WITHDRAWN", "withdrawn_on": "2025-04-01"}, "state"),
        ({"explained": ["WHY", "STORAGE"]}, "explained: USE"),
        ({"decided_on": "2026-11-23"}, "decided_on: 2026-11-23 is after today, 2026-11-22"),
        ({"evidence": None}, "evidence"),
    ],
)
def test_a_gap_is_named_and_nothing_is_filed(changes: dict[str, object], words: str, world: World) -> None:
    with pytest.raises(IncompleteConsentError) as caught:
        world.record(consent(**changes))
    assert any(problem.startswith(words) for problem in caught.value.problems)
    assert versions(world) == []


def test_the_birth_date_on_record_asks_who_found_a_child_competent(world: World) -> None:
    with world.services.database.writing() as connection:
        patients.ensure(connection, "P1", "HOSP", date(2012, 5, 1))
    with pytest.raises(IncompleteConsentError, match=r"giver\.competence_assessor"):
        world.record(consent())
    giver = {"type": "PATIENT", "id": "P1", "competence_assessor": "dr-g"}
    assert world.record(consent(giver=giver)).giver.competence_assessor == "dr-g"


def test_a_consent_to_an_intimate_picture_says_who_will_see_it(world: World) -> None:
    world.file()
    world.sql("UPDATE images SET intimate = 1")
    told = consent(id="urn:x:2", level="IMAGE", targets=[UID], explained=["WHY", "USE", "STORAGE"])
    with pytest.raises(IncompleteConsentError, match="explained: AUDIENCE"):
        world.record(told)
    world.sql("UPDATE images SET intimate = 0")
    assert world.record(told).targets == (UID,)


def test_a_listing_is_of_one_patient_of_one_issuer(world: World) -> None:
    world.record(consent())
    world.record(consent(id="urn:x:2", patient_id="P2"))
    world.record(consent(id="urn:x:3", issuer="ELSEWHERE"))
    with world.services.database.reading() as connection:
        assert len(consents.listed(connection)) == 3
        assert [each.record.id for each in consents.listed(connection, "P1")] == [CONSENT_ID, "urn:x:3"]
        assert [each.record.id for each in consents.listed(connection, "P1", "HOSP")] == [CONSENT_ID]


def test_a_birth_date_comes_with_a_patient_s_first_record_and_is_never_changed_by_another(world: World) -> None:
    with world.services.database.writing() as connection:
        assert patients.ensure(connection, "P9", "HOSP", date(1980, 1, 1)).dob == date(1980, 1, 1)
        assert patients.ensure(connection, "P9", "HOSP", date(1999, 9, 9)).dob == date(1980, 1, 1)
        assert patients.find(connection, "P9", "ELSEWHERE") is None


def test_nothing_of_a_failed_transaction_stays(world: World) -> None:
    def twice() -> None:
        with world.services.database.writing() as connection:
            consents.add(connection, consent(), by="nurse", at=world.clock())
            consents.add(connection, consent(), by="nurse", at=world.clock())

    with pytest.raises(IllegalTransitionError):
        twice()
    assert versions(world) == []
