"""The audit finds a consent, review or disclosure that was changed or removed behind Consentgate's back."""

from __future__ import annotations

import pytest

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Released
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import acting

FORGED = (
    "INSERT INTO reviews (review_id, sop_instance_uid, sha256, outcome, checklist, reviewer, reviewed_at, note, step)"
    " VALUES ('forged', '1.2', 'x', 'YES', '{}', 'nobody', '2020-01-01T00:00:00+00:00', '', 9)"
)
OF_BEFORE = FORGED.replace(", 9)", ", 0)")


@pytest.fixture
def told(shell: Shell) -> Shell:
    """Give a registry with a review and a disclosure that the trail knows."""
    shell.world.file(CARE, TEACHING)
    assert shell("review", "confirm", UID, "--nothing-identifying", "--by", "dr-look").exit_code == 0
    services = shell.world.services
    answer = services.gate.authorize(shell.world.request())
    services.disclose(answer, Released(content=b"", sha256="a" * 64, sop_instance_uid=UID))
    services.sign_head()
    shell.world.sql("DELETE FROM consents")  # which the world records without telling the trail
    return shell


def test_records_that_are_as_they_were_told_are_whole(told: Shell) -> None:
    assert told.json("audit", "verify")["whole"] is True


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("review step", "DELETE FROM reviews"),
        ("review step", "UPDATE reviews SET outcome = 'NO'"),
        ("review step", "UPDATE reviews SET sha256 = 'other'"),
        ("review step", "UPDATE reviews SET reviewer = 'somebody-else'"),
        ("review step", "UPDATE reviews SET profile_digest = 'other'"),
        ("review step", "UPDATE reviews SET regions = '[[0, 0, 8, 8]]'"),
        ("review step", FORGED),
        ("review", OF_BEFORE),
        ("disclosure", "DELETE FROM disclosures"),
        ("disclosure", "UPDATE disclosures SET recipient = 'nobody'"),
        ("disclosure", "UPDATE disclosures SET at = '2020-01-01T00:00:00+00:00'"),
    ],
)
def test_a_record_that_was_changed_or_removed_is_noticed(kind: str, statement: str, told: Shell) -> None:
    told.world.sql(statement)
    answer = told.json("audit", "verify", code=1)
    assert answer["problem"] == f"1 {kind} record(s) are not as the trail has them"


def test_how_a_release_ended_is_no_change_to_its_record_and_is_not_changed_unnoticed_either(told: Shell) -> None:
    world = told.world
    (disclosure,) = world.disclosures()
    with acting(world) as (connection, act):
        seal = ledger.deliver(connection, str(disclosure["disclosure_id"]), Delivery.DELIVERED)
        append(connection, [act.event(EventType.INSTANCES_TRANSFERRED, "", subject=UID, detail=f"{seal}\nand more")])
    assert told("audit", "verify").exit_code == 0
    for outcome in ("FAILED", "BEGUN"):
        world.sql(f"UPDATE disclosures SET outcome = '{outcome}'")  # noqa: S608 - this test's own
        answer = told.json("audit", "verify", code=1)
        assert answer["problem"] == "1 disclosure's end record(s) are not as the trail has them"


def test_a_release_that_never_ended_is_not_called_ended_unnoticed(told: Shell) -> None:
    told.world.sql("UPDATE disclosures SET outcome = 'FAILED'")
    assert "1 disclosure's end" in told.json("audit", "verify", code=1)["problem"]
