"""Whatever is written, in whatever order and by whom: a permit is given only where one would be given anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.gate import Gate
from tests.fakes.pictures import CARE, TEACHING, consent
from tests.fakes.world import START, World, make_world

AGREED: Final = ("urn:x:1", "urn:x:2")


def agree(world: World) -> None:
    known = {each.record.id for each in world.consents()}
    new = next((each for each in AGREED if each not in known), None)
    if new is not None:
        world.record(consent(CARE, TEACHING, id=new))


def withdraw(world: World) -> None:
    given_ = [each.record.id for each in world.consents() if each.record.state == "GIVEN"]
    if given_:
        world.withdraw(given_[-1])


def written(statement: str) -> Callable[[World], object]:
    return lambda world: world.sql(statement)


STEPS: Final[Mapping[str, Callable[[World], object]]] = {
    "agree": agree,
    "withdraw": withdraw,
    "review": World.review,
    "opt out": written("UPDATE patients SET national_data_opt_out = 1 - national_data_opt_out"),
    "lacks capacity": written("UPDATE patients SET capacity = 'LACKS'"),
    "has capacity": written("UPDATE patients SET capacity = 'HAS'"),
    "dies": written("UPDATE patients SET death_date = '2026-11-01'"),
    "take out of use": written("UPDATE images SET status = 'REJECTED'"),
    "take into use": written("UPDATE images SET status = 'ACTIVE'"),
    "covert": written("UPDATE images SET covert = 1 - covert"),
    "another day": lambda world: world.clock.advance(days=1),
    "nothing": lambda world: None,
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=8))
def test_what_is_remembered_never_permits_what_would_be_denied_anew(steps: list[str]) -> None:
    with TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        world.file(CARE, TEACHING)
        services = world.services
        for step in ["nothing", *steps]:
            STEPS[step](world)
            anew = Gate(
                services.database, services.policy, world.clock, services.ids, world.ticks, services.release.under
            )
            for name in ("derm", "teacher"):
                request = world.request(name)
                assert services.gate.authorize(request).decision == anew.authorize(request).decision
        world.close()


texts: Final = st.text(max_size=12)


@given(st.tuples(*[texts] * 6), st.tuples(*[texts] * 2), st.datetimes(timezones=st.just(START.tzinfo)))
def test_an_entry_by_a_stencil_is_the_entry(fields: tuple[str, ...], ids: tuple[str, str], at: datetime) -> None:
    actor, door, subject, reason, detail, said = fields
    event = AuditEvent(
        id=ids[0],
        at=START,
        event=EventType.ACCESS_CONTROL_DECISION,
        outcome=Outcome.SUCCESS,
        actor=actor,
        door=door,
        subject=subject,
        reasons=(reason,),
        detail=detail,
        request={"said": said},
    )
    stencilled = event.stencil().entry(ids[1], at)
    assert stencilled.body() == replace(event, id=ids[1], at=at).body()
