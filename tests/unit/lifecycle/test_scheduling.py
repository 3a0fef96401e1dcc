"""Versions of the schedule: proposed by one person with what it would move, activated by another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.config.schedulefile import shipped_text
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import retaining, scheduling
from orthanc_plugin.lifecycle.act import UnnamedPersonError
from orthanc_plugin.lifecycle.scheduling import Move, NoScheduleError, Proposal
from orthanc_plugin.registry import images
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.records import activate, fed, standing
from tests.fakes.world import POLICY, World, make_world

TEN_YEARS = shipped_text().replace('period = "P8Y"', 'period = "P10Y"', 2)


@pytest.fixture
def office(world: World) -> World:
    activate(world)
    world.file(CARE)
    fed(world)
    return world


def propose(world: World, text: str, by: str = "governance") -> Proposal:
    return scheduling.propose(world.services.database, world.services.act(by, "test"), text)


def activated(world: World, digest: str, by: str) -> None:
    with world.services.database.writing() as connection:
        scheduling.activate(connection, world.services.act(by, "test"), digest)


def test_without_a_schedule_in_force_nothing_is_due(world: World) -> None:
    propose(world, shipped_text())
    with world.services.database.reading() as connection, pytest.raises(NoScheduleError, match="activate"):
        scheduling.in_force(connection)


def test_a_proposal_lists_every_record_that_moves_and_changes_nothing(office: World) -> None:
    found = propose(office, TEN_YEARS)
    (move,) = found.moves
    assert move.before is not None
    assert (str(move.before.due_date), str(move.after.due_date)) == ("2023-03-10", "2025-03-10")
    assert (found.version.moved["records"], found.version.moved["sooner"]) == (1, 0)
    assert str(standing(office).due_date) == "2023-03-10"
    office.clock.advance(minutes=1)
    activated(office, found.version.digest, "derm")
    assert str(standing(office).due_date) == "2025-03-10"
    assert propose(office, shipped_text()).version.moved["sooner"] == 1


def test_a_dry_run_looks_at_each_picture_of_a_study_that_has_a_promise_of_its_own(world: World) -> None:
    activate(world)
    world.record(consent(CARE, retention_told={"text": "kept", "until": "2025-06-01"}))
    for uid, until in (("2.25.3", "2026-01-31"), ("2.25.4", "2040-01-31")):
        world.receive(encoded(photograph(uid=uid)))
        with world.services.database.writing() as connection:
            images.change(connection, uid, {"made_for": "SECONDARY"})
        told = {"text": "kept until then", "until": until}
        world.record(consent(TEACHING, id=f"urn:x:{uid}", level="IMAGE", targets=[uid], retention_told=told))
    with world.services.database.reading() as connection:
        ((_, pictures),) = retaining.studies(connection)
        found = retaining.of_study(connection, scheduling.in_force(connection), pictures, world.clock())
    assert (len(pictures), str(found.due_date)) == (2, "2040-01-31")


def test_a_change_of_words_alone_moves_nothing(office: World) -> None:
    assert propose(office, f"# another remark\n{shipped_text()}").moves == ()


@pytest.mark.parametrize("name", ["governance", "Governance", "GOVERNANCE "])
def test_whoever_proposed_it_can_t_activate_it(name: str, office: World) -> None:
    digest = propose(office, TEN_YEARS).version.digest
    with pytest.raises(IllegalTransitionError, match="can't activate"):
        activated(office, digest, name)
    assert str(standing(office).due_date) == "2023-03-10"


def test_a_name_that_policy_toml_doesn_t_know_activates_nothing(office: World) -> None:
    digest = propose(office, TEN_YEARS).version.digest
    with pytest.raises(UnnamedPersonError, match="not in policy"):
        activated(office, digest, "anybody")
    assert str(standing(office).due_date) == "2023-03-10"


@pytest.mark.parametrize("name", ["A. Manager", "manager", "MANAGER", "derm"])
def test_an_officer_or_a_user_activates_it_under_any_of_their_names(name: str, tmp_path: Path) -> None:
    officer = '[[disposition.officers]]\nperson = "A. Manager"\naccounts = ["manager"]\nmay = ["approve"]\n'
    world = make_world(tmp_path, policy=POLICY + officer)
    activated(world, propose(world, shipped_text()).version.digest, name)
    with world.services.database.reading() as connection:
        assert scheduling.in_force(connection).version
    world.close()


def test_a_dry_run_against_another_schedule_than_the_one_in_force_doesn_t_count(office: World) -> None:
    first, second = propose(office, TEN_YEARS), propose(office, f"# another remark\n{shipped_text()}")
    office.clock.advance(minutes=1)
    activated(office, first.version.digest, "derm")
    with pytest.raises(IllegalTransitionError, match="since the dry run"):
        activated(office, second.version.digest, "derm")
    assert str(standing(office).due_date) == "2025-03-10"


def test_a_dry_run_of_long_ago_doesn_t_count(office: World) -> None:
    digest = propose(office, TEN_YEARS).version.digest
    office.clock.advance(days=14, seconds=1)
    with pytest.raises(IllegalTransitionError, match="more than 14 days old"):
        activated(office, digest, "derm")
    assert propose(office, TEN_YEARS).version.digest == digest
    office.clock.advance(days=14)
    activated(office, digest, "derm")
    with office.services.database.reading() as connection:
        assert scheduling.in_force(connection).digest == digest


def test_a_schedule_put_in_force_during_the_dry_run_stays_in_force(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, look = propose(office, TEN_YEARS).version.digest, scheduling.moves

    def slowly(*asked: object) -> Iterator[Move]:
        found = tuple(look(*asked))  # type: ignore[arg-type]
        office.clock.advance(minutes=5)
        activated(office, digest, "derm")
        return iter(found)

    monkeypatch.setattr(scheduling, "moves", slowly)
    with pytest.raises(IllegalTransitionError, match="during the dry run"):
        propose(office, TEN_YEARS, by="teacher")
    assert str(standing(office).due_date) == "2025-03-10"


def test_a_clock_that_is_behind_puts_no_schedule_in_force(office: World) -> None:
    digest = propose(office, TEN_YEARS).version.digest
    office.clock.advance(hours=-2)
    with pytest.raises(IllegalTransitionError, match="clock"):
        activated(office, digest, "derm")
    office.clock.advance(hours=3)
    activated(office, digest, "derm")
    assert str(standing(office).due_date) == "2025-03-10"


def test_a_schedule_of_before_is_put_in_force_again_and_the_list_keeps_who_did_before(office: World) -> None:
    for minute, (by, text) in enumerate((("governance", TEN_YEARS), ("teacher", shipped_text()))):
        found = propose(office, text, by=by).version
        office.clock.advance(minutes=1)
        if minute:
            assert found.activated_by == "derm"
        activated(office, found.digest, "derm")
        office.clock.advance(minutes=1)
    assert str(standing(office).due_date) == "2023-03-10"


def test_what_nobody_proposed_or_was_activated_before_can_t_be_activated(office: World) -> None:
    with pytest.raises(UnknownRecordError):
        activated(office, "0" * 64, "derm")
    with office.services.database.reading() as connection:
        digest = scheduling.in_force(connection).digest
    office.clock.advance(minutes=1)
    with pytest.raises(IllegalTransitionError, match="before"):
        activated(office, digest, "derm")
    with pytest.raises(IllegalTransitionError, match="in force already"):
        propose(office, shipped_text())


def test_a_faulty_schedule_is_not_proposed(office: World) -> None:
    with pytest.raises(ConfigurationError, match="ISO 8601"):
        propose(office, shipped_text().replace("P8Y", "8"))
    with pytest.raises(ConfigurationError):
        propose(office, "not = [toml")


def test_each_step_is_in_the_trail(office: World) -> None:
    proposed = propose(office, TEN_YEARS).version.digest
    office.clock.advance(minutes=1)
    activated(office, proposed, "derm")
    steps = [(entry["effect"], entry["actor"]) for entry in office.trail() if "SCHEDULE" in str(entry["effect"])]
    assert steps[-2:] == [("RETENTION_SCHEDULE_PROPOSED", "governance"), ("RETENTION_SCHEDULE_ACTIVATED", "derm")]


def test_a_name_that_policy_toml_does_not_have_proposes_nothing(world: World) -> None:
    with pytest.raises(UnnamedPersonError, match="not in policy"):
        propose(world, shipped_text(), by="somebody made up")
