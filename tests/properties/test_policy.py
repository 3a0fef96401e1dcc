"""What must hold of every decision, whatever the case."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dicomwrap.terms import (
    FORBIDDEN_AUDIENCES,
    SECONDARY_PURPOSES,
    Audience,
    Competence,
    ConsentLevel,
    ConsentState,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
)
from orthanc_plugin.policy.cases import answer
from orthanc_plugin.policy.citations import CITATIONS, Rule
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.explain import explain
from orthanc_plugin.policy.model import (
    Anonymisable,
    Authority,
    AuthorityType,
    BreakGlass,
    Capacity,
    Case,
    Consent,
    Content,
    Effect,
    Gillick,
    Giver,
    Image,
    ImageSource,
    ImageStatus,
    ImageType,
    MadeFor,
    Obligation,
    Patient,
    Recipient,
    Request,
    SecondaryUseRule,
    Switches,
)
from orthanc_plugin.policy.model import (
    Tests as ThreeTests,
)

AS_OF = date(2026, 11, 20)
# Few dates, around the request and the birthdays that matter, so that they meet often.
DAYS = st.sampled_from(
    [date(2008, 2, 29), date(2019, 1, 10), date(2025, 3, 1), date(2026, 11, 19), AS_OF, date(2026, 11, 21)]
)
EARLIER = st.sampled_from([date(2008, 2, 29), date(2019, 1, 10), date(2025, 3, 1), date(2026, 11, 19)])
BIRTHS = st.sampled_from(
    [date(1950, 1, 1), date(1980, 6, 15), date(2008, 2, 29), date(2008, 11, 20), date(2010, 11, 20), date(2016, 1, 1)]
)
WORDS = st.lists(st.sampled_from([*Purpose, *PurposeGroup]), max_size=3).map(tuple)
NAMES = st.sampled_from(["someone-1", "dr-quinn", ""])
AUDIENCES = st.one_of(st.just(tuple(Audience)), st.lists(st.sampled_from(list(Audience)), max_size=3).map(tuple))
FLAGS = st.booleans()

patients = st.builds(
    Patient,
    id=st.just("P1"),
    dob=st.none() | BIRTHS,
    death_date=st.none() | DAYS,
    capacity=st.sampled_from(Capacity),
    gillick=st.sampled_from(Gillick),
    national_data_opt_out=FLAGS,
)
images = st.builds(
    Image,
    id=st.just("IMG1"),
    type=st.sampled_from([ImageType.CLINICAL_PHOTO, ImageType.CLINICAL_PHOTO, ImageType.XRAY]),
    made_on=st.none() | DAYS | st.just(date(1994, 1, 1)),
    made_for=st.sampled_from(MadeFor),
    source=st.sampled_from(ImageSource),
    anonymisable=st.sampled_from(Anonymisable),
    intimate=FLAGS,
    covert=st.sampled_from([False, False, True]),
    familial=FLAGS,
    legacy=FLAGS,
    status=st.sampled_from([ImageStatus.ACTIVE, *ImageStatus]),
)
consents = st.builds(
    Consent,
    id=st.sampled_from(["C1", "C2", "C3"]),
    level=st.sampled_from(ConsentLevel),
    state=st.sampled_from([ConsentState.GIVEN, *ConsentState]),
    giver=st.builds(
        Giver, type=st.sampled_from(GiverType), id=NAMES, competent_at_decision=st.sampled_from(Competence)
    ),
    decided_on=DAYS,
    valid_from=DAYS,
    valid_to=st.none() | DAYS,
    withdrawn_on=st.none() | DAYS,
    withdrawn_purposes=st.none() | WORDS,
    purposes=WORDS,
    max_form=st.sampled_from(Form),
    audience=AUDIENCES,
    named_recipients=st.none() | st.lists(NAMES, max_size=2).map(tuple),
    named_publication=st.none() | NAMES,
    tests=st.none() | st.builds(ThreeTests, necessary=FLAGS, best_interests=FLAGS, no_less_restrictive=FLAGS),
    evidence=st.sampled_from([None, "SIGNED_FORM", "IMPLIED"]),
)
authorities = st.builds(
    Authority,
    type=st.sampled_from(AuthorityType),
    verified=FLAGS,
    covers_image=FLAGS,
    approved_by=st.none() | NAMES,
    requested_by=st.none() | NAMES,
    notify_prohibited=FLAGS,
)
requests = st.builds(
    Request,
    as_of=st.just(AS_OF),
    purpose=st.sampled_from([*(purpose.value for purpose in Purpose), "AI_TRAINING"]),
    recipient=st.builds(
        Recipient, type=st.sampled_from(Audience), id=NAMES, verified=FLAGS, approved_channel=st.just(True) | FLAGS
    ),
    identifiable=FLAGS,
    content=st.sampled_from(Content),
    break_glass=st.none() | st.builds(BreakGlass, reason=st.sampled_from(["", "bleeding"]), by_clinician=FLAGS),
)
switches = st.builds(Switches, anonymised_secondary_use_of_care_photographs=st.sampled_from(SecondaryUseRule))
cases = st.builds(
    Case,
    id=st.just("T-1"),
    patient=patients,
    image=images,
    consents=st.lists(consents, max_size=4).map(tuple),
    authorities=st.lists(authorities, max_size=3).map(tuple),
    switches=switches,
    request=requests,
)


@st.composite
def plausible(draw: st.DrawFn, purposes: list[Purpose], kinds: list[Audience]) -> Case:
    """A case that reaches the later rules often: an active photograph, and consents that speak of the use asked."""
    request = Request(
        as_of=AS_OF,
        purpose=draw(st.sampled_from(purposes)),
        recipient=Recipient(
            type=draw(st.sampled_from(kinds)),
            id=draw(st.sampled_from(["someone-1", "dr-quinn"])),
            verified=True,
            approved_channel=True,
        ),
        identifiable=draw(FLAGS),
        content=draw(st.sampled_from(Content)),
    )
    if request.purpose == Purpose.EMERGENCY_CARE:
        request = replace(request, break_glass=BreakGlass(reason="bleeding", by_clinician=True))
    given_for = [Purpose(request.purpose), Purpose(request.purpose), *PurposeGroup]
    statements = st.builds(
        Consent,
        id=st.sampled_from(["C1", "C2", "C3"]),
        level=st.sampled_from([ConsentLevel.IMAGE, ConsentLevel.PATIENT]),
        state=st.sampled_from(
            [ConsentState.GIVEN] * 4 + [ConsentState.REFUSED, ConsentState.WITHDRAWN, ConsentState.EXPIRED]
        ),
        giver=st.builds(
            Giver,
            type=st.sampled_from(
                [GiverType.PATIENT, GiverType.PATIENT, GiverType.PR_HOLDER, GiverType.PR_HOLDER, *GiverType]
            ),
            id=NAMES,
            competent_at_decision=st.sampled_from([Competence.YES, Competence.YES, *Competence]),
        ),
        decided_on=EARLIER,
        valid_from=st.just(date(2008, 2, 29)),
        valid_to=st.sampled_from([None, None, None, date(2026, 11, 19), AS_OF]),
        withdrawn_on=st.sampled_from([None, None, None, date(2026, 11, 19)]),
        withdrawn_purposes=st.sampled_from([None, (Purpose.PUBLICATION,)]),
        purposes=st.lists(st.sampled_from(given_for), min_size=1, max_size=2).map(tuple),
        max_form=st.sampled_from(Form),
        audience=st.just(tuple(Audience)),
        named_recipients=st.sampled_from([None, None, ("someone-1",)]),
        named_publication=st.sampled_from([None, "someone-1"]),
        tests=st.sampled_from([None, ThreeTests(necessary=True, best_interests=True, no_less_restrictive=True)]),
        evidence=st.just("SIGNED_FORM"),
    )
    return Case(
        id="T-2",
        patient=draw(patients),
        image=replace(
            draw(images),
            type=ImageType.CLINICAL_PHOTO,
            status=ImageStatus.ACTIVE,
            covert=False,
            anonymisable=draw(st.sampled_from([Anonymisable.YES, Anonymisable.YES, *Anonymisable])),
        ),
        consents=tuple(draw(st.lists(statements, max_size=3))),
        authorities=(),
        switches=draw(switches),
        request=request,
    )


# R9's cases, and everybody's.
secondary_cases = plausible(
    sorted(SECONDARY_PURPOSES), [Audience.TRUST_STUDENTS, Audience.RESEARCH_TEAM, Audience.JOURNAL, Audience.MEDIA]
)
plausible_cases = plausible(
    list(Purpose),
    [
        Audience.CARE_TEAM,
        Audience.CARE_TEAM,
        Audience.NAMED_COLLEAGUE,
        Audience.PR_HOLDER,
        Audience.EXECUTOR,
        Audience.PATIENT,
    ],
)
any_case = st.one_of(cases, secondary_cases, plausible_cases)


def own(statement: Consent) -> Consent:
    """Make ``statement`` the patient's own, competent and about this very picture."""
    giver = Giver(type=GiverType.PATIENT, id="P1", competent_at_decision=Competence.YES)
    return replace(statement, giver=giver, level=ConsentLevel.IMAGE)


