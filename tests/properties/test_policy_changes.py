"""What must hold between two decisions: one rule, one grant, one denial or one day apart.

In a first-applicable design (XACML 3.0) a rule that is put in front may permit what a later one would deny: no property
of ``decide`` can forbid that. What does hold: a rule that denies opens nothing wherever it is put, and a rule that
permits can reach neither what the rules before it have decided nor, at the end, anything at all.

Nor does a consent only ever open: the later and narrower one limits the earlier (R6), and one that is due for renewal
keeps a picture back that nobody's consent at all would give anonymised (2.7, x-ray class, GMC17). A grant is therefore
a consent on which, alone, the picture would be given.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dicomwrap.terms import Audience, Competence, ConsentLevel, ConsentState, Form, GiverType, Purpose, PurposeGroup
from orthanc_plugin.policy.answers import deny, permit
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.decide import RULES, DecisionRule, decide, first_applicable
from orthanc_plugin.policy.model import Case, Consent, Decision, Effect, Giver, Obligation, WithdrawnPurpose
from tests.properties.policy_cases import AS_OF, FLAGS, any_case, plausible, secondary_cases

OFTEN = settings(max_examples=max(300, settings().max_examples))
PLACES = st.integers(min_value=0, max_value=len(RULES))
DAYS = st.dates(date(2008, 3, 1), AS_OF)
care_cases = plausible(
    [Purpose.DIRECT_CARE, Purpose.SECOND_OPINION, Purpose.LOCAL_AUDIT], [Audience.CARE_TEAM, Audience.NAMED_COLLEAGUE]
)


def with_rule(place: int, rule: DecisionRule) -> tuple[DecisionRule, ...]:
    return (*RULES[:place], rule, *RULES[place:])


def denying(some: frozenset[str]) -> DecisionRule:
    """A rule that denies these purposes, and has nothing to say of others."""

    def rule(case: Case) -> Decision | None:
        return deny(Rule.NO_RULE, "A new rule denies this.") if case.request.purpose in some else None

    return rule


def permitting(_case: Case) -> Decision:
    return permit(Rule.CONSENTED, "A new rule permits everything.")


@given(any_case, PLACES, st.frozensets(st.sampled_from([purpose.value for purpose in Purpose])))
@OFTEN
def test_adding_a_rule_that_denies_never_opens_anything(case: Case, place: int, some: frozenset[str]) -> None:
    before, after = decide(case), first_applicable(with_rule(place, denying(some)), case)
    assert after == before or after.effect is Effect.DENY


@given(any_case, PLACES)
@OFTEN
def test_a_rule_that_permits_changes_nothing_that_was_decided_before_it(case: Case, place: int) -> None:
    decided = any(rule(case) is not None for rule in RULES[:place])
    after = first_applicable(with_rule(place, permitting), case)
    assert after == decide(case) if decided else "A new rule permits everything." in after.reasons


@given(any_case)
@OFTEN
def test_a_rule_at_the_end_changes_nothing(case: Case) -> None:
    assert first_applicable((*RULES, permitting), case) == decide(case)


@given(st.one_of(any_case, secondary_cases, care_cases))
@OFTEN
def test_taking_a_grant_away_never_turns_a_denial_into_a_permit(case: Case) -> None:
    assume(not decide(case).permits)
    for place, grant in enumerate(case.consents):
        if decide(replace(case, consents=(grant,))).permits:
            left = case.consents[:place] + case.consents[place + 1 :]
            assert not decide(replace(case, consents=left)).permits


def said_no(case: Case, on: date, level: ConsentLevel, *words: Purpose | PurposeGroup) -> Consent:
    """The patient's refusal of the use asked about."""
    return Consent(
        id="R1",
        level=level,
        state=ConsentState.REFUSED,
        giver=Giver(type=GiverType.PATIENT, id="P1", competent_at_decision=Competence.NO),
        decided_on=on,
        valid_from=on,
        purposes=words or (Purpose(case.request.purpose),),
        max_form=Form.IDENTIFIABLE,
        audience=(),
    )


@given(st.one_of(secondary_cases, care_cases), DAYS, st.sampled_from(ConsentLevel), FLAGS)
@OFTEN
def test_any_denial_by_the_patient_beats_any_proxy(case: Case, on: date, level: ConsentLevel, group: bool) -> None:
    proxies = tuple(consent for consent in case.consents if consent.giver.type is not GiverType.PATIENT)
    refusal = said_no(case, on, level, *((PurposeGroup.ALL,) if group else ()))
    decision = decide(replace(case, consents=(*proxies, refusal)))
    assert decision.effect is Effect.DENY or Obligation.SAFEGUARDING_REVIEW in decision.obligations


@given(st.one_of(secondary_cases, care_cases), DAYS, st.integers(min_value=0, max_value=40_000), FLAGS)
@OFTEN
def test_a_withdrawal_denies_on_its_day_and_on_every_later_one(case: Case, on: date, days: int, stored: bool) -> None:
    purpose = Purpose(case.request.purpose)
    withdrawn = tuple(
        replace(
            consent,
            state=ConsentState.WITHDRAWN if stored else ConsentState.GIVEN,
            giver=Giver(type=GiverType.PATIENT, id="P1", competent_at_decision=Competence.YES),
            level=ConsentLevel.IMAGE,
            purposes=(purpose,),
            decided_on=min(consent.decided_on, on),
            withdrawn=(WithdrawnPurpose(purpose=purpose, on=on),),
        )
        for consent in case.consents
    )
    assume(withdrawn)
    later = replace(case.request, as_of=on + timedelta(days=days))
    decision = decide(replace(case, consents=withdrawn, request=later))
    assert decision.effect is Effect.DENY or Obligation.SAFEGUARDING_REVIEW in decision.obligations
