"""What follows from an event in the life of a consent."""

from __future__ import annotations

import pytest

from dicomwrap.terms import ConsentState, Form, GiverType, Purpose, PurposeGroup, WithdrawalPhase
from orthanc_plugin.policy.eventmodel import Before, Copy, Event, Happening, ImageState, Outcome, Recall
from orthanc_plugin.policy.events import outcome
from orthanc_plugin.policy.model import MadeFor

CARE = (Purpose.DIRECT_CARE,)
TEACHING = (Purpose.TEACHING,)
BOTH = (Purpose.DIRECT_CARE, Purpose.TEACHING)


def before(*copies: Copy, **changes: object) -> Before:
    fields: dict[str, object] = {"consent": ConsentState.GIVEN, "image": ImageState.ACTIVE, "purposes": BOTH}
    return Before(**{**fields, "copies": copies, **changes})  # type: ignore[arg-type]


def withdrawal(*purposes: Purpose | PurposeGroup, phase: WithdrawalPhase = WithdrawalPhase.LATER) -> Event:
    return Event(type=Happening.WITHDRAW, phase=phase, purposes=purposes)


def tasks(found: Outcome) -> list[str]:
    return [str(task) for task in found.tasks]


@pytest.mark.parametrize("image", [ImageState.CAPTURING, ImageState.AWAITING_PATIENT_APPROVAL])
@pytest.mark.parametrize("phase", WithdrawalPhase)
def test_a_withdrawal_before_filing_deletes_what_was_never_filed(image: ImageState, phase: WithdrawalPhase) -> None:
    found = outcome(before(image=image), withdrawal(phase=phase))
    assert (found.consent, found.image) == (ConsentState.WITHDRAWN, ImageState.DELETED_NOT_FILED)
    assert found.tasks == ()


@pytest.mark.parametrize(
    ("phase", "image"),
    [
        (WithdrawalPhase.DURING_CAPTURE, ImageState.DELETED_NOT_FILED),
        (WithdrawalPhase.IMMEDIATELY_AFTER, ImageState.DELETED_NOT_FILED),
        (WithdrawalPhase.LATER, ImageState.QUARANTINED),
    ],
)
def test_what_is_held_back_is_deleted_only_by_a_withdrawal_around_the_capture(
    phase: WithdrawalPhase, image: ImageState
) -> None:
    assert outcome(before(image=ImageState.QUARANTINED), withdrawal(phase=phase)).image is image


def test_a_withdrawal_of_teaching_alone_leaves_a_picture_that_waits_for_the_patient() -> None:
    waiting = before(image=ImageState.AWAITING_PATIENT_APPROVAL)
    found = outcome(waiting, withdrawal(Purpose.TEACHING))
    assert (found.consent, found.image) == (ConsentState.GIVEN, ImageState.AWAITING_PATIENT_APPROVAL)


@pytest.mark.parametrize("phase", WithdrawalPhase)
def test_a_withdrawal_never_erases_a_filed_care_record(phase: WithdrawalPhase) -> None:
    found = outcome(before(), withdrawal(phase=phase))
    assert (found.consent, found.image) == (ConsentState.WITHDRAWN, ImageState.RESTRICTED)
    assert found.tasks == ()


def test_a_picture_made_only_for_teaching_is_proposed_for_disposal() -> None:
    made = before(made_for=MadeFor.SECONDARY, purposes=TEACHING)
    found = outcome(made, withdrawal())
    assert (found.image, tasks(found)) == (ImageState.RESTRICTED, ["PROPOSE_DISPOSAL"])


def test_a_picture_made_for_two_secondary_uses_stays_when_one_is_withdrawn() -> None:
    made = before(made_for=MadeFor.SECONDARY, purposes=(Purpose.TEACHING, Purpose.RESEARCH))
    found = outcome(made, withdrawal(Purpose.RESEARCH))
    assert (found.consent, found.image, found.tasks) == (ConsentState.GIVEN, ImageState.ACTIVE, ())


@pytest.mark.parametrize(
    ("purposes", "consent", "image"),
    [
        ((Purpose.TEACHING,), ConsentState.GIVEN, ImageState.ACTIVE),
        ((PurposeGroup.ALL_SECONDARY,), ConsentState.GIVEN, ImageState.ACTIVE),
        ((Purpose.DIRECT_CARE,), ConsentState.GIVEN, ImageState.RESTRICTED),
        ((PurposeGroup.ALL,), ConsentState.WITHDRAWN, ImageState.RESTRICTED),
        ((Purpose.RESEARCH,), ConsentState.GIVEN, ImageState.ACTIVE),
    ],
)
def test_a_withdrawal_is_by_purpose(
    purposes: tuple[Purpose | PurposeGroup, ...], consent: ConsentState, image: ImageState
) -> None:
    found = outcome(before(), withdrawal(*purposes))
    assert (found.consent, found.image) == (consent, image)


