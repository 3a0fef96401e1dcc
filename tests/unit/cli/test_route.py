"""``consentgate route``: what routes there are and what they would do; nothing is changed and nothing left behind."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orthanc_plugin.cli.route import DRY_RUN, UNKNOWN
from orthanc_plugin.policy.model import Effect
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import POLICY, World, make_world
from tests.registry.test_routable import site
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_decide import CASE
from tests.unit.lifecycle.steps import leave

HAND = "33712006"
ROUTES = f"""
[[routes]]
name = "to-the-ward"
recipient = "workstation"
purpose = "DIRECT_CARE"
owner = "dermatology"
[[routes]]
name = "hands"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "medical school"
priority = 5
body_sites = ["{HAND}"]
departments = ["Dermatology"]
window = {{ days = ["mon"], since = "22:00", until = "06:00" }}
triggers = ["REVIEW", "CONSENT"]
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world with two routes and a picture of a hand that the patient agreed to have taught with."""
    world = make_world(tmp_path, policy=POLICY + ROUTES)
    world.record(consent(CARE, TEACHING))
    dataset = photograph(AnatomicRegionSequence=site(HAND), InstitutionalDepartmentName="Dermatology")
    assert world.receive(encoded(dataset)).reasons == ()
    return world


def rewritten(shell: Shell, old: str, new: str) -> None:
    """Change one place of policy.toml."""
    path = shell.world.folder / "policy.toml"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def tried(shell: Shell, *arguments: str | Path) -> dict[str, dict[str, Any]]:
    """Return what each route would do, by its name."""
    told = shell.json("route", "test", *arguments)
    assert told["dry_run"] is True
    return {row["route"]: row for row in told["routes"]}


def put_case(shell: Shell, *cases: dict[str, Any]) -> Path:
    return shell.put("case.json", json.dumps(cases[0] if len(cases) == 1 else cases))


def case(**routing: object) -> dict[str, Any]:
    value = copy.deepcopy(CASE)
    value["consents"][0] |= {"purposes": ["DIRECT_CARE", "TEACHING"], "audience": ["CARE_TEAM", "TRUST_STUDENTS"]}
    return {**value, "routing": routing} if routing else value


def test_routes_are_listed_with_what_they_ask(shell: Shell) -> None:
    hands, ward = shell.json("route", "list")
    assert (hands["route"], hands["recipient"], hands["purpose"]) == ("hands", "teaching-archive", "TEACHING")
    assert (hands["form"], hands["profile"], hands["priority"]) == ("ANONYMISED", "teaching", 5)
    assert hands["conditions"] == [f"body site {HAND}", "department Dermatology"]
    assert (hands["window"], hands["triggers"]) == ("mon 22:00 to 06:00", ["CONSENT", "REVIEW"])
    assert (ward["conditions"], ward["window"], ward["standing"]) == ([], "always", "on")
    assert "to-the-ward\tworkstation" in shell("route", "list").stdout


@pytest.mark.parametrize(
    ("old", "new", "standing"),
    [
        ('name = "to-the-ward"\n', 'name = "to-the-ward"\nenabled = false\n', "off"),
        ('name = "to-the-ward"\n', 'name = "to-the-ward"\nexpires = 2001-01-01\n', "expired"),
        ('aet = "DERMWS"\n', 'aet = "DERMWS"\nexpires = 2001-01-01\n', "recipient expired"),
    ],
)
def test_a_route_that_sends_nothing_is_listed_as_such(shell: Shell, old: str, new: str, standing: str) -> None:
    rewritten(shell, old, new)
    assert shell.json("route", "list")[1]["standing"] == standing


def test_no_route_is_said_and_is_no_error(tmp_path: Path) -> None:
    shell = Shell(world=make_world(tmp_path))
    assert shell("route", "list").stderr == "policy.toml has no route.\n"
    shell.world.file(CARE)
    assert shell("route", "test", UID).stdout.endswith(f"{UID}: policy.toml has no route.\n")


def test_a_picture_is_told_which_routes_would_send_it_and_why_others_would_not(shell: Shell) -> None:
    found = tried(shell, UID)
    ward, hands = found["to-the-ward"], found["hands"]
    assert (ward["matches"], ward["decision"], ward["sends"]) == (True, Effect.PERMIT_IDENTIFIABLE, True)
    assert datetime.fromisoformat(ward["sends_at"]) <= datetime.now(UTC)
    assert (hands["matches"], hands["sends"], hands["sends_at"]) == (True, False, None)
    assert hands["decision"] == Effect.NEEDS_REVIEW
    assert hands["reasons"]
    assert "VERIFY_RESIDUAL_ID" in hands["obligations"]


def test_a_permit_that_would_release_nothing_is_told_as_such(shell: Shell) -> None:
    rewritten(shell, '"REQUIRE_CONSENT"', '"GMC17"')
    students = 'may = ["move", "receive"]\npurpose = "TEACHING"\naudience = "TRUST_STUDENTS"\n'
    rewritten(shell, students, students.replace("TRUST_STUDENTS", "EXTERNAL_AUDIENCE"))
    shell.world.review()
    row = tried(shell, UID)["hands"]
    assert (row["matches"], row["decision"], row["sends"]) == (True, Effect.PERMIT_ANONYMISED, False)
    assert row["unmet"] == ["recipient teaching-archive has no secure channel"]
    assert "not met: recipient teaching-archive has no secure channel" in shell("route", "test", UID).stdout


def test_a_reviewed_picture_waits_for_the_window(shell: Shell) -> None:
    shell.world.review()
    opens = datetime.fromisoformat(tried(shell, UID)["hands"]["sends_at"])
    assert (opens - timedelta(hours=6)).weekday() == 0, "a Monday's night, until six on Tuesday"
    assert opens.hour >= 22 or opens.hour < 6


def test_what_went_there_by_mistake_is_told_not_to_go_again(shell: Shell) -> None:
    assert tried(shell, UID)["to-the-ward"]["sends"] is True
    leave(shell.world, "D1", recipient="workstation", purpose="DIRECT_CARE")
    assert shell("disclosure", "wrong-recipient", "D1", "--reason", "another ward", "--by", "ig").exit_code == 0
    row = tried(shell, UID)["to-the-ward"]
    assert (row["sends"], len(row["unmet"]), "by mistake before" in row["unmet"][0]) == (False, 1, True)


def test_it_is_told_in_words_that_it_is_a_dry_run(shell: Shell) -> None:
    told = shell("route", "test", UID).stdout
    assert told.startswith(f"{DRY_RUN}\n{UID}:\n")
    assert "Route to-the-ward to workstation for DIRECT_CARE: the picture would be sent from 2" in told
    assert "Route hands to teaching-archive for TEACHING: nothing would be sent." in told
    assert f"it matches: the body site is {HAND}" in told
    assert "profile teaching" in told


def test_one_route_alone_can_be_asked_about(shell: Shell) -> None:
    assert tried(shell, UID, "--route", "hands").keys() == {"hands"}
    error = shell.fails("route", "test", UID, "--route", "feet")
    assert "no route 'feet'" in error
    assert "to-the-ward, hands" in error


@pytest.mark.parametrize("what", ["image", "case"])
def test_nothing_is_changed_and_nothing_is_left_behind(shell: Shell, what: str) -> None:
    asked = put_case(shell, case(body_site=HAND)) if what == "case" else UID
    before = (shell.world.trail(), shell.world.tasks(), shell.world.disclosures())
    files = sorted(path.name for path in shell.world.folder.iterdir())
    queued = shell.world.sql("SELECT * FROM outbox")
    assert shell("route", "test", asked).exit_code == 0
    assert (shell.world.trail(), shell.world.tasks(), shell.world.disclosures()) == before
    assert sorted(path.name for path in shell.world.folder.iterdir()) == files
    assert shell.world.sql("SELECT * FROM outbox") == queued == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("expires = 2026-11-21", "the last day of workstation as a recipient was 2026-11-21"),
        ("tls_required = true", "TLS is demanded, and nobody can tell without a running Orthanc"),
    ],
)
def test_a_recipient_that_nothing_may_leave_to_is_told(shell: Shell, line: str, told: str) -> None:
    rewritten(shell, 'aet = "DERMWS"\n', f'aet = "DERMWS"\n{line}\n')
    row = tried(shell, UID)["to-the-ward"]
    assert (row["matches"], row["sends"]) == (True, False)
    assert row["recipient_refused"].startswith(told)
    assert row["remedy"]
    assert f"refused: {told}" in shell("route", "test", UID).stdout


def test_an_unknown_picture_and_what_is_neither_are_told_with_the_remedy(shell: Shell) -> None:
    assert "not known to the registry" in shell.fails("route", "test", "1.2.3.4")
    assert "There is no such picture or case" in shell.fails("route", "test", "nowhere.json")
    assert "There is no such picture or case" in shell.fails("route", "test", shell.put("x.json", "{"))


def test_a_case_needs_neither_registry_nor_orthanc(shell: Shell) -> None:
    shell.world.lose_the_database()
    path = put_case(shell, case(body_site=HAND, department="Dermatology", trigger="REVIEW"))
    found = tried(shell, path)
    assert found["to-the-ward"]["sends"]
    assert (found["hands"]["matches"], found["hands"]["decision"]) == (True, Effect.PERMIT_ANONYMISED)
    assert found["hands"]["sends_at"] == "2026-11-23T22:00+00:00", "asked about on the day of the case"
    assert (found["hands"]["unmet"], found["to-the-ward"]["unmet"]) == (None, None), "nobody can tell of a case"
    told = shell("route", "test", path).stdout
    assert (
        "hands to teaching-archive for TEACHING: the picture would be sent from 2026-11-23T22:00+00:00 on, if" in told
    )


def test_a_case_is_tried_with_the_policy_that_was_activated_whatever_the_file_says(shell: Shell) -> None:
    path = put_case(shell, case())
    assert shell.json("route", "test", path)["policy_known_to_be_in_force"] is True
    digest = shell.json("policy", "propose", "--by", "admin")["digest"]
    shell.json("policy", "activate", digest, "--by", "governance")
    rewritten(shell, '[[routes]]\nname = "to-the-ward"', '[[routes]]\nname = "elsewhere"')
    told = shell.json("route", "test", path)
    assert (told["policy"], [row["route"] for row in told["routes"]]) == (digest, ["hands", "to-the-ward"])
    assert [row["route"] for row in shell.json("route", "list")] == ["hands", "to-the-ward"]
    shell.world.lose_the_database()
    told = shell.json("route", "test", path)
    assert told["policy_known_to_be_in_force"] is False
    assert [row["route"] for row in told["routes"]] == ["hands", "elsewhere"]
    assert UNKNOWN in shell("route", "test", path).stdout


def test_a_case_that_says_nothing_of_routing_meets_no_condition(shell: Shell) -> None:
    found = tried(shell, put_case(shell, case()))
    assert found["to-the-ward"]["matches"]
    assert found["hands"]["conditions"] == [
        f"the body site is not known, and the route is for {HAND}",
        "the department is not known, and the route is for Dermatology",
    ]


def test_a_case_is_decided_for_the_route_s_recipient_whomever_it_names(shell: Shell) -> None:
    other = case()
    other["request"] |= {"purpose": "PUBLICATION", "identifiable": False}
    assert tried(shell, put_case(shell, other))["to-the-ward"]["decision"] == Effect.PERMIT_IDENTIFIABLE


def test_a_case_is_decided_under_the_switches_of_policy_toml(shell: Shell) -> None:
    unasked = case(body_site=HAND, department="Dermatology")
    unasked["consents"] = []
    unasked["policy"]["anonymised_secondary_use_of_care_photographs"] = "GMC17"
    path = put_case(shell, unasked)
    assert tried(shell, path)["hands"]["decision"] == Effect.DENY
    rewritten(shell, '"REQUIRE_CONSENT"', '"GMC17"')
    assert tried(shell, path)["hands"]["decision"] == Effect.PERMIT_ANONYMISED


def test_a_list_gives_a_list_and_stdin_is_read(shell: Shell) -> None:
    path = put_case(shell, case(), case(body_site=HAND))
    assert [len(each["routes"]) for each in shell.json("route", "test", path)] == [2, 2]
    result = shell("route", "test", "-", "--json", typed=json.dumps([case()]))
    assert [each["id"] for each in json.loads(result.stdout)] == ["case-1"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"bodysite": HAND}, "case[0].routing.bodysite: is not known"),
        ({"body_site": 7}, "case[0].routing.body_site: expected text"),
        ({"trigger": "SOON"}, "case[0].routing.trigger: expected one of STABLE"),
        ({"purpose": "FUN"}, "case[0].routing.purpose: expected one of DIRECT_CARE"),
        ({"trigger": "SOON", "purpose": "FUN"}, "case[0].routing.purpose"),
    ],
)
def test_a_case_that_can_t_be_read_is_told_with_its_place(shell: Shell, value: dict[str, object], problem: str) -> None:
    assert problem in shell.fails("route", "test", put_case(shell, case(**value)))


def test_a_case_without_its_facts_is_told_with_every_place(shell: Shell) -> None:
    error = shell.fails("route", "test", put_case(shell, {"id": "x"}))
    assert "case[0].patient: is missing" in error
    assert "case[0].image: is missing" in error


def test_a_recipient_that_expires_before_the_window_opens_is_told(shell: Shell) -> None:
    rewritten(shell, 'aet = "TEACHING"\n', 'aet = "TEACHING"\nexpires = 2026-11-22\n')
    found = tried(shell, put_case(shell, case(body_site=HAND, department="Dermatology")))["hands"]
    assert (found["matches"], found["sends"]) == (True, False)
    assert found["recipient_refused"] == "the last day of teaching-archive as a recipient was 2026-11-22"


def test_the_trigger_of_a_case_counts(shell: Shell) -> None:
    found = tried(shell, put_case(shell, case(body_site=HAND, department="Dermatology", trigger="STABLE")))
    assert found["hands"]["conditions"] == ["the route isn't for STABLE, but for CONSENT or REVIEW"]
