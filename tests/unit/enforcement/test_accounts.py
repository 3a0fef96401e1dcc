"""The account of disclosures by HTTP: what it takes, and that a number is never in what is logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.caller import Caller, world_with_accounts
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import leave

WHO = {"patient_id": PATIENT.id, "issuer": PATIENT.issuer}


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    world = world_with_accounts(tmp_path)
    world.file(CARE, TEACHING)
    leave(world)
    yield Caller(world=world)
    world.close()


@pytest.mark.parametrize("named", [WHO, {"image": UID}, {"recipient": "teaching-archive"}])
@pytest.mark.parametrize(("narrowing", "count"), [({}, 1), ({"live": True}, 1), ({"until": "2026-11-21"}, 0)])
def test_the_account_is_given_by_whichever_is_named(
    named: dict[str, object], narrowing: dict[str, object], count: int, caller: Caller
) -> None:
    said = caller.post("disclosures/search", {**named, **narrowing})
    assert (said.status, len(said["disclosures"])) == (200, count)  # type: ignore[arg-type]
    assert PATIENT.id not in json.dumps(caller.world.trail())


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "Name one of"),
        ({**WHO, "image": UID}, 400, "Name one of"),
        ({"image": UID, "since": "yesterday"}, 400, "since: expected a date"),
        ({"image": UID, "live": "yes"}, 400, "live: expected"),
        ({"image": UID, "purpose": "TEACHING"}, 400, "Unknown fields"),
        ({"image": 7}, 400, "image: must be text"),
        ({"image": "2.25.404"}, 404, "No image"),
        ({"patient_id": "0815"}, 404, "No such patient"),
    ],
)
def test_what_can_t_be_answered_says_why(body: dict[str, object], status: int, words: str, caller: Caller) -> None:
    said = caller.post("disclosures/search", body)
    assert (said.status, words in str(said["error"])) == (status, True)


@pytest.mark.parametrize("account", ["derm", "teacher", "admin", "governance", "nobody"])
def test_only_those_who_handle_consents_are_told(account: str, caller: Caller) -> None:
    assert caller.post("disclosures/search", {"image": UID}, account).status == 403
