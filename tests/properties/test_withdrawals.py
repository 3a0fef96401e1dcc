"""Whatever is agreed to, withdrawn in steps and replaced, in any order: each use is decided by its own days.

The registry's steps and the policy's R6, held against a plain reading: a use may go on where some consent to it that is
left was given after every day on which that use was withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomwrap.consentfile import consent_json
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import Audience, Explained, Purpose
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Consent
from orthanc_plugin.registry import consentfacts, consents
from tests.fakes.pictures import consent
from tests.fakes.world import World
from tests.unit.policy.building import case, request

USES: Final = (Purpose.DIRECT_CARE, Purpose.TEACHING, Purpose.RESEARCH)
AUDIENCE: Final = [Audience.CARE_TEAM, Audience.TRUST_STUDENTS, Audience.RESEARCH_TEAM]
FIRST: Final = date(2025, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is done to the consent of that number, ``days`` after the step before, and dated ``back`` days earlier."""

    kind: str
    number: int = 0
    uses: tuple[Purpose, ...]
    days: int = 0
    back: int = 0


steps: Final = st.builds(
    Step,
    kind=st.sampled_from(["agree", "agree", "withdraw", "withdraw", "withdraw", "replace"]),
    number=st.sampled_from([0, 0, 0, 1, 2]),
    uses=st.sampled_from([*((use,) for use in USES), USES[:2], USES]),
    days=st.sampled_from([0, 1, 9]),
    back=st.sampled_from([0, 0, 0, 0, 5]),
)


@dataclass
class Said:
    """A consent as a person would keep account of it: what it is for, and since when no more."""

    on: date
    uses: frozenset[Purpose]
    gone: dict[Purpose, date] = field(default_factory=dict)
    over: bool = False

    def take(self, uses: frozenset[Purpose], on: date) -> None:
        for use in uses & self.uses - self.gone.keys():
            self.gone[use] = max(on, self.on)


def may_go_on(kept: list[Said], use: Purpose) -> bool:
    agreed = [each.on for each in kept if use in each.uses and use not in each.gone and not each.over]
    ended = [each.gone[use] for each in kept if use in each.gone]
    return any(all(on > end for end in ended) for on in agreed)


def form(number: int, person: str, uses: tuple[Purpose, ...], on: date) -> ConsentRecord:
    scopes = [{"purpose": use, "max_form": "IDENTIFIABLE", "audience": AUDIENCE} for use in uses]
    told = {"explained": list(Explained), "decided_on": on.isoformat(), "patient_id": person}
    return consent(*scopes, id=f"{person}#{number}", **told)


def filed(world: World, person: str, step: Step, new: ConsentRecord, on: date) -> None:
    """Have the registry take the step."""
    known, at = f"{person}#{step.number}", world.clock()
    with world.services.database.writing() as connection:
        if step.kind == "agree":
            consents.add(connection, new, by="nurse", at=at)
        elif step.kind == "withdraw":
            consents.withdraw(connection, known, step.uses, on=on, by="nurse", at=at)
        else:
            consents.supersede(connection, known, new, by="nurse", at=at)


def noted(kept: list[Said], step: Step, on: date) -> None:
    """Take the same step by hand."""
    uses = frozenset(step.uses)
    if step.kind == "withdraw":
        kept[step.number].take(uses, on)
        return
    if step.kind == "replace":
        kept[step.number].take(frozenset(USES) - uses, on)
        kept[step.number].over = True
    kept.append(Said(on=on, uses=uses))


def on_record(world: World, person: str) -> list[Consent]:
    with world.services.database.reading() as connection:
        records = [each.record for each in consents.listed(connection, person)]
    return [scope for each in records for scope in consentfacts.whole(consent_json(each), consentfacts.columns(each))]


@given(st.lists(steps, min_size=3, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_each_use_is_decided_by_the_days_on_which_it_was_agreed_to_and_withdrawn(
    world: World, then: list[Step]
) -> None:
    ((rows,),) = world.sql("SELECT count(*) FROM consents")
    person, kept, today = f"P{rows}", [], FIRST
    for step in (Step(kind="agree", uses=USES), *then):
        today += timedelta(days=step.days)
        on = max(today - timedelta(days=step.back), FIRST)
        try:
            filed(world, person, step, form(len(kept), person, step.uses, on), on)
        except ConsentgateError:  # there is no such consent, it has ended, or never covered the use: nothing changes
            continue
        noted(kept, step, on)
    known = on_record(world, person)
    permitted = {use: decide(case(*known, asked=request(use))).permits for use in USES}
    assert permitted == {use: may_go_on(kept, use) for use in USES}
