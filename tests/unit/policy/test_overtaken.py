"""A yes from before others were found in a picture: when it counts no more, and what is said then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Anonymisable, Effect, Others
from orthanc_plugin.policy.others import ANEW, hiding, since_others, uncovering
from orthanc_plugin.policy.reviewing import CHECKLIST, HIDING, OTHERS, Box, Kind, Outline, Review, Shown
from tests.unit.policy.building import PHOTO, case, consent, request

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SHA256 = "a" * 64
YES, NO, UNKNOWN = Anonymisable.YES, Anonymisable.NO, Anonymisable.UNKNOWN
FACE: Outline = (100, 100, 40, 40)
NEAR: Outline = (120, 90, 10, 200)
BESIDE: Outline = (140, 100, 40, 40)  # begins where the face ends
OUTLINED: Outline = ((90, 90), (110, 90), (110, 120))
FAR: Outline = (300, 300, 16, 16)


def step(kind: Kind, profile: str, by: str = "a", **more: object) -> Review:
    said = {"sop_instance_uid": "2.25.3", "sha256": SHA256, "reviewer": by, "reviewed_at": AT, "kind": kind}
    digest = HIDING.digest if profile == HIDING.name else f"of {profile}"
    return Review(review_id="", profile=profile, profile_digest=digest, **{**said, **more})  # type: ignore[arg-type]


def verdict(
    others: Shown | None,
    *regions: Outline,
    crop: Box | None = None,
    outcome: Anonymisable = YES,
    under: str = "teaching",
) -> Review:
    said = {**dict.fromkeys(CHECKLIST, Shown.NOT_SHOWN), OTHERS: others}
    answers = {item: answer for item, answer in said.items() if answer is not None}
    return step(Kind.VERDICT, under, outcome=outcome, checklist=answers, regions=regions, crop=crop)


def found(*regions: Outline) -> tuple[Review, ...]:
    """Return the steps by which two persons agree on what is hidden."""
    return (step(Kind.REDACTED, HIDING.name, regions=regions), step(Kind.VERDICT, HIDING.name, "b", regions=regions))


HIDDEN = found(FACE)
LIFTED = (step(Kind.REJECTED, HIDING.name), step(Kind.REJECTED, HIDING.name, "b"))
REJECTED = step(Kind.REJECTED, "teaching", outcome=NO)
NOBODY, COVERED = verdict(Shown.NOT_SHOWN), verdict(Shown.COVERED, FACE)


def numbered(steps: tuple[Review, ...]) -> tuple[Review, ...]:
    """Return the steps as rows have them; what counts is their order, whatever the clocks of nodes said."""
    return tuple(
        replace(each, review_id=str(number), reviewed_at=AT - timedelta(minutes=number))
        for number, each in enumerate(steps)
    )


@pytest.mark.parametrize(
    ("steps", "outcomes"),
    [
        ((NOBODY,), [YES]),
        ((NOBODY, *HIDDEN), [UNKNOWN]),
        ((verdict(None), *HIDDEN), [UNKNOWN]),
        ((verdict(Shown.NOT_SHOWN, under=""), *HIDDEN), [UNKNOWN]),
        ((verdict(Shown.NOT_SHOWN, FACE), *HIDDEN), [UNKNOWN]),
        ((COVERED, *HIDDEN), [YES]),
        ((verdict(Shown.COVERED, NEAR), *HIDDEN), [YES]),
        ((verdict(Shown.COVERED, OUTLINED), *HIDDEN), [YES]),
        ((verdict(Shown.COVERED, BESIDE), *HIDDEN), [UNKNOWN]),
        ((verdict(Shown.COVERED, FAR), *HIDDEN), [UNKNOWN]),
        ((verdict(Shown.COVERED, FACE), *found(FACE, FAR)), [UNKNOWN]),
        ((verdict(Shown.COVERED, FAR, FACE), *found(FACE, FAR)), [YES]),
        ((verdict(Shown.COVERED, crop=(0, 0, 100, 400)), *HIDDEN), [YES]),
        ((verdict(Shown.COVERED, crop=(0, 0, 101, 400)), *HIDDEN), [UNKNOWN]),
        ((verdict(Shown.COVERED, crop=(0, 0, 100, 400)), *found(FACE, OUTLINED)), [UNKNOWN]),
        ((verdict(Shown.COVERED, OUTLINED, crop=(0, 0, 100, 400)), *found(FACE, OUTLINED)), [YES]),
        ((*HIDDEN, NOBODY), [YES]),
        ((NOBODY, *HIDDEN, NOBODY), [UNKNOWN, YES]),
        ((NOBODY, HIDDEN[0]), [YES]),
        ((NOBODY, HIDDEN[0], NOBODY, HIDDEN[1]), [UNKNOWN, UNKNOWN]),
        ((NOBODY, *HIDDEN, LIFTED[0]), [UNKNOWN]),
        ((NOBODY, *HIDDEN, *LIFTED), [YES]),
        ((NOBODY, *HIDDEN, *LIFTED, *HIDDEN), [UNKNOWN]),
        ((*HIDDEN, NOBODY, *found(FACE, FAR)), [UNKNOWN]),
        ((REJECTED, *HIDDEN), [NO]),
        ((NOBODY, REJECTED, *HIDDEN), [UNKNOWN, NO]),
        ((verdict(Shown.IDENTIFIES, outcome=NO), *HIDDEN), [NO]),
    ],
)
def test_a_yes_counts_no_more_once_others_were_found_whom_it_does_not_blank(
    steps: tuple[Review, ...], outcomes: list[Anonymisable]
) -> None:
    counted = since_others(numbered(steps))
    assert [each.outcome for each in counted if each.profile != HIDING.name] == outcomes
    assert tuple(replace(each, outcome=UNKNOWN) for each in counted) == tuple(
        replace(each, outcome=UNKNOWN) for each in numbered(steps)
    )


STEPS = st.lists(
    st.sampled_from([NOBODY, COVERED, REJECTED, verdict(Shown.COVERED, FAR), *HIDDEN, *LIFTED]), max_size=10
)


@given(STEPS)
def test_no_yes_from_before_the_agreement_that_stands_says_that_nobody_is_shown(taken: list[Review]) -> None:
    steps = numbered(tuple(taken))
    counted = since_others(steps)
    agreed = hiding([each for each in steps if each.profile == HIDING.name], SHA256).confirmed
    if agreed is None:
        assert counted == steps
        return
    then = steps.index(agreed)
    assert counted[then:] == steps[then:]
    for was, now in zip(steps[:then], counted[:then], strict=True):
        covers = was.outcome is YES and was.checklist[OTHERS] is Shown.COVERED and was.regions == (FACE,)
        assert now.outcome is (UNKNOWN if was.outcome is YES and not covers else was.outcome)


@pytest.mark.parametrize(
    ("others", "state", "effect", "says"),
    [
        (None, YES, Effect.PERMIT_ANONYMISED, False),
        (None, UNKNOWN, Effect.NEEDS_REVIEW, False),
        (Others.PROPOSED, YES, Effect.PERMIT_ANONYMISED, False),
        (Others.PROPOSED, UNKNOWN, Effect.NEEDS_REVIEW, False),
        (Others.HIDDEN, YES, Effect.PERMIT_ANONYMISED, False),
        (Others.HIDDEN, UNKNOWN, Effect.NEEDS_REVIEW, True),
        (Others.CHANGING, UNKNOWN, Effect.NEEDS_REVIEW, True),
    ],
)
@pytest.mark.parametrize("purpose", [Purpose.TEACHING, Purpose.SECOND_OPINION])
def test_where_others_were_found_the_reason_says_so_and_what_to_do(
    purpose: Purpose, others: Others | None, state: Anonymisable, effect: Effect, says: bool
) -> None:
    image = replace(PHOTO, others=others, anonymisable=state)
    answer = decide(case(consent(purpose), image=image, asked=request(purpose, anonymised=True)))
    assert answer.effect is effect
    assert any(ANEW in each for each in answer.reasons) is says


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((), []),
        ((NOBODY,), []),
        ((COVERED,), ["Under a profile"]),
        ((HIDDEN[0],), []),
        (HIDDEN, ["Two persons"]),
        ((*HIDDEN, LIFTED[0]), ["Two persons"]),
        ((*HIDDEN, *LIFTED), []),
        ((COVERED, *HIDDEN), ["Under a profile", "Two persons"]),
    ],
)
def test_a_yes_for_every_profile_is_refused_in_words_that_say_what_it_would_uncover(
    steps: tuple[Review, ...], said: list[str]
) -> None:
    told = list(uncovering(numbered(steps)))
    assert [wrong[: len(begins)] for (wrong, _), begins in zip(told, said, strict=True)] == said
    assert all(remedy.startswith("Confirm it under each profile") for _, remedy in told)
