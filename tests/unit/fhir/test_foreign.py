"""Consents of other systems in plain PCF are read as narrowly as they can be meant."""

from __future__ import annotations

from datetime import date

import pytest

from dicomwrap.terms import Audience, Competence, ConsentLevel, ConsentState, Form, GiverType, Purpose
from orthanc_plugin.fhir.reading import from_fhir
from tests.unit.fhir.building import EVERYDAY, NHS, OWN, actor, faults, provision, resource, study, words

EVERY_PURPOSE = tuple(purpose.value for purpose in Purpose)
REFUSED_EVERYDAY = (
    "DIRECT_CARE",
    "SECOND_OPINION",
    "EMERGENCY_CARE",
    "LOCAL_AUDIT",
    "TEACHING",
    "LEGAL_DISCLOSURE",
    "RECORDS_MANAGEMENT",
)
STUDENTS = actor(f"{OWN}audience", "TRUST_STUDENTS")


def test_the_basic_example_agrees_to_the_patients_own_care_by_the_care_team_and_no_more() -> None:
    (record,) = from_fhir(resource(provision("permit", *EVERYDAY)))
    (scope,) = record.scopes
    assert (record.id, record.version, record.state) == ("Consent/ex-consent", 3, ConsentState.GIVEN)
    assert (record.patient_id, record.issuer, record.decided_on) == ("9000000009", NHS, date(2022, 6, 13))
    assert (record.giver.type, record.giver.competent_at_decision) == (GiverType.PATIENT, Competence.NOT_ASSESSED)
    assert (scope.purpose, scope.max_form, scope.audience) == (
        Purpose.DIRECT_CARE,
        Form.IDENTIFIABLE,
        (Audience.CARE_TEAM,),
    )
    assert (scope.valid_from, scope.valid_to) == (date(2022, 6, 13), None)
    assert (record.evidence, record.explained, record.discussion) == (None, (), None)


def test_the_reject_example_refuses_every_purpose_under_each_code_to_everybody() -> None:
    (record,) = from_fhir(resource(provision("deny", *EVERYDAY)))
    assert (record.state, words(record)) == (ConsentState.REFUSED, REFUSED_EVERYDAY)
    assert {scope.audience for scope in record.scopes} == {tuple(Audience)}


def test_the_expired_example_ends_on_its_day() -> None:
    (record,) = from_fhir(resource(provision("permit", *EVERYDAY, period={"end": "2022-12-31"})))
    assert record.scopes[0].valid_to == date(2022, 12, 31)


def test_a_refusal_without_purposes_refuses_every_single_one() -> None:
    (record,) = from_fhir(resource(provision("deny")))
    assert words(record) == EVERY_PURPOSE


def test_the_break_glass_example_refuses_all_but_the_emergency() -> None:
    root = provision("deny", provision=[provision("permit", "BTG")])
    refused, given = from_fhir(resource(root))
    assert words(refused) == tuple(word for word in EVERY_PURPOSE if word != "EMERGENCY_CARE")
    assert (given.state, words(given)) == (ConsentState.GIVEN, ("EMERGENCY_CARE",))
    assert (refused.id, given.id) == ("Consent/ex-consent", "Consent/ex-consent#2")


@pytest.mark.parametrize(
    "limit",
    [
        {"actor": [STUDENTS]},
        {"period": {"end": "2023-01-01"}},
        {"data": [study("1.2.3")]},
        {"modifierExtension": [{"url": f"{OWN}conditions", "valueString": "only at night"}]},
    ],
)
def test_an_exception_with_a_limit_of_its_own_takes_nothing_from_the_refusal(limit: dict[str, object]) -> None:
    root = provision("deny", provision=[provision("permit", "BTG", **limit)])
    refused, given = from_fhir(resource(root))
    assert "EMERGENCY_CARE" in words(refused)
    assert words(given) == ("EMERGENCY_CARE",)


def test_a_refusal_within_a_permit_is_a_record_of_its_own() -> None:
    root = provision("permit", "TREAT", provision=[provision("deny", "TRAIN"), provision("deny", "HRESCH")])
    found = from_fhir(resource(root))
    assert [(record.state.value, words(record)) for record in found] == [
        ("GIVEN", ("DIRECT_CARE",)),
        ("REFUSED", ("TEACHING",)),
        ("REFUSED", ("RESEARCH",)),
    ]
    assert len({record.id for record in found}) == 3


