"""Cases for tests: an adult, an ordinary photograph, and a request for teaching, each changed by keyword."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from dicomwrap.terms import Audience, Competence, ConsentLevel, ConsentState, Form, GiverType, Purpose, PurposeGroup
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
    ImageType,
    Patient,
    Recipient,
    Request,
    SecondaryUseRule,
    Switches,
    Tests,
    WithdrawnPurpose,
)

TODAY = date(2026, 11, 20)
ADULT = Patient(id="P1", dob=date(1980, 6, 15))
CHILD = Patient(id="P1", dob=date(2016, 3, 1), capacity=Capacity.NA, gillick=Gillick.NOT_COMPETENT)
COMPETENT_CHILD = Patient(id="P1", dob=date(2012, 3, 1), capacity=Capacity.NA, gillick=Gillick.COMPETENT)
UNABLE = Patient(id="P1", dob=date(1980, 6, 15), capacity=Capacity.LACKS)
DEAD = Patient(id="P1", dob=date(1950, 1, 1), death_date=date(2026, 2, 2))
AGE_UNKNOWN = Patient(id="P1", dob=None)

PHOTO = Image(
    id="IMG1", type=ImageType.CLINICAL_PHOTO, made_on=date(2025, 3, 1), anonymisable=Anonymisable.YES, shows=("SKIN",)
)
XRAY = replace(PHOTO, type=ImageType.XRAY)
INTIMATE = replace(PHOTO, intimate=True)
PASSED = Tests(necessary=True, best_interests=True, no_less_restrictive=True)
GMC17 = Switches(anonymised_secondary_use_of_care_photographs=SecondaryUseRule.GMC17)

USUAL_RECIPIENTS = {
    Purpose.DIRECT_CARE: Audience.CARE_TEAM,
    Purpose.SECOND_OPINION: Audience.NAMED_COLLEAGUE,
    Purpose.EMERGENCY_CARE: Audience.TRUST_CLINICIAN,
    Purpose.LOCAL_AUDIT: Audience.CARE_TEAM,
    Purpose.TEACHING: Audience.TRUST_STUDENTS,
    Purpose.RESEARCH: Audience.RESEARCH_TEAM,
    Purpose.PUBLICATION: Audience.JOURNAL,
    Purpose.PUBLIC_MEDIA: Audience.MEDIA,
    Purpose.SUBJECT_ACCESS: Audience.PATIENT,
    Purpose.LEGAL_DISCLOSURE: Audience.COURT,
    Purpose.PUBLIC_INTEREST: Audience.POLICE,
    Purpose.RECORDS_MANAGEMENT: Audience.RECORDS_OFFICER,
}


def request(
    purpose: Purpose | str = Purpose.TEACHING,
    to: Audience | None = None,
    *,
    anonymised: bool = False,
    recipient_id: str = "someone-1",
    verified: bool = True,
    approved: bool = True,
    as_of: date = TODAY,
    content: Content = Content.PIXELS,
    break_glass: BreakGlass | None = None,
) -> Request:
    """Return a request; the recipient is the usual one of the purpose."""
    kind = to if to is not None else USUAL_RECIPIENTS.get(Purpose(purpose)) if purpose in list(Purpose) else None
    return Request(
        as_of=as_of,
        purpose=str(purpose),
        recipient=Recipient(
            type=kind or Audience.CARE_TEAM, id=recipient_id, verified=verified, approved_channel=approved
        ),
        identifiable=not anonymised,
        content=content,
        break_glass=break_glass,
    )


def consent(
    *purposes: Purpose | PurposeGroup,
    by: GiverType = GiverType.PATIENT,
    giver_id: str = "",
    state: ConsentState = ConsentState.GIVEN,
    level: ConsentLevel = ConsentLevel.IMAGE,
    on: date = date(2025, 3, 1),
    valid_from: date | None = None,
    until: date | None = None,
    withdrawn: tuple[WithdrawnPurpose, ...] = (),
    form: Form = Form.IDENTIFIABLE,
    audience: tuple[Audience, ...] = tuple(Audience),
    recipients: tuple[str, ...] | None = None,
    publication: str | None = None,
    tests: Tests | None = None,
    competence: Competence = Competence.YES,
    evidence: str | None = "SIGNED_FORM",
    id: str = "C1",  # noqa: A002 - the model's own word
) -> Consent:
    """Return a consent given for this picture, to any audience, by the patient."""
    return Consent(
        id=id,
        level=level,
        state=state,
        giver=Giver(type=by, id=giver_id or f"{by}-1", competent_at_decision=competence),
        decided_on=on,
        valid_from=valid_from or on,
        valid_to=until,
        withdrawn=withdrawn,
        purposes=purposes or (Purpose.TEACHING,),
        max_form=form,
        audience=audience,
        named_recipients=recipients,
        named_publication=publication,
        tests=tests,
        evidence=evidence,
    )


def gone(on: date, *purposes: Purpose | PurposeGroup) -> tuple[WithdrawnPurpose, ...]:
    """Return what was withdrawn on one day."""
    return tuple(WithdrawnPurpose(purpose=purpose, on=on) for purpose in purposes)


def refusal(*purposes: Purpose | PurposeGroup, by: GiverType = GiverType.PATIENT, **changes: object) -> Consent:
    """Return a refusal."""
    return replace(consent(*purposes, by=by, state=ConsentState.REFUSED, id="R1"), **changes)  # type: ignore[arg-type]


def authority(
    kind: AuthorityType,
    *,
    verified: bool = True,
    covers: bool = True,
    approved_by: str | None = "approver-1",
    requested_by: str | None = "requester-1",
    silent: bool = False,
) -> Authority:
    """Return a verified authority that covers the picture."""
    return Authority(
        type=kind,
        verified=verified,
        covers_image=covers,
        approved_by=approved_by,
        requested_by=requested_by,
        notify_prohibited=silent,
    )


def case(
    *consents: Consent,
    asked: Request | None = None,
    patient: Patient = ADULT,
    image: Image = PHOTO,
    authorities: tuple[Authority, ...] = (),
    switches: Switches | None = None,
) -> Case:
    """Return a case; by default students ask for an adult's photograph, identifiable, for teaching."""
    return Case(
        id="T-1",
        patient=patient,
        image=image,
        consents=consents,
        authorities=authorities,
        switches=switches or Switches(),
        request=asked or request(),
    )
