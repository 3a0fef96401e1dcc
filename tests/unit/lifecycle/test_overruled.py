"""Two forms, one taken back: what left under the other comes back too, as far as it would not be given any more."""

from __future__ import annotations

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import Purpose
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import ledger
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, leave, listed, recalls

OTHER = "urn:x:other"


def forms(world: World, **other: object) -> World:
    """File a picture under one form, and record the other, which covers it as well."""
    world.file(CARE, TEACHING)
    world.record(consent(CARE, TEACHING, **{"id": OTHER, "decided_on": "2025-04-01", **other}))
    return world


def withdraw(world: World, consent_id: str, *purposes: Purpose) -> None:
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, consent_id, purposes, on=act.day, note=Withdrawal())


@pytest.mark.parametrize(
    ("other", "taken_back", "purposes", "recall"),
    [
        ({}, OTHER, (Purpose.TEACHING,), "OPEN"),
        ({}, OTHER, (), "OPEN"),
        ({}, OTHER, (Purpose.DIRECT_CARE,), "NONE"),
        ({"level": "STUDY", "targets": ["2.25.999"]}, OTHER, (), "NONE"),
    ],
    ids=["teaching", "everything", "care alone", "of another study"],
)
def test_what_left_under_one_form_comes_back_when_another_is_withdrawn(
    other: dict[str, object], taken_back: str, purposes: tuple[Purpose, ...], recall: str, world: World
) -> None:
    forms(world, **other)
    leave(world, "D1", effect=Effect.PERMIT_ANONYMISED)
    withdraw(world, taken_back, *purposes)
    assert recalls(world) == {"D1": recall}
    assert ("CONFIRM_RECALL", "D1") in listed(world) or recall == "NONE"


def test_a_copy_that_left_with_identity_comes_back_from_who_would_have_it_without_by_now(world: World) -> None:
    forms(world)
    leave(world, "D1", effect=Effect.PERMIT_IDENTIFIABLE)
    withdraw(world, OTHER)
    assert recalls(world) == {"D1": "OPEN"}


def test_what_a_finer_consent_still_gives_stays_where_it_is(world: World) -> None:
    forms(world, level="IMAGE", targets=[UID])
    leave(world, "D1", effect=Effect.PERMIT_ANONYMISED, under=(OTHER,))
    withdraw(world, CONSENT_ID, Purpose.TEACHING)
    assert recalls(world) == {"D1": "NONE"}


def test_what_is_published_under_the_other_form_is_told_to_the_patient(world: World) -> None:
    forms(world)
    leave(world, "D1", effect=Effect.PERMIT_ANONYMISED)
    with acting(world) as (connection, _):
        ledger.publish(connection, "D1")
    withdraw(world, OTHER)
    assert recalls(world) == {"D1": "NOT_RECALLABLE"}


def test_one_recipient_is_asked_once_for_what_it_has_under_both_forms(world: World) -> None:
    forms(world)
    leave(world, "D1", effect=Effect.PERMIT_ANONYMISED)
    leave(world, "D2", effect=Effect.PERMIT_ANONYMISED, under=(OTHER,))
    withdraw(world, OTHER)
    assert recalls(world) == {"D1": "OPEN", "D2": "OPEN"}
    assert world.sql("SELECT count(*) FROM recalls") == [(1,)]
