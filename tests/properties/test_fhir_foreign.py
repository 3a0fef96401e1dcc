"""A consent of another system is never read as wider than it is, and none of its refusals is lost."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import Purpose
from orthanc_plugin.fhir.codes import PERMITTED_BY
from orthanc_plugin.fhir.elements import FhirError
from orthanc_plugin.fhir.reading import from_fhir
from tests.unit.fhir.building import ACT_REASON, OWN, actor, provision, resource, study

LIMITS = {
    "actor": [actor(f"{OWN}audience", "TRUST_STUDENTS")],
    "period": {"end": "2030-01-01"},
    "data": [study("1.2.3")],
}
CODES = ("TREAT", "COC", "BTG", "ETREAT", "HOPERAT", "HPAYMT", "TRAIN", "HRESCH", "PATRQT")
Part = dict[str, object]
limits = st.sets(st.sampled_from(sorted(LIMITS)), max_size=1)
codes = st.lists(st.sampled_from(CODES), unique=True, max_size=3)
kinds = st.sampled_from(["permit", "deny"])


@st.composite
def parts(draw: st.DrawFn) -> Part:
    return provision(draw(kinds), *draw(codes), **{name: LIMITS[name] for name in draw(limits)})


@st.composite
def roots(draw: st.DrawFn) -> Part:
    nested = draw(st.lists(parts(), max_size=3))
    return {**draw(parts()), **({"provision": nested} if nested else {})}


def named(part: Part, root: Part) -> Iterator[Purpose]:
    """Give the purposes that the codes of a provision name by themselves, its own or the root's."""
    purposes = part.get("purpose") or root.get("purpose") or ()
    assert isinstance(purposes, list | tuple)
    for coding in purposes:
        yield from PERMITTED_BY[(ACT_REASON, coding["code"])]


def read(root: Part, status: str) -> tuple[ConsentRecord, ...]:
    try:
        return from_fhir(resource(root, status=status))
    except FhirError:
        return ()


def covered(records: tuple[ConsentRecord, ...], *states: str) -> set[object]:
    return {scope.purpose for record in records if record.state in states for scope in record.scopes}


@given(roots(), st.sampled_from(["active", "proposed", "rejected"]))
def test_nothing_is_agreed_that_no_permit_names(root: Part, status: str) -> None:
    nested = root.get("provision", ())
    assert isinstance(nested, list | tuple)
    agreed = {purpose for part in (root, *nested) if part["type"] == "permit" for purpose in named(part, root)}
    assert covered(read(root, status), "GIVEN", "PROPOSED") <= (agreed if status != "rejected" else set())


@given(roots())
def test_no_refusal_is_lost(root: Part) -> None:
    nested = root.get("provision", ())
    assert isinstance(nested, list | tuple)
    excepted = {
        purpose
        for part in nested
        if part["type"] == "permit" and not part.keys() & LIMITS.keys()
        for purpose in named(part, {})
    }
    refused = {purpose for part in nested if part["type"] == "deny" for purpose in named(part, root)}
    if root["type"] == "deny":
        refused |= set(named(root, root) if "purpose" in root else Purpose) - excepted
    found = read(root, "active")
    assert not found or refused <= covered(found, "REFUSED")


@given(roots())
def test_what_was_agreed_is_withdrawn_by_its_own_id_when_the_consent_ends(root: Part) -> None:
    agreed = {record.id: covered((record,), "GIVEN") for record in read(root, "active") if record.state == "GIVEN"}
    ended = {record.id: covered((record,), "WITHDRAWN") for record in read(root, "inactive")}
    assert agreed.items() <= ended.items()
