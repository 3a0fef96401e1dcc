"""``consentgate policy``: what a new policy says, changes, and would have decided."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicomwrap.terms import Purpose
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.gate import AccessRequest
from orthanc_plugin.policy.model import Gillick
from orthanc_plugin.registry import patients
from tests.fakes.clinic import clinic
from tests.fakes.lecturer import LECTURER
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import POLICY, World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT

GRANTED = (
    *("break-glass", "grant", "--account", "registrar", "--patient-id", "P1", "--by", "registrar"),
    *("--reason", "Unconscious in resus, is the wound the old one?"),
)
ASKED = ("derm", "workstation", "teaching-archive", "teacher", "admin", "governance")


def asked_about(world: World) -> None:
    """Have everybody ask for a picture, before and after a review, a withdrawal and the patient's death."""

    def everybody() -> None:
        for name in ASKED:
            world.services.gate.authorize(world.request(name))
        world.services.gate.authorize(world.request("derm", uid="2.25.404"))

    world.file(CARE, TEACHING)
    everybody()
    world.review()
    everybody()
    world.clock.advance(days=400)
    everybody()
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    everybody()
    with world.services.database.writing() as connection:
        who, at = (PATIENT.id or "", PATIENT.issuer or ""), world.clock()
        told = {"reason": "told by the ward", "by": "clerk", "at": at}
        patients.change(connection, who, "death_date", at.date(), change_id="c1", **told)
        patients.change(connection, who, "gillick", Gillick.NOT_COMPETENT, change_id="c2", **told)
    everybody()


def listed(shell: Shell, *arguments: str | Path) -> list[dict[str, str]]:
    """Run a command with --json whose count stands beside, on stderr; return what it printed."""
    answer = shell(*arguments, "--json")
    assert (answer.exit_code, "were asked again" in answer.stderr) == (0, True)
    rows: list[dict[str, str]] = json.loads(answer.stdout)
    return rows


def test_every_recorded_decision_comes_out_the_same_again(shell: Shell) -> None:
    asked_about(shell.world)
    answer = shell("policy", "replay")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "30 recorded decisions were asked again, 0 come out otherwise." in answer.stderr


def test_a_decision_whose_record_was_changed_is_found(shell: Shell) -> None:
    world = shell.world
    world.file(CARE)
    world.services.gate.authorize(world.request("derm"))
    world.sql("UPDATE trail SET body = replace(body, 'PERMIT_IDENTIFIABLE', 'DENY')")
    answer = shell("policy", "replay", "--json")
    assert (answer.exit_code, '"was": "DENY"' in answer.stdout) == (1, True)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda text: text + "# only words\n", set()),
        (lambda text: text.replace('"REQUIRE_CONSENT"', '"GMC17"'), set()),
        (
            lambda text: text.replace('name = "derm"', 'name = "skin"'),
            {("derm", "PERMIT_IDENTIFIABLE", "DENY")},
        ),
        (
            lambda text: text.replace('purpose = "TEACHING"', 'purpose = "RESEARCH"'),
            {
                ("teaching-archive", "PERMIT_ANONYMISED", "DENY"),
                ("teacher", "PERMIT_ANONYMISED", "DENY"),
                ("teaching-archive", "NEEDS_REVIEW", "DENY"),
                ("teacher", "NEEDS_REVIEW", "DENY"),
            },
        ),
    ],
    ids=["words", "a switch that consent makes idle", "an account renamed", "another purpose"],
)
def test_a_new_policy_says_which_recorded_decisions_it_would_change(
    shell: Shell, change: Callable[[str], str], changed: set[tuple[str, str, str]]
) -> None:
    world = shell.world
    world.file(CARE, TEACHING)
    for name in ASKED:
        world.services.gate.authorize(world.request(name))
    world.review()
    for name in ASKED:
        world.services.gate.authorize(world.request(name))
    new = shell.put("new.toml", change(POLICY))
    rows = listed(shell, "policy", "replay", new)
    assert {(row["recipient"], row["was"], row["becomes"]) for row in rows} == changed
    assert {row["image"] for row in rows} <= {UID}
    assert all(row["reasons"] for row in rows)


def test_an_emergency_stays_one_under_the_new_policy(tmp_path: Path) -> None:
    world = clinic(tmp_path / "clinic")
    shell = Shell(world=world)
    world.file(CARE)
    assert shell(*GRANTED).exit_code == 0
    world.clock.at = shell.clock()
    requester = requesters.of_user("registrar", world.services.policy.user("registrar"), "127.0.0.1")
    request = AccessRequest(requester=requester, sop_instance_uid=UID, door="test")
    assert world.services.gate.authorize(request).decision.permits
    assert listed(shell, "policy", "replay", world.folder / "policy.toml") == []
    assert "Unconscious" not in str(world.trail())
    world.close()


def test_a_request_for_a_chosen_purpose_is_replayed_for_that_purpose(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=POLICY + LECTURER)
    shell = Shell(world=world)
    world.file(CARE, TEACHING)
    lecturer = world.services.policy.user("lecturer")
    assert lecturer is not None
    requester = requesters.of_user("lecturer", lecturer.uses()[1], "")
    world.services.gate.authorize(AccessRequest(requester=requester, sop_instance_uid=UID, door="test"))
    assert world.trail()[-1]["purpose"] == "TEACHING"
    assert listed(shell, "policy", "replay", world.folder / "policy.toml") == []
    elsewhere = LECTURER.replace("TRUST_STUDENTS", "JOURNAL")
    (row,) = listed(shell, "policy", "replay", shell.put("new.toml", POLICY + elsewhere))
    assert (row["recipient"], row["becomes"]) == ("lecturer", "DENY")
    world.close()


def test_only_decisions_since_a_day_are_asked_again(shell: Shell) -> None:
    asked_about(shell.world)
    day = shell.world.clock().date().isoformat()
    assert "18 recorded decisions" in shell("policy", "replay", "--since", day).stderr


def test_the_days_of_decisions_are_the_hospital_s_not_utc_s(shell: Shell) -> None:
    world = shell.world
    world.clock.at = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)  # half past midnight on 1 July in London
    world.file(CARE)
    world.services.gate.authorize(world.request())
    for day, count in (("2026-07-01", 1), ("2026-07-02", 0)):
        assert f"{count} recorded decisions" in shell("policy", "replay", "--since", day).stderr


def test_a_policy_is_checked_and_compared_before_it_is_used(shell: Shell) -> None:
    old, new = shell.put("old.toml", POLICY), shell.put("new.toml", POLICY.replace('"REQUIRE_CONSENT"', '"GMC17"'))
    assert "can be used" in shell("policy", "check", new).stdout
    assert "was REQUIRE_CONSENT, becomes GMC17" in shell("policy", "diff", old, new).stdout
    assert "Nothing changes" in shell("policy", "diff", old, old).stdout
    assert len(shell.json("policy", "diff", old, new)) == 1
    broken = shell.put("broken.toml", POLICY.replace("CARE_TEAM", "EVERYBODY", 1))
    assert "audience" in shell.fails("policy", "check", broken)
    assert "audience" in shell.fails("policy", "diff", old, broken)
