"""What was decided is decided again in the transaction that records the release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicomwrap.terms import Purpose
from orthanc_plugin.errors import RegistryError, ReleaseRefusedError
from orthanc_plugin.gate import Answer, DecisionChangedError
from orthanc_plugin.policy.model import Effect, Obligation
from orthanc_plugin.registry import ledger
from orthanc_plugin.release import Released
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import World

COPY = Released(content=b"", sha256="a" * 64, sop_instance_uid=UID)


def permitted(world: World, name: str = "derm") -> Answer:
    world.file(CARE, TEACHING)
    world.review()
    answer = world.services.gate.authorize(world.request(name))
    assert answer.decision.permits
    return answer


def begun(world: World) -> list[dict[str, object]]:
    return [entry for entry in world.trail() if entry["event"] == "110102"]


@pytest.mark.parametrize(
    "meanwhile",
    [
        World.withdraw,
        lambda world: world.services.gate.close("because of a test"),
        lambda world: world.sql("UPDATE images SET status = 'QUARANTINED'"),
        lambda world: world.sql("DELETE FROM images"),
    ],
    ids=["withdrawn", "gate closed", "quarantined", "gone"],
)
def test_a_permit_that_doesn_t_hold_any_more_releases_nothing(
    meanwhile: Callable[[World], object], world: World
) -> None:
    answer = permitted(world)
    meanwhile(world)
    with pytest.raises(DecisionChangedError, match="Ask again"):
        world.services.disclose(answer, COPY)
    assert (world.disclosures(), begun(world)) == ([], [])


def test_a_permit_in_another_form_is_another_permit(world: World) -> None:
    answer = permitted(world)
    assert answer.decision.effect is Effect.PERMIT_IDENTIFIABLE
    other = replace(answer, decision=replace(answer.decision, effect=Effect.PERMIT_ANONYMISED))
    with pytest.raises(ReleaseRefusedError):
        world.services.disclose(other, COPY)


def test_a_permit_that_demands_more_than_was_met_releases_nothing(world: World) -> None:
    answer = permitted(world, "teacher")
    assert Obligation.ANONYMISE in answer.decision.obligations
    with pytest.raises(DecisionChangedError):
        world.services.disclose(replace(answer, decision=replace(answer.decision, obligations=())), COPY)


def test_a_denial_that_stays_one_releases_nothing(world: World) -> None:
    world.file(CARE)
    answer = world.services.gate.authorize(world.request("teacher"))
    with pytest.raises(DecisionChangedError):
        world.services.disclose(answer, COPY)


def test_a_withdrawal_of_something_else_stops_nothing(world: World) -> None:
    answer = permitted(world)
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    world.services.disclose(answer, COPY)
    assert [row["outcome"] for row in world.disclosures()] == ["BEGUN"]


def test_a_release_is_in_the_trail_with_the_seal_of_its_disclosure_before_it_begins(world: World) -> None:
    answer = permitted(world)
    disclosure = world.services.disclose(answer, COPY)
    (entry,) = begun(world)
    assert (entry["id"], entry["subject"], entry["actor"]) == (disclosure, UID, "derm")
    with world.services.database.reading() as connection:
        assert list(ledger.seals(connection)) == [entry["detail"]]
    assert disclosure in str(entry["detail"])
    assert [row["decision_id"] for row in world.disclosures()] == [answer.decision_id]


def test_how_a_release_ends_leaves_its_seal_as_it_is(world: World) -> None:
    disclosure = world.services.disclose(permitted(world), COPY)
    with world.services.database.writing() as connection:
        before = list(ledger.seals(connection))
        ledger.deliver(connection, disclosure, ledger.Delivery.DELIVERED)
        assert list(ledger.seals(connection)) == before


def test_without_a_trail_there_is_no_disclosure_either(world: World) -> None:
    answer = permitted(world)
    world.stop_the_trail()
    with pytest.raises(RegistryError):
        world.services.disclose(answer, COPY)
    assert world.disclosures() == []
