"""What must hold of every event, and of every decision after a withdrawal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from dicomwrap.terms import (
    SECONDARY_PURPOSES,
    Competence,
    ConsentLevel,
    ConsentState,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
    WithdrawalPhase,
    purposes_named,
)
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.eventmodel import Before, Copy, Event, Happening, ImageState, Outcome, Recall, Words
from orthanc_plugin.policy.events import GONE, outcome
from orthanc_plugin.policy.model import Case, Consent, Giver, ImageStatus, MadeFor, WithdrawnPurpose
from tests.properties.policy_cases import any_case, consents

CONSENTED = sorted(SECONDARY_PURPOSES | {Purpose.DIRECT_CARE, Purpose.SECOND_OPINION})
WORDS = st.lists(st.sampled_from([*Purpose, *PurposeGroup]), max_size=3).map(tuple)
copies = st.builds(
    Copy,
    id=st.just(""),
    kind=st.sampled_from(["PUBLISHED", "EXPORT_FILE", "C_STORE", "VIEW"]),
    form=st.sampled_from(Form),
    key_destroyed=st.booleans(),
    under=st.sampled_from([None, "C1", "C2"]),
    purpose=st.none() | st.sampled_from(Purpose),
    recall=st.sampled_from(Recall),
)
befores = st.builds(
    Before,
    consent=st.sampled_from(ConsentState),
    consent_id=st.sampled_from([None, "C1"]),
    giver=st.none() | st.sampled_from(GiverType),
    purposes=WORDS.filter(bool),
    image=st.none() | st.sampled_from(ImageState),
    made_for=st.sampled_from(MadeFor),
    copies=st.lists(copies, max_size=4).map(
        lambda found: tuple(replace(copy, id=f"D{number}") for number, copy in enumerate(found))
    ),
)
happenings = st.builds(
    Event,
    type=st.sampled_from(Happening),
    phase=st.sampled_from(WithdrawalPhase),
    purposes=WORDS,
    copy=st.sampled_from([None, "D0", "D1"]),
    widens=st.booleans(),
)


def after(before: Before, found: Outcome, taken: Words) -> Before:
    """Return how things stand once ``found`` has been done."""
    recalled = {
        **dict.fromkeys(found.recalls, Recall.OPEN),
        **dict.fromkeys(found.not_recallable, Recall.NOT_RECALLABLE),
    }
    left = tuple(sorted(purposes_named(frozenset(before.purposes)) - purposes_named(frozenset(taken))))
    return replace(
        before,
        consent=found.consent,
        image=found.image,
        purposes=left,
        copies=tuple(replace(copy, recall=recalled.get(copy.id, copy.recall)) for copy in before.copies),
    )


@given(befores, st.sampled_from(WithdrawalPhase), WORDS)
def test_a_withdrawal_said_twice_does_no_more_than_said_once(
    before: Before, phase: WithdrawalPhase, purposes: Words
) -> None:
    event = Event(type=Happening.WITHDRAW, phase=phase, purposes=purposes)
    first = outcome(before, event)
    then = after(before, first, purposes or (PurposeGroup.ALL,))
    again = outcome(then, event)
    assert (again.consent, again.image) == (first.consent, first.image)
    assert (again.recalls, again.not_recallable, again.tasks) == ((), (), ())


@given(befores, st.sampled_from(WithdrawalPhase), WORDS)
def test_every_live_copy_of_a_withdrawn_use_is_recalled_or_told_of(
    before: Before, phase: WithdrawalPhase, purposes: Words
) -> None:
    found = outcome(before, Event(type=Happening.WITHDRAW, phase=phase, purposes=purposes))
    covered = purposes_named(frozenset(before.purposes))
    gone = covered & purposes_named(frozenset(purposes)) if purposes else covered
    for copy in before.copies:
        concerned = copy.purpose in {None, *gone} and bool(gone) and before.consent_id in (None, copy.under or "C1")
        live = copy.recall is Recall.NONE and copy.kind != "VIEW"
        spoken_of = copy.id in found.recalls + found.not_recallable
        assert spoken_of == (concerned and live)


@given(befores, happenings)
@settings(max_examples=300)
def test_every_event_has_an_outcome_that_brings_nothing_back(before: Before, event: Event) -> None:
    found = outcome(before, event)
    ended = {ConsentState.WITHDRAWN, ConsentState.REFUSED, ConsentState.SUPERSEDED, ConsentState.ENTERED_IN_ERROR}
    if before.consent in ended:
        assert found.consent is before.consent
    if before.image in GONE or before.image is None:
        assert found.image is before.image
    assert set(found.recalls).isdisjoint(found.not_recallable)
    subjects = [str(task) for task in found.tasks]
    assert len(set(subjects)) == len(subjects)
    assert all(f"CONFIRM_RECALL:{each}" in subjects for each in found.recalls)


@given(befores, happenings)
def test_no_event_erases_a_picture_that_is_filed(before: Before, event: Event) -> None:
    found = outcome(replace(before, image=ImageState.ACTIVE), event)
    assert found.image in (ImageState.ACTIVE, ImageState.RESTRICTED, ImageState.QUARANTINED)


def own(consent: Consent) -> Consent:
    giver = Giver(type=GiverType.PATIENT, id="P1", competent_at_decision=Competence.YES)
    return replace(consent, giver=giver, level=ConsentLevel.IMAGE, state=ConsentState.GIVEN, withdrawn=())


@given(any_case, consents, st.sampled_from(CONSENTED), st.integers(0, 40_000), st.booleans())
@settings(max_examples=400)
def test_a_withdrawal_denies_on_its_day_and_every_day_after(
    case: Case, consent: Consent, purpose: Purpose, later: int, whole: bool
) -> None:
    day = date(2026, 11, 20)
    gone = replace(
        own(consent),
        purposes=(purpose,),
        withdrawn=(WithdrawnPurpose(purpose=purpose, on=day),),
        state=ConsentState.WITHDRAWN if whole else ConsentState.GIVEN,
    )
    others = tuple(each for each in case.consents if each.giver.type is not GiverType.PATIENT)
    request = replace(case.request, purpose=purpose.value, as_of=day + timedelta(days=later), break_glass=None)
    assert not decide(replace(case, consents=(*others, gone), request=request)).permits


@given(any_case)
def test_a_restricted_picture_is_decided_on_like_any_filed_one_for_the_withdrawal_itself_denies(case: Case) -> None:
    active, restricted = (
        decide(replace(case, image=replace(case.image, status=status)))
        for status in (ImageStatus.ACTIVE, ImageStatus.RESTRICTED)
    )
    assert active == restricted
