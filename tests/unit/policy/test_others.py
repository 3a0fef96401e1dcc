"""Other people in a picture: what one person says of them, what two agree on, and what that does to a decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Content, Effect, Obligation, Others
from orthanc_plugin.policy.others import Hiding, hiding, looked, opened
from orthanc_plugin.policy.reviewing import EVERY, HIDING, Kind, Review, Under, counts
from tests.unit.policy.building import PHOTO, XRAY, case, consent, request

REDACT = Obligation.REDACT_THIRD_PARTIES
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW, BEFORE = "a" * 64, "b" * 64
BOX = (0, 0, 16, 16)
IDENT, REVIEW = Effect.PERMIT_IDENTIFIABLE, Effect.NEEDS_REVIEW


def step(kind: Kind, by: str, sha256: str = NOW, number: int = 0) -> Review:
    return Review(
        review_id=f"{kind}-{by}-{number}",
        sop_instance_uid="2.25.3",
        sha256=sha256,
        reviewer=by,
        reviewed_at=AT + timedelta(seconds=number),
        kind=kind,
        profile=HIDING.name,
        profile_digest=HIDING.digest,
        regions=(BOX,) if kind in (Kind.REDACTED, Kind.VERDICT) else (),
    )


def taken(*said: tuple[Kind, str] | tuple[Kind, str, str]) -> list[Review]:
    return [step(*each, number=number) for number, each in enumerate(said)]  # type: ignore[misc]


SET, AGREED, NO = Kind.REDACTED, Kind.VERDICT, Kind.REJECTED


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([], None),
        ([(Kind.OPENED, "a"), (Kind.PROPOSED, "a"), (Kind.SHOWN, "a")], None),
        ([(SET, "a")], Others.PROPOSED),
        ([(SET, "a"), (AGREED, "b")], Others.HIDDEN),
        ([(SET, "a"), (NO, "b")], None),
        ([(SET, "a"), (NO, "a")], Others.PROPOSED),
        ([(SET, "a"), (NO, "A ")], Others.PROPOSED),
        ([(SET, "a"), (AGREED, "b"), (NO, "a")], Others.CHANGING),
        ([(SET, "a"), (AGREED, "b"), (NO, "a"), (NO, "a")], Others.CHANGING),
        ([(SET, "a"), (AGREED, "b"), (NO, "a"), (NO, "b")], None),
        ([(SET, "a"), (AGREED, "b"), (NO, "a"), (AGREED, "b")], Others.HIDDEN),
        ([(SET, "a"), (AGREED, "b"), (SET, "c")], Others.CHANGING),
        ([(SET, "a"), (AGREED, "b"), (SET, "c"), (NO, "a")], Others.HIDDEN),
        ([(SET, "a"), (AGREED, "b"), (NO, "a"), (SET, "c"), (NO, "b")], Others.HIDDEN),
        ([(NO, "a"), (NO, "b")], None),
        ([(SET, "a", BEFORE), (AGREED, "b", BEFORE)], Others.PROPOSED),
        ([(SET, "a", BEFORE)], Others.PROPOSED),
        ([(SET, "a", BEFORE), (NO, "b", BEFORE)], None),
        ([(SET, "a", BEFORE), (AGREED, "b", BEFORE), (NO, "b")], Others.PROPOSED),
        ([(SET, "a", BEFORE), (AGREED, "b", BEFORE), (NO, "b"), (NO, "c")], None),
        ([(SET, "a", BEFORE), (AGREED, "b", BEFORE), (SET, "a"), (AGREED, "b")], Others.HIDDEN),
        ([(SET, "a", BEFORE), (AGREED, "b", BEFORE), (SET, "a"), (NO, "b")], Others.PROPOSED),
    ],
)
def test_what_one_person_says_waits_for_another(said: list[tuple[Kind, str]], found: Others | None) -> None:
    assert hiding(taken(*said), NOW).others is found


@given(st.lists(st.tuples(st.sampled_from([SET, NO]), st.sampled_from(["a", "b", "c"])), max_size=8))
def test_nobody_shows_again_alone_whom_two_have_hidden(said: list[tuple[Kind, str]]) -> None:
    agreed = [(SET, "a"), (AGREED, "b")]
    alone = [(kind, "c") for kind, _ in said]
    assert hiding(taken(*agreed, *alone), NOW).confirmed is not None
    before = hiding(taken(*agreed), NOW)
    after = hiding(taken(*agreed, *said), NOW)
    assert after.confirmed in (before.confirmed, None)


def test_what_is_looked_at_is_what_is_proposed_else_what_is_hidden() -> None:
    (first, agreed, second) = taken((SET, "a"), (AGREED, "b"), (SET, "c"))
    assert hiding([first, agreed], NOW) == Hiding(confirmed=agreed)
    assert hiding([first, agreed, second], NOW).shown == second
    assert hiding([first, agreed], NOW).shown == agreed
    assert hiding([], NOW).shown is None


def test_a_look_counts_for_a_while_for_whoever_took_it_and_until_the_regions_change() -> None:
    steps = taken((Kind.OPENED, "b"), (SET, "a"), (Kind.SHOWN, "b"))
    assert looked(steps, NOW, "b", AT, HOUR) == steps[2]
    assert looked(steps, NOW, "B ", AT, HOUR) == steps[2]
    assert looked(steps, NOW, "a", AT, HOUR) is None
    assert looked(steps, BEFORE, "b", AT, HOUR) is None
    assert looked(steps, NOW, "b", AT + HOUR + HOUR, HOUR) is None
    assert looked(taken((Kind.SHOWN, "b"), (SET, "a")), NOW, "b", AT, HOUR) is None
    assert opened(taken((Kind.OPENED, "b"), (SET, "a")), NOW, "b", AT, HOUR) is not None
    assert opened(steps, NOW, "a", AT, HOUR) is None


def test_a_step_for_others_counts_under_no_profile_and_none_of_a_profile_for_them() -> None:
    mine = step(AGREED, "b")
    assert counts(mine, HIDING)
    assert not any(counts(mine, each) for each in (EVERY, Under("teaching", "digest")))
    for name, digest in (("", ""), ("teaching", "digest")):
        assert not counts(replace(mine, profile=name, profile_digest=digest), HIDING)


@pytest.mark.parametrize(
    ("purpose", "others", "effect", "obliged"),
    [
        (Purpose.DIRECT_CARE, None, IDENT, False),
        (Purpose.DIRECT_CARE, Others.PROPOSED, IDENT, False),
        (Purpose.DIRECT_CARE, Others.HIDDEN, IDENT, True),
        (Purpose.DIRECT_CARE, Others.CHANGING, IDENT, True),
        (Purpose.LOCAL_AUDIT, Others.PROPOSED, REVIEW, True),
        (Purpose.LOCAL_AUDIT, Others.HIDDEN, IDENT, True),
        (Purpose.SUBJECT_ACCESS, Others.PROPOSED, REVIEW, True),
        (Purpose.SUBJECT_ACCESS, Others.HIDDEN, IDENT, True),
        (Purpose.SUBJECT_ACCESS, Others.CHANGING, REVIEW, True),
    ],
)
def test_the_patient_s_treatment_waits_for_nobody_and_everything_else_does(
    purpose: Purpose, others: Others | None, effect: Effect, obliged: bool
) -> None:
    found = decide(case(image=replace(XRAY, others=others), asked=request(purpose)))
    assert (found.effect, REDACT in found.obligations) == (effect, obliged)


def test_an_anonymised_copy_and_the_details_of_a_record_are_no_matter_of_it() -> None:
    agreed = consent(Purpose.TEACHING, Purpose.DIRECT_CARE)
    for asked in (request(anonymised=True), request(Purpose.DIRECT_CARE, content=Content.METADATA)):
        before = decide(case(agreed, asked=asked))
        assert before.permits
        assert decide(case(agreed, image=replace(PHOTO, others=Others.CHANGING), asked=asked)) == before
