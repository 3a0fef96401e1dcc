"""The facts of a decision, kept so that it can be taken again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import Purpose
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.casefile import plain
from orthanc_plugin.policy.cases import parse_case
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import AuthorityType, Case
from orthanc_plugin.registry import snapshots
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.world import World
from tests.unit.policy.building import GMC17, authority, case, consent, refusal, request

CASE = case(
    consent(Purpose.TEACHING, until=date(2027, 1, 1)),
    refusal(Purpose.PUBLICATION),
    authorities=(authority(AuthorityType.COURT_ORDER),),
)


def keep(world: World, kept: Case = CASE) -> str:
    with world.services.database.writing() as connection:
        return snapshots.keep(connection, kept)


def read(world: World, digest: str) -> dict[str, object]:
    with world.services.database.reading() as connection:
        return snapshots.read(connection, digest)


def test_a_decision_is_taken_again_from_what_was_kept(world: World) -> None:
    facts = read(world, keep(world))
    again = parse_case({**facts, "id": CASE.id, "policy": plain(CASE.switches), "request": plain(CASE.request)})
    assert again == CASE
    assert decide(again) == decide(CASE)


def test_the_same_facts_are_kept_once_whatever_was_asked_of_them(world: World) -> None:
    others = (
        replace(CASE, id="another"),
        replace(CASE, request=request(Purpose.DIRECT_CARE)),
        replace(CASE, switches=GMC17),
    )
    assert {keep(world, each) for each in (CASE, *others)} == {keep(world)}
    assert world.sql("SELECT count(*) FROM snapshots") == [(1,)]


def test_other_facts_have_another_digest(world: World) -> None:
    digests = {keep(world), keep(world, case()), keep(world, replace(CASE, consents=CASE.consents[::-1]))}
    assert len(digests) == 3


def test_facts_that_were_not_kept_are_told_as_missing(world: World) -> None:
    with pytest.raises(UnknownRecordError, match="not kept"):
        read(world, "0" * 64)


def test_facts_that_were_changed_afterwards_are_not_used(world: World) -> None:
    digest = keep(world)
    world.sql("UPDATE snapshots SET body = replace(body, 'GIVEN', 'REFUSED')")
    with pytest.raises(UnreadableRowError, match="snapshots"):
        read(world, digest)