def test_each_live_copy_is_recalled_and_the_patient_told_of_the_rest() -> None:
    copies = (
        Copy(id="D1", kind="PUBLISHED"),
        Copy(id="D2", kind="EXPORT_FILE"),
        Copy(id="D3", form=Form.ANONYMISED, key_destroyed=True),
        Copy(id="D4", form=Form.ANONYMISED),
        Copy(id="D5", key_destroyed=True),
        Copy(id="D6", kind="VIEW"),
        Copy(id="D7", recall=Recall.CONFIRMED),
        Copy(id="D8", recall=Recall.OPEN),
    )
    found = outcome(before(*copies, jobs=("JOB1",)), withdrawal())
    assert found.recalls == ("D2", "D4", "D5")
    assert found.not_recallable == ("D1", "D3")
    assert tasks(found) == [
        "CONFIRM_RECALL:D2",
        "CONFIRM_RECALL:D4",
        "CONFIRM_RECALL:D5",
        "TELL_PATIENT_NOT_RECALLABLE:D1",
        "TELL_PATIENT_NOT_RECALLABLE:D3",
    ]
    assert found.jobs_cancelled == ("JOB1",)


def test_only_copies_under_this_consent_and_for_this_use_are_recalled() -> None:
    copies = (
        Copy(id="D1", under="C1", purpose=Purpose.TEACHING),
        Copy(id="D2", under="C2", purpose=Purpose.TEACHING),
        Copy(id="D3", under="C1", purpose=Purpose.DIRECT_CARE),
        Copy(id="D4", under="C1"),
        Copy(id="D5"),
    )
    found = outcome(before(*copies, consent_id="C1"), withdrawal(Purpose.TEACHING))
    assert found.recalls == ("D1", "D4", "D5")


@pytest.mark.parametrize("event", [Happening.WITHDRAW, Happening.REFUSE, Happening.DISTRESS_OR_OBJECTION])
@pytest.mark.parametrize(
    ("state", "then"),
    [
        (ConsentState.GIVEN, ConsentState.WITHDRAWN),
        (ConsentState.PROPOSED, ConsentState.REFUSED),
        (ConsentState.REFUSED, ConsentState.REFUSED),
        (ConsentState.WITHDRAWN, ConsentState.WITHDRAWN),
        (ConsentState.EXPIRED, ConsentState.EXPIRED),
        (ConsentState.SUPERSEDED, ConsentState.SUPERSEDED),
        (ConsentState.ENTERED_IN_ERROR, ConsentState.ENTERED_IN_ERROR),
    ],
)
def test_a_word_taken_back_goes_only_where_a_consent_may_go(
    event: Happening, state: ConsentState, then: ConsentState
) -> None:
    found = outcome(before(consent=state, image=ImageState.CAPTURING), Event(type=event))
    assert (found.consent, found.image) == (then, ImageState.DELETED_NOT_FILED)


def test_a_child_s_distress_is_looked_into_where_pictures_are_filed_already() -> None:
    parents = before(giver=GiverType.PR_HOLDER)
    assert tasks(outcome(parents, Event(type=Happening.DISTRESS_OR_OBJECTION))) == ["IG_REVIEW"]


@pytest.mark.parametrize("event", [Happening.APPROVED, Happening.APPROVAL_WINDOW_ENDED])
@pytest.mark.parametrize(
    ("image", "then"),
    [
        (ImageState.AWAITING_PATIENT_APPROVAL, ImageState.ACTIVE),
        (ImageState.CAPTURING, ImageState.CAPTURING),
        (ImageState.DELETED_NOT_FILED, ImageState.DELETED_NOT_FILED),
        (ImageState.RESTRICTED, ImageState.RESTRICTED),
        (None, None),
    ],
)
def test_an_approval_files_what_waited_for_it(
    event: Happening, image: ImageState | None, then: ImageState | None
) -> None:
    assert outcome(before(image=image), Event(type=event)).image is then


