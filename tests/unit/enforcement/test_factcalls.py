"""Facts for retention by HTTP: the account is the source, a batch is taken in wholly or not at all, and it is fresh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.factschemas import MOST_PARTS, MOST_ROWS
from orthanc_plugin.enforcement.rest import BODY_BYTES
from orthanc_plugin.lifecycle import retentionrows
from orthanc_plugin.registry import retentionfacts
from orthanc_plugin.registry.retentionfacts import Feed, Recorded
from tests.fakes.caller import Caller, Said, world_with_accounts
from tests.fakes.records import SEEN, activate, fed

ROW: dict[str, object] = {
    "patient_id": "P1",
    "last_contact": "2015-03-10",
    "open_episode": False,
    "categories": [],
    "departments": ["Dermatology"],
}


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    world = world_with_accounts(tmp_path)
    activate(world)
    yield Caller(world=world)
    world.close()


def push(caller: Caller, *rows: object, as_of: datetime | None = None, account: str = "pas", **more: object) -> Said:
    moment = (as_of or caller.world.clock()).isoformat()
    return caller.post("retention/facts", {"as_of": moment, "facts": list(rows), **more}, account)


def told(caller: Caller, patient: str = "P1") -> tuple[Recorded, ...]:
    with caller.world.services.database.reading() as connection:
        return retentionfacts.of(connection, [(patient, "HOSP")])


def fresh(caller: Caller) -> dict[str, Feed]:
    with caller.world.services.database.reading() as connection:
        return retentionfacts.feeds(connection)


def test_a_batch_is_taken_in_as_a_file_of_the_same_would_be(caller: Caller) -> None:
    said = push(caller, ROW)
    now = caller.world.clock().isoformat()
    assert said.status == 200, said.body
    assert said.body == {
        "source": "pas",
        "as_of": now,
        "recorded": 1,
        "known": 0,
        "missing_parts": 0,
        "fresh_as_of": now,
        "stale": False,
    }
    (by_http,) = told(caller)
    again = fed(caller.world, SEEN)
    assert (again.report.applied, again.report.known, told(caller)) == (0, 1, (by_http,))
    effects = [(entry["effect"], entry["actor"], entry["door"]) for entry in caller.world.trail()]
    door = "POST /consentgate/retention/facts"
    assert ("RETENTION_FACTS", "pas", door) in effects
    assert ("RETENTION_FEED", "pas", door) in effects
    assert "P1" not in str(caller.world.trail())


def test_what_a_source_takes_back_it_names_and_it_waits_for_somebody_to_agree(caller: Caller) -> None:
    push(caller, ROW)
    caller.world.clock.advance(minutes=1)
    said = push(caller, {"patient_id": "P1", "taken_back": ["last_contact", "categories"]})
    assert (said.status, said.body["recorded"]) == (200, 1)
    assert [each.doubtful for each in told(caller)] == [("categories", "last_contact")]
    caller.world.clock.advance(minutes=1)
    refused = push(caller, {"patient_id": "P1", "taken_back": ["birth_date"]})
    assert refused.status == 422
    assert "facts[0].taken_back: birth_date" in str(refused.body)


def test_the_same_batch_again_changes_nothing(caller: Caller) -> None:
    push(caller, ROW)
    before = told(caller)
    said = push(caller, ROW)
    assert (said["recorded"], said["known"], told(caller)) == (0, 1, before)


def test_null_says_nothing_and_an_empty_list_that_there_are_none(caller: Caller) -> None:
    push(caller, {**ROW, "categories": ["CANCER", "DENTAL"]})
    caller.world.clock.advance(minutes=1)
    push(caller, {"patient_id": "P1", "categories": None, "last_contact": "2016-01-01"})
    (found,) = told(caller)
    assert (found.told.categories, str(found.told.last_contact)) == (("CANCER", "DENTAL"), "2016-01-01")
    caller.world.clock.advance(minutes=1)
    push(caller, {"patient_id": "P1", "categories": []})
    assert told(caller)[0].told.categories == ()


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"last_contact": "10/03/2015"}, "facts[1].last_contact"),
        ({"last_contact": 2015}, "facts[1].last_contact"),
        ({"last_contact": "2035-01-01"}, "facts[1].last_contact"),
        ({"open_episode": "no"}, "facts[1].open_episode"),
        ({"categories": "CANCER"}, "facts[1].categories"),
        ({"categories": ["CANCR"]}, "facts[1].categories"),
        ({"categories": ["none"]}, "facts[1].categories"),
        ({"departments": ["a|b"]}, "facts[1].departments"),
        ({"departments": ["half a character \ud83d"]}, "facts[1].departments"),
        ({"issuer": "\udfff"}, "facts[1].issuer"),
        ({"issuer": "a\0b"}, "facts[1].issuer"),
        ({"patient_id": "P1\nP3"}, "facts[1].patient_id"),
        ({"departments": ["a\x85b"]}, "facts[1].departments"),
        ({"trial_regime": "UK_2026"}, "facts[1].trial_id"),
        ({"patient_id": None}, "facts[1].patient_id"),
        ({"patient_id": ""}, "facts[1].patient_id"),
        ({"patient_id": "P2"}, "facts[1].patient_id"),
        ({"birth_date": "1970-01-01", "death_date": "1960-01-01"}, "facts[1].row"),
        ({"colour": "red"}, "facts[1]: 'colour'"),
    ],
)
def test_half_a_batch_is_nothing_and_every_fault_has_its_place(
    row: dict[str, object], place: str, caller: Caller
) -> None:
    said = push(caller, {**ROW, "patient_id": "P2"}, {**ROW, **row})
    assert said.status == 422, said.body
    assert [problem for problem in said["problems"] if problem.startswith(place)], said.body  # type: ignore[attr-defined]
    assert "whole batch" in str(said["remedy"])
    assert (told(caller), told(caller, "P2"), fresh(caller)) == ((), (), {})


def test_a_batch_that_is_refused_is_on_record_without_what_was_in_it(caller: Caller) -> None:
    push(caller, {**ROW, "patient_id": "P2"}, {**ROW, "categories": ["SECRET-WORD"]})
    entry = caller.world.trail()[-1]
    assert (entry["effect"], entry["actor"], entry["outcome"]) == ("RETENTION_FEED_REFUSED", "pas", "4")
    assert "1 fault(s)" in entry["reasons"]  # type: ignore[operator]
    assert "SECRET-WORD" not in str(caller.world.trail())


def test_the_source_is_the_account_and_a_body_can_name_no_other(caller: Caller) -> None:
    assert push(caller, ROW, source="lab").status == 400
    for account in ("epr", "governance", "admin", "derm"):
        assert push(caller, ROW, account=account).status == 403
    assert (told(caller), fresh(caller)) == ((), {})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        {"facts": []},
        {"as_of": "2026-11-22", "facts": []},
        {"as_of": "yesterday", "facts": []},
        {"as_of": "2026-11-20T05:00:00+00:00"},
        {"as_of": "2026-11-20T05:00:00+00:00", "facts": {}},
        {"as_of": "2026-11-20T05:00:00+00:00", "facts": [ROW] * (MOST_ROWS + 1)},
        {"as_of": "2026-11-20T05:00:00+00:00", "facts": [], "part": 2},
        {"as_of": "2026-11-20T05:00:00+00:00", "facts": [], "part": True},
        {"as_of": "2026-11-20T05:00:00+00:00", "facts": [], "parts": 1001},
    ],
)
def test_a_call_that_cannot_be_read_is_told_what_to_send(body: object, caller: Caller) -> None:
    said = caller.post("retention/facts", body, "pas")
    assert said.status == 400, said.body
    assert said["remedy"]
    assert fresh(caller) == {}


def test_a_body_beyond_the_limit_is_not_read(caller: Caller) -> None:
    rows = [{**ROW, "patient_id": f"P{at}", "departments": ["D" * 900] * 3} for at in range(MOST_ROWS)]
    assert push(caller, *rows).status == 413


def test_an_older_moment_and_one_to_come_are_refused(caller: Caller) -> None:
    push(caller, ROW)
    now = caller.world.clock()
    for moment in (now - timedelta(hours=1), now + timedelta(hours=1)):
        assert push(caller, {**ROW, "last_contact": "2014-01-01"}, as_of=moment).status == 409
    assert str(told(caller)[0].told.last_contact) == "2015-03-10"
    assert fresh(caller)["pas"].told_at == now


def test_old_facts_are_taken_in_and_the_answer_says_that_they_are_stale(caller: Caller) -> None:
    moment = caller.world.clock() - timedelta(days=2)
    said = push(caller, ROW, as_of=moment)
    assert (said.status, said["fresh_as_of"], said["stale"]) == (200, moment.isoformat(), True)


def test_a_source_is_fresh_once_every_part_was_taken_in_in_whatever_order(caller: Caller) -> None:
    moment = caller.world.clock()
    rows = [{**ROW, "patient_id": f"P{number}"} for number in (1, 2, 3)]
    third = push(caller, rows[2], part=3, parts=3)
    assert (third["missing_parts"], third["fresh_as_of"], third["stale"]) == (2, None, True)
    assert push(caller, rows[2], part=3, parts=3)["missing_parts"] == 2
    assert push(caller, {**rows[1], "open_episode": "?"}, part=2, parts=3).status == 422
    assert push(caller, rows[0], part=1, parts=3)["missing_parts"] == 1
    assert fresh(caller) == {}
    assert push(caller, rows[1], part=2, parts=3)["fresh_as_of"] == moment.isoformat()


def test_without_a_schedule_in_force_nothing_is_taken_in(tmp_path: Path) -> None:
    world = world_with_accounts(tmp_path)
    said = push(Caller(world=world), ROW)
    assert (said.status, "schedule" in str(said["error"])) == (422, True)
    world.close()


def test_every_column_of_the_file_has_its_place_in_the_description(caller: Caller) -> None:
    schemas = caller.get("openapi.json")["components"]["schemas"]  # type: ignore[index]
    facts = schemas["RetentionFacts"]["properties"]["facts"]["items"]["properties"]
    assert sorted(facts) == sorted(retentionrows.COLUMNS), json.dumps(facts)


def test_the_document_says_how_much_a_batch_may_have() -> None:
    document = (Path(__file__).resolve().parents[3] / "docs" / "retention.md").read_text(encoding="utf-8")
    assert f"at most {MOST_ROWS} rows and {BODY_BYTES >> 10} KiB" in document
    assert f"at most {MOST_PARTS:,})" in document
