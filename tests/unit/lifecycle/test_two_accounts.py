"""Where somebody else must act, a second account of the same person is nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle import consenting, duties, emergency, people
from orthanc_plugin.policy.model import AuthorityType, Obligation
from orthanc_plugin.registry import tasks
from orthanc_plugin.registry.authorities import Claim
from tests.fakes.pictures import CARE, CONSENT_ID, consent
from tests.fakes.world import POLICY, World, make_world
from tests.unit.dicomwrap.objects import PATIENT

HERE, THERE, NOBODY_ELSE = "registrar", "registrar-at-desk", "Dr R. Strar"
ACCOUNTS = """
[[users]]
name = "registrar"
person = "dr r.  strar"
roles = ["view", "break-glass"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "registrar-at-desk"
person = "Dr R. Strar"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
WHOSE = (PATIENT.id or "", PATIENT.issuer or "")
Step = Callable[[World, str], object]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=POLICY + ACCOUNTS)
    yield made
    made.close()


def claimed(world: World, by: str, **said: str) -> str:
    kind = AuthorityType.PUBLIC_INTEREST if said else AuthorityType.COURT_ORDER
    number, issuer = WHOSE
    claim = Claim(patient_id=number, issuer=issuer, type=kind, document="file 12", valid_from=date(2020, 1, 1), **said)
    with world.services.database.writing() as connection:
        return people.claim(connection, world.services.act(by, "test"), claim).authority_id


def in_error(world: World) -> Step:
    with world.services.database.writing() as connection:
        consenting.record(connection, world.services.act(HERE, "test"), consent(CARE))

    def step(world: World, by: str) -> object:
        with world.services.database.writing() as connection:
            return consenting.enter_in_error(connection, world.services.act(by, "test"), CONSENT_ID, "wrong patient")

    return step


def verified(world: World, **said: str) -> Step:
    world.file(CARE)
    name = claimed(world, "clerk" if said else HERE, **said)

    def step(world: World, by: str) -> object:
        with world.services.database.writing() as connection:
            return people.verify(connection, world.services.act(by, "test"), name)

    return step


def asked_for(world: World) -> Step:
    return verified(world, requested_by=HERE, approved_by="guardian")


def looked_after(world: World) -> Step:
    world.file(CARE)
    with world.services.database.writing() as connection:
        act = world.services.act(HERE, "test")
        given = emergency.grant(connection, act, HERE, WHOSE, minutes=1, reason="Unconscious in resus just now.")
    world.clock.advance(minutes=1)

    def step(world: World, by: str) -> object:
        with world.services.database.writing() as connection:
            return emergency.review(connection, world.services.act(by, "test"), given.grant_id, "Justified.")

    return step


def closed(world: World) -> Step:
    with world.services.database.writing() as connection:
        tasks.open_task(
            connection,
            task_id="T1",
            kind=Obligation.IG_REVIEW,
            subject="run",
            reason="pictures from before were adopted",
            at=world.clock(),
            not_by=HERE,
        )

    def step(world: World, by: str) -> object:
        with world.services.database.writing() as connection:
            return duties.close(connection, world.services.act(by, "test"), "T1", "looked at")

    return step


SECOND = {
    "a consent that was entered in error": in_error,
    "an authority that they recorded": verified,
    "an authority that they asked for": asked_for,
    "emergency access of their own": looked_after,
    "work that somebody else must look at": closed,
}


@pytest.mark.parametrize("by", [HERE, THERE, NOBODY_ELSE])
@pytest.mark.parametrize("what", SECOND)
def test_a_second_account_of_one_person_is_no_second_person(what: str, by: str, world: World) -> None:
    step = SECOND[what](world)
    with pytest.raises(ConsentgateError):
        step(world, by)
    assert step(world, "governance")


@pytest.mark.parametrize(("approver", "good"), [(THERE, False), (HERE, False), ("guardian", True)])
def test_who_asked_doesn_t_approve_in_the_public_interest_by_another_account(
    approver: str, good: bool, world: World
) -> None:
    step = verified(world, requested_by=HERE, approved_by=approver)
    if good:
        assert step(world, "governance")
    else:
        with pytest.raises(ConsentgateError, match="approved that themselves"):
            step(world, "governance")
