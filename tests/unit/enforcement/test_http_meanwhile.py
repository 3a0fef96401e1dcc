"""Decision and disclosure of an original that goes out by HTTP are one record, or none when nothing leaves."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.turns import Lead
from orthanc_plugin.sending.worker import Worker
from tests.fakes.pictures import CARE, consent
from tests.fakes.world import POLICY, World, make_world

T = TypeVar("T")
GET = 1
INTERNAL = Credentials(user="consentgate", password="p", secret="s")
ACCOUNT = {"authorization": "Basic " + base64.b64encode(b"partner:password").decode()}
TOLD = ["WHY", "USE", "STORAGE", "DISPOSAL", "TRANSMISSION"]
OPINION = {"purpose": "SECOND_OPINION", "max_form": "IDENTIFIABLE", "audience": ["PARTNER_ORG_CLINICIAN"]}
PARTNER = """
[[users]]
name = "partner"
roles = ["view"]
purpose = "SECOND_OPINION"
audience = "PARTNER_ORG_CLINICIAN"
secure_channel = true
"""
FULL = "CREATE TRIGGER full BEFORE INSERT ON disclosures BEGIN SELECT RAISE(ABORT, 'disk full'); END"


def ask(world: World, worker: Worker | None = None) -> bool:
    hook = HttpFilter(world.services, INTERNAL, worker or world.worker()).hook
    return hook(f"/instances/{world.row().orthanc_instance}/file", method=GET, ip="", headers=ACCOUNT, get={})


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path, policy=POLICY + PARTNER)
    world.record(consent(CARE, OPINION, explained=TOLD))
    world.file()
    yield world
    world.close()


def test_an_original_that_must_be_disclosed_leaves_with_its_decision_and_its_disclosure(shared: World) -> None:
    assert ask(shared)
    (disclosure,) = shared.disclosures()
    decision, begun = shared.trail()[-2:]
    assert (decision["id"], begun["id"]) == (disclosure["decision_id"], disclosure["disclosure_id"])


def test_an_original_whose_disclosure_can_t_be_written_stays_in_and_no_decision_says_that_it_left(
    shared: World,
) -> None:
    shared.sql(FULL)
    before = shared.trail()
    assert not ask(shared)
    assert (shared.trail(), shared.disclosures()) == (before, [])


def test_after_a_withdrawal_neither_a_decision_nor_a_disclosure_lets_it_out(shared: World) -> None:
    shared.withdraw()
    assert not ask(shared)
    assert (shared.trail()[-1]["effect"], shared.disclosures()) == ("DENY", [])


class Held(Worker):
    """A worker that begins nothing before it is told to, and whose callers lose their patience at once."""

    def __init__(self) -> None:
        super().__init__("held", 1, seconds=0)
        self.work: list[Callable[[], None]] = []

    def lead(self, work: Callable[[], None]) -> None:
        self.work.append(work)


def test_a_release_for_which_nobody_waits_any_more_is_not_recorded(shared: World) -> None:
    before, held = shared.trail(), Held()
    shared.workers.append(held)
    assert not ask(shared, held)
    assert not ask(shared, held)  # at once, for the one before hangs
    (begin,) = held.work
    begin()
    assert (shared.trail(), shared.disclosures()) == (before, [])
    assert ask(shared)


class Late(Database):
    """A registry whose callers lose their patience once the record is committed; then they are told, or had been."""

    def __init__(self, database: Database, *, told: bool) -> None:
        super().__init__(database.engine)
        self.told = told
        self.rest: list[Callable[[], None]] = []

    def hand(self, work: Callable[[Connection], T], then: Callable[[T], None], lead: Lead, seconds: float | None) -> T:
        result = self.write(work)
        self.rest.append(lambda: then(result))
        if self.told:
            self.rest.pop()()
        raise TimeoutError


def late(world: World, *, told: bool) -> tuple[bool, Late]:
    database = Late(world.services.database, told=told)
    hook = HttpFilter(replace(world.services, database=database), INTERNAL, world.worker()).hook
    path = f"/instances/{world.row().orthanc_instance}/file"
    return hook(path, method=GET, ip="", headers=ACCOUNT, get={}), database


def test_a_release_that_was_recorded_in_the_last_moment_is_let_happen(shared: World) -> None:
    left, _ = late(shared, told=True)
    assert left
    assert len(shared.disclosures()) == 1


def test_a_release_whose_record_came_too_late_is_said_to_have_left_nothing(shared: World) -> None:
    left, database = late(shared, told=False)
    assert not left
    (rest,) = database.rest
    rest()
    assert shared.last_rules() == ["TOO_LATE"]
    assert [entry["rules"] for entry in shared.trail()].count(["TOO_LATE"]) == 1