@given(any_case)
@settings(max_examples=300)
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
@settings(max_examples=300)
def test_the_order_of_consents_does_not_matter(case: Case) -> None:
    turned = replace(case, consents=case.consents[::-1])
    first, second = decide(case), decide(turned)
    assert (first.effect, first.obligations) == (second.effect, second.obligations)


@given(any_case)
@settings(max_examples=300)
def test_a_refusal_never_opens_anything(case: Case) -> None:
    purpose = next((purpose for purpose in Purpose if purpose.value == case.request.purpose), None)
    assume(purpose is not None and not decide(case).permits)
    assert purpose is not None
    refusal = Consent(
        id="R1",
        level=ConsentLevel.IMAGE,
        state=ConsentState.REFUSED,
        giver=Giver(type=GiverType.PATIENT, id="P1"),
        decided_on=AS_OF,
        valid_from=AS_OF,
        purposes=(purpose,),
        max_form=Form.IDENTIFIABLE,
        audience=tuple(Audience),
    )
    assert not decide(replace(case, consents=(*case.consents, refusal))).permits


@given(secondary_cases)
@settings(max_examples=300)
def test_todays_refusal_closes_secondary_use(case: Case) -> None:
    refusal = Consent(
        id="R1",
        level=ConsentLevel.IMAGE,
        state=ConsentState.REFUSED,
        giver=Giver(type=GiverType.PATIENT, id="P1"),
        decided_on=AS_OF,
        valid_from=AS_OF,
        purposes=(Purpose(case.request.purpose),),
        max_form=Form.IDENTIFIABLE,
        audience=(),
    )
    assert decide(replace(case, consents=(*case.consents, refusal))).effect is Effect.DENY


