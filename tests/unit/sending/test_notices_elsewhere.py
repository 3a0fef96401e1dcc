"""A name that means somebody else by now: nobody is told there of another's copies, nor deletes any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from dicomwrap.terms import Audience, Form, Purpose
from orthanc_plugin.lifecycle import recallletters
from orthanc_plugin.lifecycle.recallletters import NOBODY_KNOWN
from orthanc_plugin.policy.recalling import Method, Standing
from orthanc_plugin.registry import policyversions
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import POLICY, World, with_policy
from tests.unit.lifecycle.steps import acting
from tests.unit.lifecycle.steps import recalls as copies
from tests.unit.sending.noticing import delivered, notices, only, withdraw

HOST = 'owner = "dermatology"\nhost = "127.0.0.1"'


@pytest.fixture
def care(world: World) -> World:
    """Give a world in which an identifiable copy left to a workstation, and consent was withdrawn."""
    world.file(CARE, TEACHING)
    delivered(world, leave(world, UID, "workstation"))
    return withdraw(world)


def bound(world: World, **changes: object) -> World:
    """Bind the workstation's name otherwise."""
    nodes = tuple(
        replace(node, **changes) if node.name == "workstation" else node for node in world.services.policy.dicom_nodes
    )
    return with_policy(world, dicom_nodes=nodes)


def activated(world: World, body: str, before: timedelta) -> None:
    """Have a policy be in force since some time ago."""
    at = world.clock() - before
    with world.services.database.writing() as connection:
        policyversions.propose(connection, body[-9:], body=body, replaces="", by="a", at=at)
        policyversions.activate(connection, body[-9:], by="b", at=at)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": Purpose.TEACHING, "audience": Audience.TRUST_STUDENTS, "form": Form.ANONYMISED},
        {"purpose": Purpose.RESEARCH, "audience": Audience.RESEARCH_TEAM},
        {"form": Form.ANONYMISED},
    ],
    ids=["teaching", "research", "without identity alone"],
)
def test_who_got_the_name_for_another_use_is_told_nothing_of_whom_it_was_before(
    changes: dict[str, object], care: World
) -> None:
    notices(bound(care, **changes)).perform()
    found = only(care)
    assert (found.method, found.standing, care.archive.sent) == (Method.LETTER, Standing.OPEN, [])
    assert "another use" in found.problem
    assert set(copies(care).values()) == {"OPEN"}


@pytest.mark.parametrize("purpose", [Purpose.SECOND_OPINION, Purpose.DIRECT_CARE])
def test_one_that_treats_the_patient_is_told_whatever_the_word_for_it(purpose: Purpose, care: World) -> None:
    notices(bound(care, purpose=purpose)).perform()
    assert only(care).standing is Standing.NOTIFIED


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (lambda body: body.replace(HOST, HOST.replace("127.0.0.1", "10.9.9.9")), False),
        (lambda body: body.replace('aet = "DERMWS"', 'aet = "OLDWS"'), False),
        (lambda body: body + "\n# the same\n", True),
    ],
    ids=["another host", "another AE title", "the same place"],
)
def test_who_is_at_another_address_than_when_the_copies_left_is_told_nothing(
    then: Callable[[str], str], told: bool, care: World
) -> None:
    assert (then(POLICY) != POLICY, HOST in POLICY) == (True, True)
    activated(care, then(POLICY), timedelta(days=2))
    activated(care, POLICY + "\n# later\n", timedelta(seconds=-1))
    notices(care).perform()
    assert (only(care).method is Method.KOS, bool(care.archive.sent)) == (told, told)
    assert ("another address" in only(care).problem) is not told


def test_a_letter_about_them_is_not_addressed_to_who_has_the_name_now(care: World) -> None:
    other = bound(care, purpose=Purpose.RESEARCH, owner="another firm")
    notices(other).perform()
    with acting(other) as (connection, act):
        letter = recallletters.write(connection, act, (only(other).recall_id,))
    assert (letter.addressee, letter.recipient) == (NOBODY_KNOWN, "workstation")