@pytest.mark.parametrize(
    ("event", "giver", "consent", "opened"),
    [
        (Happening.BIRTHDAY_16, GiverType.PR_HOLDER, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.BIRTHDAY_16, None, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.BIRTHDAY_16, GiverType.PATIENT, ConsentState.GIVEN, []),
        (Happening.BIRTHDAY_18, GiverType.PR_HOLDER, ConsentState.EXPIRED, ["SEEK_RECONSENT"]),
        (Happening.BIRTHDAY_18, GiverType.PATIENT, ConsentState.GIVEN, []),
        (Happening.COMPETENCE_FOUND, GiverType.PR_HOLDER, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.COMPETENCE_FOUND, GiverType.COURT, ConsentState.GIVEN, []),
        (Happening.CAPACITY_REGAINED, GiverType.LPA_HW, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.CAPACITY_REGAINED, GiverType.PATIENT, ConsentState.GIVEN, []),
        (Happening.DEATH, GiverType.PATIENT, ConsentState.GIVEN, ["CONSIDER_FAMILY"]),
        (Happening.EXPIRY, GiverType.PATIENT, ConsentState.EXPIRED, ["SEEK_RECONSENT"]),
        (Happening.NEW_PURPOSE, GiverType.PATIENT, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.NEW_AUDIENCE, GiverType.PATIENT, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.NEW_FORM_VERSION, GiverType.PATIENT, ConsentState.GIVEN, ["SEEK_RECONSENT"]),
        (Happening.STORED_AND_VERIFIED, GiverType.PATIENT, ConsentState.GIVEN, ["DELETE_FROM_DEVICE"]),
        (Happening.BREAK_GLASS_END, GiverType.PATIENT, ConsentState.GIVEN, ["RETROSPECTIVE_REVIEW"]),
    ],
)
def test_time_and_growing_up_open_tasks(
    event: Happening, giver: GiverType | None, consent: ConsentState, opened: list[str]
) -> None:
    found = outcome(before(giver=giver), Event(type=event))
    assert (found.consent, tasks(found), found.image) == (consent, opened, ImageState.ACTIVE)


@pytest.mark.parametrize(
    "event",
    [
        Happening.BIRTHDAY_16,
        Happening.BIRTHDAY_18,
        Happening.COMPETENCE_FOUND,
        Happening.CAPACITY_REGAINED,
        Happening.DEATH,
        Happening.EXPIRY,
        Happening.NEW_PURPOSE,
    ],
)
@pytest.mark.parametrize("state", [state for state in ConsentState if state is not ConsentState.GIVEN])
def test_nobody_is_asked_again_about_what_is_not_in_force(event: Happening, state: ConsentState) -> None:
    found = outcome(before(consent=state), Event(type=event))
    assert (found.consent, found.tasks) == (state, ())


def test_a_form_that_allows_no_more_than_the_old_one_asks_nobody() -> None:
    assert outcome(before(), Event(type=Happening.NEW_FORM_VERSION, widens=False)).tasks == ()


def test_a_wrong_recipient_is_recalled_and_assessed_as_a_breach() -> None:
    copies = (Copy(id="D1"), Copy(id="D2"))
    found = outcome(before(*copies), Event(type=Happening.WRONG_RECIPIENT, copy="D2"))
    assert (found.consent, found.image, found.recalls) == (ConsentState.GIVEN, ImageState.ACTIVE, ("D2",))
    assert tasks(found) == ["CONFIRM_RECALL:D2", "BREACH_ASSESSMENT:D2", "CANDOUR_CHECK:D2", "NOTIFY_IG:D2"]


def test_a_wrong_recipient_without_a_copy_named_means_every_copy() -> None:
    copies = (Copy(id="D1"), Copy(id="D2", kind="PUBLISHED"))
    found = outcome(before(*copies), Event(type=Happening.WRONG_RECIPIENT))
    assert (found.recalls, found.not_recallable) == (("D1",), ("D2",))


def test_a_picture_that_was_changed_on_the_way_is_shown_to_nobody_and_stays_on_the_device() -> None:
    found = outcome(before(), Event(type=Happening.DIGEST_MISMATCH))
    assert (found.image, tasks(found)) == (ImageState.QUARANTINED, ["NOTIFY_IG"])


@pytest.mark.parametrize("event", [Happening.PUBLISHED, Happening.KEY_DESTROYED])
def test_a_recall_that_comes_too_late_is_told_to_the_patient(event: Happening) -> None:
    copies = (Copy(id="D1", recall=Recall.OPEN), Copy(id="D2", recall=Recall.OPEN), Copy(id="D3"))
    assert tasks(outcome(before(*copies), Event(type=event, copy="D1"))) == ["TELL_PATIENT_NOT_RECALLABLE:D1"]
    assert outcome(before(*copies), Event(type=event, copy="D3")).tasks == ()


def test_a_confirmed_recall_asks_for_nothing_more() -> None:
    found = outcome(before(Copy(id="D1", recall=Recall.OPEN)), Event(type=Happening.RECALL_CONFIRMED, copy="D1"))
    assert (found.tasks, found.recalls, found.consent) == ((), (), ConsentState.GIVEN)


@pytest.mark.parametrize("event", Happening)
@pytest.mark.parametrize("image", [ImageState.DISPOSED, ImageState.DELETED_NOT_FILED, None])
def test_no_event_brings_back_a_picture_that_is_gone(event: Happening, image: ImageState | None) -> None:
    assert outcome(before(image=image), Event(type=event)).image is image
