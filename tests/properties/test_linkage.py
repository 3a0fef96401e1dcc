"""However studies are asked for, no more leave within the window than a person was asked about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.terms import Audience
from orthanc_plugin.policy.linkage import OPEN_AUDIENCES, Copy, Limit, needs_review, overlap
from tests.fakes.world import START

WINDOW: Final = timedelta(days=10)
SETTLED: Final = "settled"
audiences: Final = st.sampled_from([None, *Audience])
asked: Final = st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("12"), audiences)
steps: Final = st.lists(
    st.tuples(st.one_of(asked, asked, asked, st.just(SETTLED)), st.integers(0, 4)), min_size=5, max_size=60
)


@dataclass
class Archive:
    """One patient's studies, asked for one after the other."""

    limit: Limit
    at: datetime = START
    left: list[Copy] = field(default_factory=list)
    settled: list[datetime] = field(default_factory=list)

    def ask(self, study: str, profile: str, audience: Audience | None) -> bool:
        """Ask for something of a study; tell whether it left."""
        copy = Copy(study=study, profile=profile, audience=audience, at=self.at)
        refused = needs_review(self.left, copy, self.limit, max(self.settled, default=None))
        if not refused:
            self.left.append(copy)
        return not refused


@given(steps, st.integers(1, 4))
def test_never_more_leave_in_any_window_than_were_settled(said: list[tuple[object, int]], most: int) -> None:
    archive = Archive(Limit(releases=most, window=WINDOW))
    for what, days in said:
        archive.at += timedelta(days=days, seconds=1)
        if isinstance(what, tuple):
            archive.ask(*what)
        else:
            archive.settled.append(archive.at)
    for last in archive.left:
        begin = last.at - WINDOW
        together = [each for each in archive.left if begin < each.at <= last.at and each.audience is last.audience]
        reviews = sum(begin < each <= last.at for each in archive.settled)
        assert len({(each.study, each.profile) for each in together}) <= most * (1 + reviews)


@given(st.permutations(list("abcdef")), st.integers(1, 8))
def test_the_order_in_which_they_are_asked_for_does_not_matter(studies: list[str], most: int) -> None:
    archive = Archive(Limit(releases=most, window=WINDOW))
    assert sum(archive.ask(each, "1", Audience.JOURNAL) for each in studies) == min(most, len(studies))


@given(asked, st.integers(1, 3))
def test_more_of_the_same_study_tells_nothing_new(copy: tuple[str, str, Audience | None], most: int) -> None:
    archive = Archive(Limit(releases=most, window=WINDOW))
    assert all(archive.ask(*copy) for _ in range(10))


@given(audiences, audiences)
def test_overlapping_is_mutual_and_the_public_overlaps_with_everybody(
    one: Audience | None, other: Audience | None
) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one)
    assert all(overlap(one, each) for each in OPEN_AUDIENCES)
    assert overlap(one, None)


def test_a_researcher_s_company_and_students_do_not_count_together() -> None:
    archive = Archive(Limit(releases=1, window=WINDOW))
    assert archive.ask("a", "1", Audience.COMMERCIAL_PARTNER)
    assert archive.ask("b", "1", Audience.TRUST_STUDENTS)
    assert not archive.ask("c", "1", Audience.JOURNAL)


def test_once_the_window_has_passed_they_leave_again() -> None:
    archive = Archive(Limit(releases=1, window=WINDOW))
    assert archive.ask("a", "1", Audience.JOURNAL)
    archive.at += WINDOW - timedelta(seconds=1)
    assert not archive.ask("b", "1", Audience.JOURNAL)
    archive.at += timedelta(seconds=1)
    assert archive.ask("b", "1", Audience.JOURNAL)
