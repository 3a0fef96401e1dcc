"""Strategies for decision cases: patients, pictures, consents and requests of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import strategies as st

from dicomwrap.terms import (
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
from orthanc_plugin.policy.model import (
    Anonymisable,
    Authority,
    AuthorityType,
    BreakGlass,
    Capacity,
    Case,
    Consent,
    Content,
    Gillick,
    Giver,
    Image,
    ImageSource,
    ImageStatus,
    ImageType,
    MadeFor,
    Others,
    Patient,
    Recipient,
    Request,
    SecondaryUseRule,
    Switches,
    WithdrawnPurpose,
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
    type=st.just(ImageType.CLINICAL_PHOTO) | st.sampled_from(ImageType),
    made_on=st.none() | DAYS | st.just(date(1994, 1, 1)),
    made_for=st.sampled_from(MadeFor),
    source=st.sampled_from(ImageSource),
    anonymisable=st.sampled_from(Anonymisable),
    intimate=FLAGS,
    covert=st.sampled_from([False, False, True]),
    familial=FLAGS,
    legacy=FLAGS,
    status=st.sampled_from([ImageStatus.ACTIVE, *ImageStatus]),
    others=st.sampled_from([None, None, None, *Others]),
)
withdrawn_purposes = st.builds(WithdrawnPurpose, purpose=st.sampled_from([*Purpose, *PurposeGroup]), on=DAYS)
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
    withdrawn=st.lists(withdrawn_purposes, max_size=3).map(tuple),
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


def one_withdrawn(purpose: Purpose | PurposeGroup, on: date) -> tuple[WithdrawnPurpose, ...]:
    return (WithdrawnPurpose(purpose=purpose, on=on), WithdrawnPurpose(purpose=Purpose.PUBLICATION, on=AS_OF))


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
        withdrawn=st.just(()) | st.just(()) | st.builds(one_withdrawn, st.sampled_from(given_for), EARLIER),
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
