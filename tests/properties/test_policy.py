"""What must hold of every decision, whatever the case."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dicomwrap.terms import (
    FORBIDDEN_AUDIENCES,
    SECONDARY_PURPOSES,
    Audience,
    ConsentLevel,
    ConsentState,
    Form,
    GiverType,
    Purpose,
)
from orthanc_plugin.policy.cases import answer
from orthanc_plugin.policy.citations import CITATIONS, Rule
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.explain import explain
from orthanc_plugin.policy.model import (
    Anonymisable,
    Case,
    Consent,
    Content,
    Effect,
    Giver,
    ImageStatus,
    ImageType,
    Obligation,
    Others,
)
from orthanc_plugin.policy.others import ANEW
from tests.properties.policy_cases import AS_OF, any_case, secondary_cases

# The usual number, or more where a profile asks for more.
OFTEN = settings(max_examples=max(300, settings().max_examples))


@given(any_case)
@OFTEN
def test_every_case_has_one_decision_with_reasons_rules_and_guidance(case: Case) -> None:
    decision = decide(case)
    assert decision == decide(case)
    assert decision.reasons
    assert decision.rules
    assert all(reason.endswith(".") for reason in decision.reasons)
    assert decision.citations == tuple(CITATIONS[Rule(rule)] for rule in decision.rules)
    assert list(decision.obligations) == sorted(set(decision.obligations))
    assert set(decision.consents) <= {consent.id for consent in case.consents}
    assert explain(decision, case)
    assert answer(case.id, decision)["decision"] == decision.effect


@given(any_case)
@OFTEN
def test_the_order_of_consents_does_not_matter(case: Case) -> None:
    answer_given = decide(case)
    for turned in permutations(case.consents):
        assert decide(replace(case, consents=turned)) == answer_given


def refused_today(purpose: Purpose) -> Consent:
    """A refusal by the patient."""
    return Consent(
        id="R1",
        level=ConsentLevel.IMAGE,
        state=ConsentState.REFUSED,
        giver=Giver(type=GiverType.PATIENT, id="P1"),
        decided_on=AS_OF,
        valid_from=AS_OF,
        purposes=(purpose,),
        max_form=Form.IDENTIFIABLE,
        audience=(),
    )


@given(any_case)
@OFTEN
def test_a_refusal_never_opens_anything(case: Case) -> None:
    purpose = next((purpose for purpose in Purpose if purpose.value == case.request.purpose), None)
    assume(purpose is not None and not decide(case).permits)
    assert purpose is not None
    assert not decide(replace(case, consents=(*case.consents, refused_today(purpose)))).permits


@given(secondary_cases)
@OFTEN
def test_todays_refusal_closes_secondary_use(case: Case) -> None:
    refusal = refused_today(Purpose(case.request.purpose))
    assert decide(replace(case, consents=(*case.consents, refusal))).effect is Effect.DENY


@given(secondary_cases)
def test_without_any_consent_no_photograph_is_shown_identifiable(case: Case) -> None:
    assert decide(replace(case, consents=())).effect is not Effect.PERMIT_IDENTIFIABLE


@given(secondary_cases)
@OFTEN
def test_consents_to_anonymised_use_never_give_an_identifiable_photograph(case: Case) -> None:
    limited = tuple(replace(consent, max_form=Form.ANONYMISED) for consent in case.consents)
    assert decide(replace(case, consents=limited)).effect is not Effect.PERMIT_IDENTIFIABLE


@given(secondary_cases)
@OFTEN
def test_whoever_asks_for_an_anonymised_photograph_never_gets_another(case: Case) -> None:
    asked = replace(case, request=replace(case.request, identifiable=False))
    decision = decide(asked)
    assert decision.effect is not Effect.PERMIT_IDENTIFIABLE
    if decision.permits:
        assert {Obligation.ANONYMISE, Obligation.VERIFY_RESIDUAL_ID, Obligation.RECORD_DISCLOSURE} <= set(
            decision.obligations
        )
        assert case.image.anonymisable is Anonymisable.YES


@given(any_case, st.sampled_from(sorted(FORBIDDEN_AUDIENCES)))
def test_nothing_goes_to_a_forbidden_destination(case: Case, kind: Audience) -> None:
    recipient = replace(case.request.recipient, type=kind)
    assert decide(replace(case, request=replace(case.request, recipient=recipient))).effect is Effect.DENY


@given(any_case)
def test_nothing_goes_by_an_unapproved_channel(case: Case) -> None:
    recipient = replace(case.request.recipient, approved_channel=False)
    assert decide(replace(case, request=replace(case.request, recipient=recipient))).effect is Effect.DENY


@given(any_case, st.sampled_from([ImageStatus.QUARANTINED, ImageStatus.REJECTED, ImageStatus.DISPOSED]))
def test_nothing_in_quarantine_rejected_or_destroyed_is_given(case: Case, status: ImageStatus) -> None:
    assert decide(replace(case, image=replace(case.image, status=status))).effect is Effect.DENY


@given(any_case, st.text(max_size=12))
def test_an_unknown_purpose_is_never_served(case: Case, purpose: str) -> None:
    assume(purpose not in list(Purpose))
    assert decide(replace(case, request=replace(case.request, purpose=purpose))).effect is Effect.DENY


@given(any_case, st.sampled_from(Others))
@OFTEN
def test_whatever_is_said_of_other_people_opens_nothing(case: Case, said: Others) -> None:
    silent = decide(replace(case, image=replace(case.image, others=None)))
    found = decide(replace(case, image=replace(case.image, others=said)))
    assert found.effect in (silent.effect, Effect.NEEDS_REVIEW)
    assert set(silent.obligations) <= set(found.obligations)
    if not silent.permits or silent.effect is Effect.PERMIT_ANONYMISED:
        assert replace(found, reasons=silent.reasons) == silent
        told = [here for here, before in zip(found.reasons, silent.reasons, strict=True) if here != before]
        agreed = said in (Others.HIDDEN, Others.CHANGING) and case.image.anonymisable is Anonymisable.UNKNOWN
        assert agreed or not told
        assert all(ANEW in each for each in told)


@given(any_case, st.sampled_from([Others.HIDDEN, Others.CHANGING]))
@OFTEN
def test_whom_two_persons_have_hidden_is_hidden_whenever_the_picture_is_given(case: Case, said: Others) -> None:
    found = decide(replace(case, image=replace(case.image, others=said)))
    if found.effect is Effect.PERMIT_IDENTIFIABLE and case.request.content is Content.PIXELS:
        assert Obligation.REDACT_THIRD_PARTIES in found.obligations


@given(any_case)
@OFTEN
def test_an_unknown_birth_date_opens_nothing_that_some_age_would_close(case: Case) -> None:
    unknown = replace(case, patient=replace(case.patient, dob=None))
    if not decide(unknown).permits:
        return
    for dob in (date(2016, 1, 1), date(2012, 1, 1), date(2010, 11, 20), date(2008, 11, 20), date(1980, 6, 15)):
        assert decide(replace(case, patient=replace(case.patient, dob=dob))).permits


@given(any_case)
@OFTEN
def test_an_intimate_photograph_of_a_child_never_leaves_care(case: Case) -> None:
    child = replace(
        case,
        patient=replace(case.patient, dob=date(2010, 1, 1)),
        image=replace(case.image, type=ImageType.CLINICAL_PHOTO, intimate=True, made_on=date(2025, 3, 1)),
    )
    own_audit = case.request.purpose == Purpose.LOCAL_AUDIT and case.request.recipient.type is Audience.CARE_TEAM
    if case.request.purpose in SECONDARY_PURPOSES and not own_audit:
        assert decide(child).effect is Effect.DENY
