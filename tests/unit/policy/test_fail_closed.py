"""R0: what is denied before anything else is looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomwrap.terms import FORBIDDEN_AUDIENCES, Audience, Purpose
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import AuthorityType, Effect, ImageStatus, Obligation
from tests.unit.policy.building import PHOTO, authority, case, consent, request


@pytest.mark.parametrize("purpose", ["", "teaching", "AI_TRAINING", "ALL", "ALL_SECONDARY"])
def test_a_purpose_nobody_knows_is_denied(purpose: str) -> None:
    decision = decide(case(consent(*Purpose), asked=request(purpose)))
    assert decision.effect is Effect.DENY
    assert "R0.purpose" in decision.rules


@pytest.mark.parametrize("kind", sorted(FORBIDDEN_AUDIENCES))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_no_consent_opens_a_forbidden_destination(kind: Audience, purpose: Purpose) -> None:
    decision = decide(case(consent(*Purpose), asked=request(purpose, kind)))
    assert decision.effect is Effect.DENY
    assert Obligation.NOTIFY_IG in decision.obligations


def test_an_unapproved_way_of_sending_is_denied_and_told_to_governance() -> None:
    decision = decide(case(consent(*Purpose), asked=request(Purpose.SECOND_OPINION, approved=False)))
    assert (decision.effect, decision.obligations) == (Effect.DENY, (Obligation.NOTIFY_IG,))


def test_a_court_order_finds_only_the_certificate_of_a_destroyed_picture() -> None:
    gone = replace(PHOTO, status=ImageStatus.DISPOSED)
    order = authority(AuthorityType.COURT_ORDER)
    decision = decide(case(image=gone, authorities=(order,), asked=request(Purpose.LEGAL_DISCLOSURE)))
    assert (decision.effect, decision.obligations) == (Effect.DENY, (Obligation.PROVIDE_DESTRUCTION_CERTIFICATE,))


def test_a_picture_in_quarantine_goes_to_nobody() -> None:
    doubtful = replace(PHOTO, status=ImageStatus.QUARANTINED)
    decision = decide(case(consent(*Purpose), image=doubtful, asked=request(Purpose.DIRECT_CARE)))
    assert (decision.effect, decision.obligations) == (Effect.DENY, (Obligation.RECONCILE_IDENTITY,))


def test_every_objection_is_told_at_once() -> None:
    doubtful = replace(PHOTO, status=ImageStatus.QUARANTINED)
    decision = decide(case(image=doubtful, asked=request(Purpose.TEACHING, Audience.SOCIAL_MEDIA, approved=False)))
    assert decision.rules == ("R0.destination", "R0.channel", "R0.quarantined")
    assert len(decision.reasons) == len(decision.citations) == len(decision.rules)


@pytest.mark.parametrize("status", [ImageStatus.CAPTURING, ImageStatus.AWAITING_PATIENT_APPROVAL])
def test_a_picture_the_patient_has_not_approved_stays_with_the_team(status: ImageStatus) -> None:
    fresh = replace(PHOTO, status=status)
    agreed = consent(Purpose.DIRECT_CARE, Purpose.TEACHING)
    assert decide(case(agreed, image=fresh)).effect is Effect.DENY
    assert decide(case(agreed, image=fresh, asked=request(Purpose.DIRECT_CARE))).permits


def test_a_permit_to_an_unproven_recipient_waits_for_proof() -> None:
    decision = decide(case(consent(Purpose.TEACHING), asked=request(verified=False)))
    assert decision.effect is Effect.NEEDS_REVIEW
    assert Obligation.VERIFY_IDENTITY in decision.obligations


@pytest.mark.parametrize(
    ("purpose", "kind", "secure"),
    [
        (Purpose.DIRECT_CARE, Audience.CARE_TEAM, False),
        (Purpose.TEACHING, Audience.TRUST_STUDENTS, False),
        (Purpose.SECOND_OPINION, Audience.TRUST_CLINICIAN, False),
        (Purpose.SECOND_OPINION, Audience.PARTNER_ORG_CLINICIAN, True),
        (Purpose.TEACHING, Audience.EXTERNAL_AUDIENCE, True),
        (Purpose.RESEARCH, Audience.RESEARCH_TEAM, True),
    ],
)
def test_what_leaves_the_trust_is_sent_securely_and_recorded(purpose: Purpose, kind: Audience, secure: bool) -> None:
    decision = decide(case(consent(purpose), asked=request(purpose, kind)))
    assert decision.permits
    assert (Obligation.SECURE_CHANNEL in decision.obligations) is secure
    assert not secure or Obligation.RECORD_DISCLOSURE in decision.obligations
