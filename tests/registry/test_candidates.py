"""A plan leaves out only what can't be due: what is left out unseen is what looking at each would leave out, too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry.retentionfacts import Told
from orthanc_plugin.retention import candidates
from tests.fakes.disposing import DISPOSING, LONG_AGO, Office, office
from tests.fakes.pictures import CARE
from tests.fakes.world import World

AS_OF = date(2026, 11, 22)


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with one picture."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    return office(world)


def looked_at(bureau: Office, schedule: Schedule | None = None, as_of: date = AS_OF) -> bool:
    with bureau.world.services.database.reading() as connection:
        return bool(list(candidates.studies(connection, schedule or shipped(), as_of)))


@pytest.mark.parametrize(
    ("told", "looked"),
    [
        (LONG_AGO, True),
        (replace(LONG_AGO, last_contact=date(2018, 11, 21)), True),
        (replace(LONG_AGO, last_contact=date(2018, 11, 22)), False),
        (replace(LONG_AGO, open_episode=True), False),
    ],
    ids=["long ago", "the day after its last", "its last day", "under care"],
)
def test_by_the_last_contact(told: Told, looked: bool, bureau: Office) -> None:
    bureau.tell(told)
    assert looked_at(bureau) is looked
    assert bool(bureau.plan().lines) is looked


def test_by_the_first_contact_where_no_other_is_told(bureau: Office) -> None:
    bureau.world.sql("UPDATE retention_facts SET first_contact = '2010-01-01', last_contact = NULL")
    assert looked_at(bureau)
    assert bureau.plan().lines == 1


def test_without_a_floor_everything_is_looked_at(bureau: Office) -> None:
    bureau.tell(replace(LONG_AGO, last_contact=date(2026, 1, 1)))
    bare = replace(shipped(), rules=tuple(replace(rule, floor=False) for rule in shipped().rules))
    assert (looked_at(bureau), looked_at(bureau, bare)) == (False, True)


def test_what_was_not_made_for_care_is_always_looked_at(bureau: Office) -> None:
    bureau.tell(replace(LONG_AGO, last_contact=date(2026, 1, 1)))
    bureau.world.sql("UPDATE images SET made_for = 'SECONDARY'")
    assert looked_at(bureau)


@pytest.mark.parametrize("column", ["patient_id", "merged_into_id"])
def test_whoever_was_merged_is_always_looked_at(column: str, bureau: Office) -> None:
    bureau.tell(replace(LONG_AGO, last_contact=date(2026, 1, 1)))
    mine = bureau.world.row()
    bureau.world.sql("DELETE FROM patients")
    one, other = (mine.patient_id, "else") if column == "patient_id" else ("else", mine.patient_id)
    issuer = mine.issuer
    bureau.world.sql(
        "INSERT INTO patients (patient_id, issuer, capacity, gillick, national_data_opt_out,"  # noqa: S608 - ours
        f" merged_into_id, merged_into_issuer) VALUES ('{one}', '{issuer}', 'HAS', 'NA', 0, '{other}', '{issuer}')"
    )
    assert looked_at(bureau)


@pytest.mark.parametrize("as_of", [date(2028, 2, 29), date(2027, 3, 1)])
def test_a_leap_day_leaves_nobody_out_who_is_due(as_of: date, bureau: Office) -> None:
    bureau.tell(replace(LONG_AGO, last_contact=date(as_of.year - 8, 2, 28)))
    assert looked_at(bureau, as_of=as_of)