@given(secondary_cases)
def test_without_any_consent_no_photograph_is_shown_identifiable(case: Case) -> None:
    assert decide(replace(case, consents=())).effect is not Effect.PERMIT_IDENTIFIABLE


@given(secondary_cases)
@settings(max_examples=300)
def test_consents_to_anonymised_use_never_give_an_identifiable_photograph(case: Case) -> None:
    limited = tuple(replace(consent, max_form=Form.ANONYMISED) for consent in case.consents)
    assert decide(replace(case, consents=limited)).effect is not Effect.PERMIT_IDENTIFIABLE


@given(secondary_cases)
@settings(max_examples=300)
def test_whoever_asks_for_an_anonymised_photograph_never_gets_another(case: Case) -> None:
    asked = replace(case, request=replace(case.request, identifiable=False))
    decision = decide(asked)
    assert decision.effect is not Effect.PERMIT_IDENTIFIABLE
    if decision.permits:
        assert {Obligation.ANONYMISE, Obligation.VERIFY_RESIDUAL_ID, Obligation.RECORD_DISCLOSURE} <= set(
            decision.obligations
        )
        assert case.image.anonymisable is Anonymisable.YES


@given(secondary_cases, st.sampled_from([date(2025, 3, 1), date(2026, 11, 19), AS_OF]), FLAGS)
@settings(max_examples=300)
def test_after_a_withdrawal_the_purpose_stays_closed(case: Case, on: date, stored: bool) -> None:
    purpose = Purpose(case.request.purpose)
    withdrawn = tuple(
        replace(
            own(consent),
            state=ConsentState.WITHDRAWN if stored else ConsentState.GIVEN,
            purposes=(purpose,),
            withdrawn_on=on,
            withdrawn_purposes=None,
        )
        for consent in case.consents
    )
    assume(withdrawn)
    assert decide(replace(case, consents=withdrawn)).effect is Effect.DENY


@given(any_case, st.sampled_from(sorted(FORBIDDEN_AUDIENCES)))
def test_nothing_goes_to_a_forbidden_destination(case: Case, kind: Audience) -> None:
    recipient = replace(case.request.recipient, type=kind)
    assert decide(replace(case, request=replace(case.request, recipient=recipient))).effect is Effect.DENY


@given(any_case)
def test_nothing_goes_by_an_unapproved_channel(case: Case) -> None:
    recipient = replace(case.request.recipient, approved_channel=False)
    assert decide(replace(case, request=replace(case.request, recipient=recipient))).effect is Effect.DENY


@given(any_case, st.sampled_from([ImageStatus.QUARANTINED, ImageStatus.DISPOSED]))
def test_nothing_in_quarantine_or_destroyed_is_given(case: Case, status: ImageStatus) -> None:
    assert decide(replace(case, image=replace(case.image, status=status))).effect is Effect.DENY


@given(any_case, st.text(max_size=12))
def test_an_unknown_purpose_is_never_served(case: Case, purpose: str) -> None:
    assume(purpose not in list(Purpose))
    assert decide(replace(case, request=replace(case.request, purpose=purpose))).effect is Effect.DENY


@given(any_case)
@settings(max_examples=500)
def test_an_unknown_birth_date_opens_nothing_that_some_age_would_close(case: Case) -> None:
    unknown = replace(case, patient=replace(case.patient, dob=None))
    if not decide(unknown).permits:
        return
    for dob in (date(2016, 1, 1), date(2012, 1, 1), date(2010, 11, 20), date(2008, 11, 20), date(1980, 6, 15)):
        assert decide(replace(case, patient=replace(case.patient, dob=dob))).permits


@given(any_case)
@settings(max_examples=300)
def test_an_intimate_photograph_of_a_child_never_leaves_care(case: Case) -> None:
    child = replace(
        case,
        patient=replace(case.patient, dob=date(2010, 1, 1)),
        image=replace(case.image, type=ImageType.CLINICAL_PHOTO, intimate=True, made_on=date(2025, 3, 1)),
    )
    own_audit = case.request.purpose == Purpose.LOCAL_AUDIT and case.request.recipient.type is Audience.CARE_TEAM
    if case.request.purpose in SECONDARY_PURPOSES and not own_audit:
        assert decide(child).effect is Effect.DENY