def test_a_refusal_of_one_study_within_a_permit_refuses_what_the_permit_is_about_for_that_study() -> None:
    root = provision("permit", *EVERYDAY, provision=[provision("deny", data=[study("1.2.3")])])
    given, refused = from_fhir(resource(root))
    assert (given.level, given.targets) == (ConsentLevel.PATIENT, ())
    assert (refused.level, refused.targets, words(refused)) == (ConsentLevel.STUDY, ("1.2.3",), REFUSED_EVERYDAY)


def test_a_refusal_within_a_permit_does_not_end_with_it() -> None:
    root = provision("permit", "TREAT", period={"end": "2023-01-01"}, provision=[provision("deny", "TRAIN")])
    _, refused = from_fhir(resource(root))
    assert refused.scopes[0].valid_to is None


def test_a_permit_within_a_refusal_keeps_the_roots_images_and_days() -> None:
    period = {"start": "2022-06-14", "end": "2023-01-01"}
    root = provision("deny", data=[study("1.2.3")], period=period, provision=[provision("permit", "BTG")])
    refused, given = from_fhir(resource(root))
    assert (given.level, given.targets) == (ConsentLevel.STUDY, ("1.2.3",))
    assert (given.scopes[0].valid_from, given.scopes[0].valid_to) == (date(2022, 6, 14), date(2023, 1, 1))
    assert refused.targets == ("1.2.3",)


def test_a_use_beyond_care_is_anonymised_and_for_those_who_are_named() -> None:
    (record,) = from_fhir(resource(provision("permit", "TRAIN", actor=[STUDENTS])))
    (scope,) = record.scopes
    assert (scope.max_form, scope.audience) == (Form.ANONYMISED, (Audience.TRUST_STUDENTS,))


def test_another_systems_recipient_is_the_only_one_in_the_care_team() -> None:
    somebody = {**actor("", ""), "reference": {"reference": "Practitioner/ex-practitioner"}}
    team = actor(f"{OWN}audience", "CARE_TEAM")
    (record,) = from_fhir(resource(provision("permit", "TREAT", actor=[somebody, team])))
    (scope,) = record.scopes
    assert (scope.audience, scope.named_recipients) == ((Audience.CARE_TEAM,), ("Practitioner/ex-practitioner",))


def test_a_permit_for_somebody_elsewhere_alone_is_not_read_as_one_for_our_care_team() -> None:
    elsewhere = provision("permit", "TREAT", actor=[actor("http://other.example/org", "OTHER-HOSPITAL")])
    (fault,) = faults(resource(elsewhere))
    assert fault.startswith("Consent.provision.actor: must name an audience of ours for DIRECT_CARE")


def test_a_permit_with_exceptions_that_ends_is_withdrawn_and_its_exceptions_stay() -> None:
    mixed = provision("permit", "TREAT", provision=[provision("deny", "TRAIN")])
    (record,) = from_fhir(resource(mixed, status="inactive"))
    assert (record.id, record.state, words(record)) == ("Consent/ex-consent", ConsentState.WITHDRAWN, ("DIRECT_CARE",))


def test_a_refusal_with_exceptions_that_ends_withdraws_each_of_them_by_its_own_id() -> None:
    mixed = provision("deny", "TREAT", provision=[provision("permit", "BTG"), provision("permit", "COC")])
    active = [record.id for record in from_fhir(resource(mixed)) if record.state is ConsentState.GIVEN]
    ended = from_fhir(resource(mixed, status="inactive"))
    assert [record.id for record in ended] == active == ["Consent/ex-consent#2", "Consent/ex-consent#3"]
    assert {record.state for record in ended} == {ConsentState.WITHDRAWN}


def test_a_withdrawal_is_not_kept_out_because_it_names_no_audience_of_ours() -> None:
    elsewhere = actor("http://other.example/org", "OTHER-HOSPITAL")
    (record,) = from_fhir(resource(provision("permit", "TRAIN", actor=[elsewhere]), status="inactive"))
    assert (record.state, words(record)) == (ConsentState.WITHDRAWN, ("TEACHING",))


def test_our_extensions_complete_what_another_system_says() -> None:
    told = [
        {"url": f"{OWN}explained", "valueCode": "WHY"},
        {"url": f"{OWN}evidence", "valueCode": "SIGNED_FORM"},
        {"url": f"{OWN}giver", "extension": [{"url": "type", "valueCode": "PR_HOLDER"}]},
        {"url": "https://example.org/mood", "valueString": "passed over"},
    ]
    form = [{"url": f"{OWN}max-form", "valueCode": "IDENTIFIABLE"}]
    root = provision("permit", "TRAIN", actor=[STUDENTS], extension=form)
    mother = [{"reference": "RelatedPerson/ex-mother"}]
    (record,) = from_fhir(resource(root, extension=told, performer=mother))
    assert (record.giver.type, record.evidence, record.explained) == (GiverType.PR_HOLDER, "SIGNED_FORM", ("WHY",))
    assert record.scopes[0].max_form is Form.IDENTIFIABLE


