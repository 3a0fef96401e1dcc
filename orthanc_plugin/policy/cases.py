"""Cases as JSON: read one, and write the answer to it.

Knows the case format of requirements 2.8. Must not decide. Reading is strict about types and words and tells every
problem at once; it leaves two things to the decision, which denies them (R0): an unknown purpose, and a recipient of
an unknown type, read as ``UNKNOWN_AE``. Fields it doesn't know (``expected``, ``description``, ``source``) it ignores;
``giver.has_pr`` and ``image.others`` alone may be left out. A consent has one day for what is withdrawn of it, or
``withdrawn``, a day for each purpose.
"""

from __future__ import annotations

from datetime import date

from dicomwrap.terms import Audience, Competence, ConsentLevel, ConsentState, Form, GiverType, Purpose, PurposeGroup
from orthanc_plugin.policy.casefields import AUDIENCE_NAMES, CaseError, Fields
from orthanc_plugin.policy.model import (
    Anonymisable,
    Authority,
    AuthorityType,
    BreakGlass,
    Capacity,
    Case,
    Consent,
    Content,
    Decision,
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
    Tests,
    WithdrawnPurpose,
)


def parse_case(value: object, place: str = "case") -> Case:
    """Return the case that ``value`` (decoded JSON, requirements 2.8) describes.

    Args:
        value: one object of the case format; every field is written out, nothing is defaulted.
        place: how problems name the object, such as ``cases[3]``.

    Raises:
        CaseError: something is missing or is not what it should be; every problem is told.
    """
    problems: list[str] = []
    fields = Fields(value, place, problems)
    request = _request(fields.child("request"))
    case = Case(
        id=fields.text("id"),
        patient=_patient(fields.child("patient")),
        image=_image(fields.child("image")),
        consents=tuple(_consent(each, request.as_of) for each in fields.children("consents")),
        authorities=tuple(_authority(each) for each in fields.children("authorities")),
        switches=_switches(fields.child("policy")),
        request=request,
    )
    if problems:
        raise CaseError(tuple(problems))
    return case


def answer(case_id: str, decision: Decision) -> dict[str, str | list[str]]:
    """Return the answer to one case, ready for JSON: id, decision, obligations, reasons, rules."""
    return {
        "id": case_id,
        "decision": decision.effect.value,
        "obligations": [obligation.value for obligation in decision.obligations],
        "reasons": list(decision.reasons),
        "rules": list(decision.rules),
    }


def _patient(fields: Fields) -> Patient:
    return Patient(
        id=fields.text("id"),
        dob=fields.day_or_none("dob"),
        death_date=fields.day_or_none("death_date"),
        capacity=fields.word("capacity", Capacity),
        gillick=fields.word("gillick", Gillick),
        national_data_opt_out=fields.flag("national_data_opt_out"),
    )


def _image(fields: Fields) -> Image:
    return Image(
        id=fields.text("id"),
        type=fields.word("type", ImageType),
        made_on=fields.day_or_none("made_on"),
        made_for=fields.word("made_for", MadeFor),
        source=fields.word("source", ImageSource),
        shows=fields.texts("shows"),
        anonymisable=fields.word("anonymisable", Anonymisable),
        intimate=fields.flag("intimate"),
        covert=fields.flag("covert"),
        familial=fields.flag("familial"),
        legacy=fields.flag("legacy"),
        status=fields.word("status", ImageStatus),
        others=None if fields.absent("others") else fields.word("others", Others),
    )


def _consent(fields: Fields, as_of: date) -> Consent:
    giver, state, purposes = fields.child("giver"), fields.word("state", ConsentState), fields.purposes("purposes")
    return Consent(
        id=fields.text("id"),
        level=fields.word("level", ConsentLevel),
        state=state,
        giver=Giver(
            type=giver.word("type", GiverType),
            id=giver.text("id"),
            competent_at_decision=giver.word("competent_at_decision", Competence),
            has_pr=None if giver.absent("has_pr") else giver.flag("has_pr"),
        ),
        decided_on=fields.day("decided_on"),
        valid_from=fields.day("valid_from"),
        valid_to=fields.day_or_none("valid_to"),
        withdrawn=_withdrawn(fields, state, purposes, as_of),
        purposes=purposes,
        max_form=fields.word("max_form", Form),
        audience=fields.audience("audience"),
        named_recipients=fields.texts_or_none("named_recipients"),
        named_publication=fields.text_or_none("named_publication"),
        tests=_tests(fields.child_or_none("tests")),
        evidence=fields.text_or_none("evidence"),
    )


def _withdrawn(
    fields: Fields, state: ConsentState, purposes: tuple[Purpose | PurposeGroup, ...], as_of: date
) -> tuple[WithdrawnPurpose, ...]:
    """Read what was withdrawn. On one day: no purposes named means all, but of a consent that was replaced, none."""
    if not fields.absent("withdrawn"):
        each = fields.children("withdrawn")
        return tuple(WithdrawnPurpose(purpose=one.purpose("purpose"), on=one.day("on")) for one in each)
    on = fields.day_or_none("withdrawn_on")
    named = () if fields.none("withdrawn_purposes") else fields.purposes("withdrawn_purposes")
    whole = () if state is ConsentState.SUPERSEDED else purposes
    if on is None and state not in (ConsentState.WITHDRAWN, ConsentState.SUPERSEDED):
        return ()  # what is still in force is withdrawn from the day it bears
    return tuple(WithdrawnPurpose(purpose=word, on=on or as_of) for word in named or whole)


def _tests(fields: Fields | None) -> Tests | None:
    if fields is None:
        return None
    return Tests(
        necessary=fields.flag("necessary"),
        best_interests=fields.flag("best_interests"),
        no_less_restrictive=fields.flag("no_less_restrictive"),
    )


def _authority(fields: Fields) -> Authority:
    return Authority(
        type=fields.word("type", AuthorityType),
        verified=fields.flag("verified"),
        covers_image=fields.flag("covers_image"),
        approved_by=fields.text_or_none("approved_by"),
        requested_by=fields.text_or_none("requested_by"),
        notify_prohibited=fields.flag("notify_prohibited"),
    )


def _switches(fields: Fields) -> Switches:
    name = "anonymised_secondary_use_of_care_photographs"
    return Switches(anonymised_secondary_use_of_care_photographs=fields.word(name, SecondaryUseRule))


def _request(fields: Fields) -> Request:
    recipient, given = fields.child("recipient"), fields.child_or_none("break_glass")
    return Request(
        as_of=fields.day("as_of"),
        purpose=fields.text("purpose"),
        recipient=Recipient(
            type=AUDIENCE_NAMES.get(recipient.text("type"), Audience.UNKNOWN_AE),
            id=recipient.text("id"),
            verified=recipient.flag("verified"),
            approved_channel=recipient.flag("approved_channel"),
        ),
        identifiable=fields.flag("identifiable"),
        content=fields.word("content", Content),
        break_glass=None
        if given is None
        else BreakGlass(reason=given.text("reason"), by_clinician=given.flag("by_clinician")),
    )
