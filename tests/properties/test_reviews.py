"""No sequence of steps leaves a picture confirmed without a whole checklist by somebody who didn't ask for it.

Nor by a checklist from before two persons found others in it, unless that one has them blanked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orthanc_plugin.lifecycle.reviewing import ReviewRefusedError
from orthanc_plugin.policy.model import Anonymisable, Effect
from orthanc_plugin.policy.reviewing import CHECKLIST, OTHERS, Kind, Outline, Shown, outcome
from orthanc_plugin.registry import hidings, reviews
from tests.fakes.hiding import hidden
from tests.fakes.hiding import rejected as unhidden
from tests.fakes.looking import LOOKING, NOTHING, confirmed, matter, opened, redacted, rejected
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World, make_world

PEOPLE = ("looker", "second-looker", "teacher", "Teacher", "a teacher", "teacher-at-desk")
ASKERS = frozenset(PEOPLE[2:])
PROFILES = ("teaching", "publication", "")
ANSWERS = st.dictionaries(st.sampled_from(CHECKLIST), st.sampled_from(Shown), max_size=2)
WHO = st.sampled_from(PEOPLE)
UNDER = st.sampled_from(PROFILES)
Step = Callable[[World], object]


def _redact(by: str, profile: str, regions: list[Outline]) -> Step:
    return lambda world: redacted(world, *regions, by=by, profile=profile)


def _exchanged(letter: str) -> Step:
    """Return the step by which other bytes are on record for the picture."""
    return lambda world: world.sql(f"UPDATE images SET sha256 = '{letter * 64}'")  # noqa: S608


STEPS = st.one_of(
    st.builds(_exchanged, st.sampled_from("ab")),
    st.builds(lambda by, profile: lambda world: opened(world, by, profile), WHO, UNDER),
    st.builds(_redact, WHO, UNDER, st.lists(st.just((0, 0, 16, 16)), max_size=1)),
    st.builds(lambda by, profile, said: lambda world: confirmed(world, by, profile, **said), WHO, UNDER, ANSWERS),
    st.builds(lambda by, profile: lambda world: rejected(world, by, profile), WHO, UNDER),
    st.builds(lambda: hidden),
    st.builds(lambda by: lambda world: unhidden(world, by), st.sampled_from(PEOPLE[:2])),
    st.builds(lambda minutes: lambda world: world.clock.advance(minutes=minutes), st.sampled_from((1, 61))),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=12))
@example([opened, confirmed, hidden, opened, confirmed, hidden])
@example([opened, confirmed, hidden, lambda world: unhidden(world, "looker"), rejected])
def test_no_sequence_of_steps_confirms_a_picture_that_nobody_else_looked_through(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), policy=LOOKING)
        world.file(CARE, TEACHING)
        world.services.gate.authorize(world.request("teacher"))
        for step in steps:
            with suppress(ReviewRefusedError):
                step(world)
            holds(world)
        world.close()


def holds(world: World) -> None:
    """Check what stands behind whatever is decided now."""
    decided = world.services.gate.authorize(world.request("teacher")).decision.effect
    on = matter(world)
    with world.services.database.reading() as connection:
        found = reviews.verdict(connection, UID, on.sha256, on.under)
        every = reviews.steps(connection, UID, on.sha256)
        others = hidings.confirmed(connection, UID, on.sha256)
    assert (decided is Effect.PERMIT_ANONYMISED) == (found is not None and found.outcome is Anonymisable.YES)
    if decided is not Effect.PERMIT_ANONYMISED or found is None:
        return
    assert found.reviewer not in ASKERS
    assert found.sha256 == world.row().sha256
    assert set(found.checklist) == set(CHECKLIST)
    assert Shown.IDENTIFIES not in found.checklist.values()
    assert found.regions or Shown.COVERED not in found.checklist.values()
    assert found.profile_digest in ("", on.under.digest)
    if others is not None and every.index(found) < every.index(others):
        assert (found.checklist[OTHERS], found.regions) == (Shown.COVERED, others.regions)
    if found.profile:
        seen = [each for each in every[: every.index(found)] if each.kind is Kind.SHOWN]
        assert (seen[-1].reviewer, seen[-1].regions) == (found.reviewer, found.regions)


@given(st.dictionaries(st.sampled_from(CHECKLIST), st.sampled_from(Shown)), st.booleans())
def test_only_a_whole_checklist_in_which_nothing_identifies_is_a_yes(said: dict[str, Shown], covered: bool) -> None:
    for answers in (said, {**NOTHING, **said}):
        whole = set(answers) == set(CHECKLIST)
        bare = Shown.COVERED in answers.values() and not covered
        expected = whole and not bare and Shown.IDENTIFIES not in answers.values()
        assert (outcome(answers, hides=covered) is Anonymisable.YES) is expected
