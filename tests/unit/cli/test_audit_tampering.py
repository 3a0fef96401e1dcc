"""The audit finds what decisions obey and somebody changed behind Consentgate's back: patients, grants, stops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from orthanc_plugin.lifecycle import capture, consenting, emergency, people, pictures
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.model import AuthorityType, Gillick
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.authorities import Claim
from orthanc_plugin.registry.captures import StopKind
from tests.fakes.clinic import clinic
from tests.fakes.pictures import CARE, UID, consent
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import acting

P1, P9 = ("P1", "HOSP"), ("P9", "HOSP")


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Shell]:
    """Give a registry in which everything was done as it must be: each act with its entry."""
    world = clinic(tmp_path)
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE), date(1980, 6, 15))
        patients.ensure(connection, *P9, None)
    world.receive()
    with acting(world) as (connection, act):
        facts = {"national_data_opt_out": True, "gillick": Gillick.NOT_COMPETENT}
        people.tell(connection, act, Told(who=P1, facts=facts, reason="letter"))
        people.know(connection, act, P9, date(1980, 6, 15), "a picture says so")
        people.merge(connection, act, P9, P1, "same person")
        claim = Claim(
            type=AuthorityType.COURT_ORDER,
            patient_id="P1",
            issuer="HOSP",
            document="file 7",
            valid_from=date(2026, 1, 1),
        )
        order = people.claim(connection, act, claim)
        pictures.picture(connection, act, UID, {"intimate": True, "shows": ("FACE",)}, "seen at review")
        capture.recorded(connection, act, "2.25.77", StopKind.DISTRESS, "cried")
        given = emergency.grant(connection, act, "registrar", P1, minutes=5, reason="Unconscious in resus.")
    world.clock.advance(minutes=1)
    with acting(world) as (connection, act):
        emergency.end(connection, act, given.grant_id)
    with acting(world, "governance") as (connection, act):
        emergency.review(connection, act, given.grant_id, "Justified.")
        people.verify(connection, act, order.authority_id)
    world.services.sign_head()
    yield Shell(world=world)
    world.close()


def test_what_was_changed_as_it_must_be_is_whole(told: Shell) -> None:
    assert told("audit", "verify").exit_code == 0


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE consents SET patient_id = 'P9'", "consent"),
        ("UPDATE consents SET issuer = 'X'", "consent"),
        ("UPDATE consents SET recorded_by = 'zz'", "who recorded them"),
        ("UPDATE break_glass SET ends_at = '2099-01-01T00:00:00+00:00'", "emergency access"),
        ("UPDATE break_glass SET patient_id = 'P9'", "emergency access"),
        ("UPDATE break_glass SET account = 'derm'", "emergency access"),
        ("UPDATE break_glass SET granted_by = 'x'", "emergency access"),
        ("UPDATE break_glass SET reviewed_by = 'x'", "emergency access"),
        ("DELETE FROM break_glass", "emergency access"),
        ("UPDATE authorities SET verified_by = 'x'", "authority"),
        ("UPDATE authorities SET verified_at = NULL", "authority"),
        ("UPDATE authorities SET valid_to = '2099-01-01'", "authority"),
        ("UPDATE authorities SET type = 'HOLOGRAM'", "authority"),
        ("DELETE FROM authorities", "authority"),
        ("DELETE FROM capture_stops", "capture stop"),
        ("UPDATE capture_stops SET study_instance_uid = '2.25.1'", "capture stop"),
        ("DELETE FROM patient_changes", "change"),
        ("DELETE FROM patient_changes WHERE field = 'gillick'", "change"),
        ("UPDATE patient_changes SET new = '0' WHERE field = 'intimate'", "change"),
        ("UPDATE patient_changes SET sop_instance_uid = NULL", "change"),
        ("UPDATE patients SET capacity = 'LACKS' WHERE patient_id = 'P1'", "facts"),
        ("UPDATE patients SET gillick = 'COMPETENT' WHERE patient_id = 'P1'", "facts"),
        ("UPDATE patients SET death_date = '2020-01-01' WHERE patient_id = 'P1'", "facts"),
        ("UPDATE patients SET national_data_opt_out = 0", "facts"),
        ("UPDATE patients SET birth_date = '1900-01-01' WHERE patient_id = 'P9'", "facts"),
        ("UPDATE patients SET merged_into_id = NULL, merged_into_issuer = NULL", "facts"),
        ("UPDATE patients SET merged_into_issuer = 'ELSEWHERE' WHERE patient_id = 'P9'", "facts"),
        ("DELETE FROM patients WHERE patient_id = 'P1'", "facts"),
        ("UPDATE images SET intimate = 0", "facts"),
        ("UPDATE images SET shows = '[]'", "facts"),
        ("DELETE FROM images", "facts"),
    ],
)
def test_what_decisions_obey_is_not_changed_unnoticed(statement: str, kind: str, told: Shell) -> None:
    told.world.sql(statement)
    assert kind in str(told.json("audit", "verify", code=1)["problem"])


def test_a_grant_that_nobody_gave_is_noticed(told: Shell) -> None:
    columns = "patient_id, issuer, 'derm', reason, granted_at, ends_at, granted_by, reviewed_at, reviewed_by, finding"
    told.world.sql(f"INSERT INTO break_glass SELECT 'forged', {columns} FROM break_glass")  # noqa: S608 - this test's
    assert "1 emergency access" in str(told.json("audit", "verify", code=1)["problem"])


def test_a_chain_of_merges_is_as_its_changes_say_until_one_is_undone(told: Shell) -> None:
    world = told.world
    for step in ("merge", "unmerge"):
        world.clock.advance(seconds=1)
        with acting(world) as (connection, act):
            patients.ensure(connection, "P7", "HOSP", None)
            if step == "merge":
                people.merge(connection, act, P1, ("P7", "HOSP"), "same person")
            else:
                people.unmerge(connection, act, P1, "two people")
        world.services.sign_head()
        assert told("audit", "verify").exit_code == 0
    world.sql("UPDATE patients SET merged_into_id = 'P7' WHERE patient_id = 'P9'")
    assert "facts of 1" in str(told.json("audit", "verify", code=1)["problem"])
