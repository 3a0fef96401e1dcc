"""A consent written as FHIR is the same consent when read; any other resource is read or refused, and never widened."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import ConsentState, purposes_named
from orthanc_plugin.fhir.codes import CODES
from orthanc_plugin.fhir.consent import Filing, to_fhir
from orthanc_plugin.fhir.document import read_document
from orthanc_plugin.fhir.elements import FhirError
from orthanc_plugin.fhir.extensions import DETAILS, NARROWING, PLAIN
from orthanc_plugin.fhir.reading import from_fhir
from tests.properties.test_consentfile import json_values, lines, records

FILING = Filing(
    recorded_at="2026-03-01T10:00:00+00:00", recorded_by="a nurse", organization="The hospital", policy="ab" * 32
)
whole = st.builds(lambda record, number: replace(record, patient_id=number), records(), lines)


@given(whole)
def test_a_consent_survives_fhir(record: ConsentRecord) -> None:
    text = json.dumps(to_fhir(record, FILING))
    assert from_fhir(*read_document(text.encode())) == (record,)


def permitted(resource: dict[str, object]) -> set[tuple[object, object]]:
    """Return the codes that somebody who knows PCF and nothing of ours takes as permitted."""
    root = resource["provision"]
    assert isinstance(root, dict)
    parts = [part for part in (root, *root.get("provision", ())) if part["type"] == "permit"]
    assert root["type"] == "deny" or parts == [root]
    return {(code["system"], code["code"]) for part in parts for code in part["purpose"]}


@given(whole)
def test_nobody_reads_more_out_of_the_resource_than_is_agreed(record: ConsentRecord) -> None:
    resource = to_fhir(record, FILING)
    agreed = purposes_named(frozenset(scope.purpose for scope in record.scopes))
    agreed -= record.withdrawn_purposes
    if record.state not in (ConsentState.GIVEN, ConsentState.PROPOSED):
        agreed = frozenset()
    assert permitted(resource) == {CODES[purpose] for purpose in agreed}
    assert (resource["status"] == "active") == (record.state in (ConsentState.GIVEN, ConsentState.REFUSED))


def faults(resource: object) -> tuple[str, ...]:
    try:
        from_fhir(resource)
    except FhirError as error:
        return error.problems or ("an error without a fault",)
    return ()


@given(whole, st.data())
def test_any_value_at_any_element_is_read_or_refused_with_a_place(record: ConsentRecord, data: st.DataObject) -> None:
    resource = to_fhir(record, FILING)
    key = data.draw(st.sampled_from(sorted(resource)))
    value = data.draw(json_values)
    for problem in faults({**resource, key: value}):
        assert problem.startswith("Consent")


@given(whole, st.data())
def test_any_value_within_the_provision_is_refused_or_says_the_same(record: ConsentRecord, data: st.DataObject) -> None:
    resource = to_fhir(record, FILING)
    root = resource["provision"]
    assert isinstance(root, dict)
    changed = {**root, data.draw(st.sampled_from(sorted(root))): data.draw(json_values)}
    if not faults({**resource, "provision": changed}):
        assert changed == root


@given(json_values | st.dictionaries(st.sampled_from(["resourceType", "status", "provision"]), json_values))
def test_any_resource_is_read_or_refused(resource: object) -> None:
    assert faults(resource)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    try:
        found = read_document(data)
    except FhirError as error:
        found = error.problems
    assert found


def test_no_field_of_the_record_is_forgotten() -> None:
    plain = {"id", "version", "patient_id", "issuer", "targets", "decided_on", "scopes"}
    known = {field.name for field in fields(ConsentRecord)}
    one_day_for_all = {"withdrawn_on", "withdrawn_purposes"}
    assert known - plain == set(DETAILS) - {"recorded_by"} - one_day_for_all
    scope = {"purpose", "audience", "valid_from", "valid_to"}
    assert {*NARROWING, *PLAIN} - {"purpose_group"} | scope == {
        "purpose",
        "audience",
        "valid_from",
        "valid_to",
        "max_form",
        "named_recipients",
        "named_publication",
        "conditions",
        "legal_basis",
    }