@pytest.mark.parametrize(
    ("status", "kind", "state"),
    [
        ("draft", "permit", "PROPOSED"),
        ("proposed", "permit", "PROPOSED"),
        ("active", "permit", "GIVEN"),
        ("active", "deny", "REFUSED"),
        ("rejected", "permit", "REFUSED"),
        ("rejected", "deny", "REFUSED"),
        ("inactive", "permit", "WITHDRAWN"),
        ("entered-in-error", "permit", "ENTERED_IN_ERROR"),
        ("entered-in-error", "deny", "ENTERED_IN_ERROR"),
    ],
)
def test_a_status_has_a_state(status: str, kind: str, state: str) -> None:
    (record,) = from_fhir(resource(provision(kind, "TREAT"), status=status))
    assert record.state == state
    assert (record.withdrawn_since(Purpose.DIRECT_CARE) == date(2022, 7, 1)) == (state == "WITHDRAWN")


@pytest.mark.parametrize("status", ["draft", "proposed", "inactive"])
def test_a_refusal_that_is_no_decision_now_is_not_guessed_at(status: str) -> None:
    (fault,) = faults(resource(provision("deny", "TREAT"), status=status))
    assert fault.startswith("Consent.provision.type: deny can't be kept with status")


def test_an_inactive_consent_must_say_when_it_changed() -> None:
    (fault,) = faults(resource(provision("permit", "TREAT"), status="inactive", meta=None))
    assert fault == "Consent.meta.lastUpdated: is missing; say when the consent ended"


@pytest.mark.parametrize(
    ("identifiers", "found"),
    [
        ([{"system": "https://epr.example", "value": "7"}], "https://epr.example|7"),
        ([{"value": "7"}], "7"),
        ([{"value": "7"}, {"system": f"{OWN}consent", "value": "urn:x:1"}], "urn:x:1"),
    ],
)
def test_a_consent_is_known_by_its_identifier(identifiers: list[dict[str, str]], found: str) -> None:
    (record,) = from_fhir(resource(provision("permit", "TREAT"), identifier=identifiers))
    assert record.id == found


def test_a_moment_is_taken_as_the_hospitals_day() -> None:
    (record,) = from_fhir(resource(provision("permit", "TREAT"), dateTime="2022-06-13T23:30:00Z"))
    assert record.decided_on == date(2022, 6, 14)


@pytest.mark.parametrize("version", ["W/abc", "0", "99999999999999999999"])
def test_a_version_that_is_no_number_counts_as_the_first(version: str) -> None:
    (record,) = from_fhir(resource(provision("permit", "TREAT"), meta={"versionId": version}))
    assert record.version == 1


def test_a_level_of_ours_names_what_fhir_has_no_type_for() -> None:
    picture = {"meaning": "instance", "reference": {"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2"}}}
    level = [{"url": f"{OWN}level", "valueCode": "IMAGE"}]
    (record,) = from_fhir(resource(provision("permit", "TREAT", data=[picture]), extension=level))
    assert (record.level, record.targets) == (ConsentLevel.IMAGE, ("1.2",))


def test_a_refusal_within_a_refusal_refuses_as_well() -> None:
    found = from_fhir(resource(provision("deny", "TRAIN", provision=[provision("deny", "HRESCH")])))
    assert [words(record) for record in found] == [("TEACHING",), ("RESEARCH",)]
    assert {record.state for record in found} == {ConsentState.REFUSED}


@pytest.mark.parametrize("recipient", [STUDENTS, actor("http://other.example/org", "OTHER-HOSPITAL")])
@pytest.mark.parametrize(("status", "kind"), [("rejected", "permit"), ("rejected", "deny"), ("active", "deny")])
def test_a_refusal_that_names_recipients_counts_for_all(status: str, kind: str, recipient: dict[str, object]) -> None:
    (record,) = from_fhir(resource(provision(kind, "TRAIN", actor=[recipient]), status=status))
    (scope,) = record.scopes
    assert (record.state, scope.purpose, scope.audience) == (ConsentState.REFUSED, "TEACHING", tuple(Audience))
    assert scope.named_recipients == ()
