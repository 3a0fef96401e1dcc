"""``consentgate retention plans | show | report`` tell where a plan stands, and ``plan`` why none could be made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from orthanc_plugin.clock import now
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.schedulefile import shipped_text
from orthanc_plugin.lifecycle import scheduling
from orthanc_plugin.registry import plans
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE
from tests.unit.cli.conftest import Shell

LINES = (
    "patient_id,last_contact,open_episode,categories\n{patient},2010-03-04,no,none\nNOBODY,2010-03-04,perhaps,none\n"
)


@pytest.fixture
def bureau(shell: Shell) -> Office:
    """Give the office of a world with a picture that fell due long ago, where no source has told anything yet."""
    services, policy = shell.world.services, shell.world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    shell.world.services = replace(services, policy=load_policy(policy))
    shell.world.clock.at = now()
    shell.world.file(CARE)
    proposed = scheduling.propose(services.database, services.act("governance", "test"), shipped_text())
    with services.database.writing() as connection:
        scheduling.activate(connection, services.act("derm", "test"), proposed.version.digest)
    made = office(shell.world)
    made.world.sql("DELETE FROM retention_feeds")
    return made


@pytest.fixture
def plan(shell: Shell, bureau: Office) -> str:
    """Give a plan that is decided."""
    bureau.tell()
    made = str(shell.json("retention", "plan", "--by", "clerk")["plan_id"])
    shell.json("retention", "decide", made, "1", "DESTROY", "--reason", "reviewed", "--by", "officer")
    return made


def stood(shell: Shell, plan: str) -> Any:  # noqa: ANN401 - JSON can be anything
    """Return what ``plans`` says of a plan."""
    (found,) = (each for each in shell.json("retention", "plans") if each["plan_id"] == plan)
    return found


def test_each_step_before_the_execution_is_seen_in_the_list_of_plans(shell: Shell, bureau: Office, plan: str) -> None:
    assert (stood(shell, plan)["state"], stood(shell, plan)["approved_by"]) == ("DECIDED", None)
    approved = shell.json("retention", "approve", plan, "--by", "guardian")
    found = stood(shell, plan)
    same = {name: approved[name] for name in ("approved_by", "approved_at", "executable_from", "lapses")}
    assert {**found, **same, "state": "COOLING_OFF", "withdrawn_by": None, "certificates": []} == found
    shell.json("retention", "undo", plan, "--reason", "the family asked", "--by", "officer")
    found = stood(shell, plan)
    told = (found["state"], found["withdrawn_by"], found["withdrawn_because"], found["executable_from"])
    assert told == ("WITHDRAWN", "officer", "the family asked", None)
    shell.json("retention", "approve", plan, "--by", "guardian")
    for days, state in ((31, "EXECUTABLE"), (15, "LAPSED")):
        bureau.world.clock.advance(days=days)
        assert stood(shell, plan)["state"] == state


@pytest.mark.parametrize(("action", "state"), [("HOLD", "KEPT"), ("TRANSFER", "COOLING_OFF")])
def test_an_approved_plan_is_kept_or_cools_off_by_whether_anything_goes(
    action: str, state: str, shell: Shell, bureau: Office
) -> None:
    bureau.tell()
    made = str(shell.json("retention", "plan", "--by", "clerk")["plan_id"])
    assert stood(shell, made)["state"] == "PROPOSED"
    to = ("--to", "County Record Office") if action == "TRANSFER" else ()
    shell.json("retention", "decide", made, "1", action, *to, "--reason", "reviewed", "--by", "officer")
    shell.json("retention", "approve", made, "--by", "guardian")
    assert stood(shell, made)["state"] == state


def test_each_line_says_what_became_of_it_and_its_plan_s_approval(shell: Shell, bureau: Office, plan: str) -> None:
    approved = shell.json("retention", "approve", plan, "--by", "guardian")
    (line,) = shell.json("retention", "show", plan)
    same = {name: approved[name] for name in ("approved_by", "executable_from", "lapses")}
    assert {**line, **same, "state": "COOLING_OFF", "outcome": ""} == line
    since = datetime.fromisoformat(approved["executable_from"]).date()
    shown = shell("retention", "show", plan)
    assert (
        f"COOLING_OFF. Approved by guardian on {approved['approved_at'][:10]}. Executable from {since}" in shown.stderr
    )
    bureau.pass_days(31)
    bureau.tell()
    bureau.hold()
    with bureau.world.services.database.reading() as connection:
        bureau.known, made = scheduling.in_force(connection), plans.get(connection, plan)
    bureau.execute(made)
    (line,) = shell.json("retention", "show", plan)
    assert (line["state"], "HELD" in line["outcome"]) == ("DROPPED", True)
    found, ((number,),) = stood(shell, plan), bureau.world.sql("SELECT batch_id FROM disposition_batches")
    told = [found[name] for name in ("state", "destroyed", "dropped", "partly", "certificates")]
    assert told == ["EXECUTED", 0, 1, 0, [number]]
    assert (
        f"0 record(s) destroyed, 1 dropped, 0 in part. See certificate {number}."
        in shell("retention", "show", plan).stderr
    )
    assert f"was executed: see certificate {number}" in shell.fails("retention", "apply", plan, "--by", "clerk")


def never_told(shell: Shell, bureau: Office) -> None:
    """Leave the source as it is: it never told all that it knows."""


def too_old(shell: Shell, bureau: Office) -> None:
    bureau.tell()
    bureau.world.clock.advance(hours=25)


def half_taken_in(shell: Shell, bureau: Office) -> None:
    bureau.tell()
    bureau.world.clock.advance(hours=25)
    file = shell.put("pas.csv", LINES.format(patient=bureau.world.row().patient_id))
    as_of = bureau.world.clock().isoformat()
    shell("retention", "facts", "import", file, "--source", "pas", "--as-of", as_of, "--by", "feed")


STALE = pytest.mark.parametrize(
    ("change", "words"),
    [
        (never_told, "all that pas knows was never told"),
        (too_old, "which is more than 24 hours ago"),
        (half_taken_in, "not all was taken in"),
    ],
)


@STALE
def test_on_stale_facts_no_plan_is_made_and_the_source_is_named_with_the_remedy(
    change: Any,  # noqa: ANN401 - a step by the shell or the office
    words: str,
    shell: Shell,
    bureau: Office,
) -> None:
    change(shell, bureau)
    said = shell.fails("retention", "plan", "--by", "clerk")
    assert words in said
    assert "FILE.errors.csv" in said
    answer = shell.json("retention", "plan", "--by", "clerk", code=1)
    ((stale,), lines, made) = answer["stale"], answer["lines"], answer["plan_id"]
    assert (stale["source"], words in stale["why"], lines, made) == ("pas", True, 0, None)
    assert "facts import" in answer["remedy"]
    assert shell.json("retention", "plans") == []


def test_what_is_past_its_date_is_reported_though_no_plan_can_be_made(shell: Shell, bureau: Office) -> None:
    bureau.tell()
    year = str(now().year)
    assert "past due" not in shell("retention", "report", "--year", year).stdout
    bureau.world.clock.advance(hours=25)
    day = (now() + timedelta(hours=25)).date()
    rows = shell.json("retention", "report", "--year", year)
    (past,) = (each for each in rows if "past due" in each["part"])
    assert (past["part"], past["name"], past["records"], past["objects"]) == (
        f"past due on {day}, on stale facts",
        "ADULT_GENERAL",
        1,
        1,
    )
    bureau.hold()
    assert "past due" not in shell("retention", "report", "--year", year).stdout


def test_what_an_older_plan_proposed_is_still_reported_on_stale_facts(shell: Shell, bureau: Office, plan: str) -> None:
    bureau.world.clock.advance(hours=25)
    shell.fails("retention", "plan", "--by", "clerk")
    assert [each["plan_id"] for each in shell.json("retention", "plans")] == [plan]
    parts = {each["part"] for each in shell.json("retention", "report", "--year", str(now().year))}
    assert len([each for each in parts if each.startswith("past due on")]) == 2
