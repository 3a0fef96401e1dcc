"""Grants of emergency access, stops and held objects in the registry, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry import breakglass, captures, merging, patients, quarantine
from orthanc_plugin.registry.breakglass import Grant
from orthanc_plugin.registry.captures import Stop, StopKind
from orthanc_plugin.registry.merging import Why
from orthanc_plugin.registry.quarantine import SETTLED, UNFILED, Held, Status
from tests.fakes.world import World

OLD, NEW = ("P1", "HOSP"), ("P2", "HOSP")


def grant(world: World, whose: tuple[str, str] = OLD, minutes: int = 10, **changes: object) -> Grant:
    made = Grant(
        grant_id=world.services.ids(),
        patient_id=whose[0],
        issuer=whose[1],
        account="registrar",
        reason="Unconscious in resus.",
        granted_at=world.clock(),
        granted_by="ward sister",
        ends_at=world.clock() + timedelta(minutes=minutes),
    )
    given = replace(made, **changes)  # type: ignore[arg-type]
    with world.services.database.writing() as connection:
        for who in (OLD, NEW):
            patients.ensure(connection, *who, None)
        breakglass.record(connection, given)
    return given


def live(world: World, whose: tuple[str, str], account: str = "registrar") -> Grant | None:
    with world.services.database.reading() as connection:
        return breakglass.live(connection, account, whose, world.clock())


def merged(world: World) -> None:
    why = Why(reason="Same person.", by="records", at=world.clock(), ids=world.services.ids)
    with world.services.database.writing() as connection:
        merging.merge(connection, OLD, NEW, why)


def test_a_grant_is_read_as_it_was_written(world: World) -> None:
    given = grant(world)
    assert live(world, OLD) == given
    with world.services.database.reading() as connection:
        assert breakglass.get(connection, given.grant_id) == given
        assert breakglass.listed(connection, unreviewed=True) == [given]


def test_a_grant_for_one_number_of_a_patient_holds_for_all_of_them(world: World) -> None:
    given = grant(world)
    assert live(world, NEW) is None
    merged(world)
    assert live(world, NEW) == live(world, OLD) == given


def test_the_grant_that_lasts_longest_counts_and_one_that_has_ended_does_not(world: World) -> None:
    grant(world, minutes=1)
    longest = grant(world, minutes=10)
    world.clock.advance(minutes=5)
    assert live(world, OLD) == longest
    world.clock.advance(minutes=5)
    assert live(world, OLD) is None


def test_what_was_reviewed_is_listed_only_when_all_are(world: World) -> None:
    given = grant(world)
    with world.services.database.writing() as connection:
        breakglass.end(connection, given.grant_id, world.clock())
        breakglass.reviewed(connection, given.grant_id, by="governance", at=world.clock(), finding="Fine.")
        assert breakglass.listed(connection, unreviewed=True) == []
        (known,) = breakglass.listed(connection)
    assert (known.finding, known.reviewed_by, known.ends_at) == ("Fine.", "governance", world.clock())


def test_a_seal_changes_with_the_reason_and_with_the_patient(world: World) -> None:
    given = grant(world)
    others = (replace(given, reason="Other."), replace(given, patient_id="P9"), replace(given, account="x"))
    assert len({breakglass.seal(each) for each in (given, *others)}) == 4
    assert "resus" not in breakglass.seal(given)


def test_a_patient_nobody_knows_has_no_grant(world: World) -> None:
    with pytest.raises(UnknownRecordError):
        live(world, ("P404", "HOSP"))


def test_the_first_stop_of_a_study_is_the_one_that_counts(world: World) -> None:
    first = Stop(
        stop_id="s1",
        study_instance_uid="2.25.1",
        kind=StopKind.DISTRESS,
        reason="Cried.",
        stopped_at=world.clock(),
        stopped_by="nurse",
    )
    with world.services.database.writing() as connection:
        captures.record(connection, replace(first, stop_id="s2", stopped_at=world.clock() + timedelta(seconds=1)))
        captures.record(connection, first)
        assert captures.of_study(connection, "2.25.1") == first
        assert captures.of_study(connection, "2.25.2") is None


def held(world: World, name: str = "q1", **changes: object) -> Held:
    made = Held(
        quarantine_id=name,
        sop_instance_uid=f"2.25.{name[1:]}",
        sha256=name,
        size=3,
        spool_name=f"{name}.dcm",
        reasons=("WHY: so",),
        origin="DICOM_PROTOCOL",
        received_at=world.clock().isoformat(),
        study_instance_uid="2.25.1",
        refers_to="urn:x:form",
    )
    given = replace(made, **changes)  # type: ignore[arg-type]
    with world.services.database.writing() as connection:
        quarantine.hold(connection, given)
    return given


def test_what_waits_is_overdue_when_its_window_has_ended(world: World) -> None:
    until = world.clock() + timedelta(minutes=30)
    waits = held(world, status=Status.AWAITING_PATIENT_APPROVAL, approve_by=until.isoformat())
    held(world, "q2")
    with world.services.database.reading() as connection:
        assert quarantine.overdue(connection, until - timedelta(microseconds=1)) == []
        assert quarantine.overdue(connection, until) == [waits]


@pytest.mark.parametrize("status", Status)
def test_only_what_is_unfiled_is_found_and_can_be_deleted(status: Status, world: World) -> None:
    given = held(world, status=status)
    unfiled = [given] if status in UNFILED else []
    with world.services.database.reading() as connection:
        assert quarantine.unfiled(connection, "2.25.1") == unfiled
        assert quarantine.unfiled_under(connection, "urn:x:form") == unfiled
        assert quarantine.unfiled(connection, "2.25.2") == quarantine.unfiled_under(connection, "urn:x:other") == []
        assert quarantine.settled_names(connection) == ({"q1.dcm"} if status in SETTLED else set())
        assert quarantine.open_(connection) == ([] if status in SETTLED else [given])
    if unfiled or status is Status.KEPT_UNDER_HOLD:  # once the hold is lifted
        assert deleted(world, given).status is Status.DELETED
    else:
        with pytest.raises(IllegalTransitionError, match=status):
            deleted(world, given)


def deleted(world: World, given: Held) -> Held:
    with world.services.database.writing() as connection:
        quarantine.delete(connection, given, by="nurse", at=world.clock(), reason="BACK: taken")
        return quarantine.get(connection, given.quarantine_id)


def test_an_object_is_found_by_the_consent_an_officer_linked_and_by_the_one_it_names(world: World) -> None:
    given = held(world)
    with world.services.database.writing() as connection:
        quarantine.link(connection, given.quarantine_id, "urn:x:right")
        for name in ("urn:x:right", "urn:x:form"):
            assert [each.quarantine_id for each in quarantine.unfiled_under(connection, name)] == ["q1"]


def test_what_is_held_again_keeps_its_id_and_the_consent_linked_to_it(world: World) -> None:
    given = held(world)
    with world.services.database.writing() as connection:
        quarantine.link(connection, given.quarantine_id, "urn:x:right")
        quarantine.settle(connection, given.quarantine_id, by="officer", at=world.clock())
        quarantine.hold(connection, replace(given, quarantine_id="other", reasons=("NEW: why",)))
        (again,) = quarantine.listed(connection, None)
    assert (again.quarantine_id, again.consent_id, again.status) == ("q1", "urn:x:right", Status.HELD)
    assert (again.reasons, again.settled_by) == (("NEW: why",), None)
