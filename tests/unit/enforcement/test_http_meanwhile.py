"""Decision and disclosure of an original that goes out by HTTP are one record, or none when nothing leaves."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import Asked, HttpFilter, Patience
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.sending.worker import Worker
from tests.fakes.pictures import CARE, consent
from tests.fakes.world import POLICY, World, make_world

P = ParamSpec("P")
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


def asked(world: World) -> Asked:
    path = f"/instances/{world.row().orthanc_instance}/file"
    return Asked(method="GET", uri=path, address="", headers=ACCOUNT, arguments={})


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


class Slow(Worker):
    """A worker whose callers lose their patience: before the work is done, or once it is."""

    def __init__(self, *, before: bool) -> None:
        super().__init__("slow", 1)
        self.before = before

    def within(self, seconds: float | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self.before:
            return self._late(super().within(seconds, work, *args, **kwargs))
        (patience,) = (each for each in args if isinstance(each, Patience))
        patience.end()
        return self._late(super().within(seconds, work, *args, **kwargs))

    def _late(self, _result: T) -> T:
        raise TimeoutError


def impatient(world: World, *, before: bool) -> bool:
    slow = Slow(before=before)
    world.workers.append(slow)
    return ask(world, slow)


def test_a_release_for_which_nobody_waits_any_more_is_not_recorded(shared: World) -> None:
    before = shared.trail()
    assert not impatient(shared, before=True)
    assert (shared.trail(), shared.disclosures()) == (before, [])


def test_a_release_that_was_recorded_in_the_last_moment_is_let_happen(shared: World) -> None:
    assert impatient(shared, before=False)
    assert len(shared.disclosures()) == 1


def test_a_release_whose_record_came_too_late_is_said_to_have_left_nothing(shared: World) -> None:
    database = shared.services.database
    patience = Patience()

    class Committed(Database):
        def write(self, work: Callable[[Connection], T]) -> T:
            done = database.write(work)
            patience.end()
            return done

    late = replace(shared.services, database=Committed(database.engine))
    ask_at = HttpFilter(late, INTERNAL, shared.worker())
    assert not ask_at.allow(asked(shared), patience)
    assert shared.last_rules() == ["TOO_LATE"]
    assert [entry["rules"] for entry in shared.trail()].count(["TOO_LATE"]) == 1
