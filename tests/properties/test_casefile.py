"""Cases survive being written; stored consents are read the same by the quick reader and by the strict one."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.consentfile import consent_json, read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import ConsentLevel, ConsentState, Purpose, PurposeGroup, purposes_named
from orthanc_plugin.policy.casefile import case_as_mapping
from orthanc_plugin.policy.cases import parse_case
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Case, Consent, Giver
from orthanc_plugin.policy.model import Tests as ThreeTests
from orthanc_plugin.registry import consentfacts
from orthanc_plugin.registry.consentfacts import Columns, Place, columns
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.properties.policy_cases import cases
from tests.properties.test_consentfile import records

PLACE = Place("2.25.1", "2.25.2", "2.25.3", "urn:x")


@st.composite
def all_cases(draw: st.DrawFn) -> Case:
    """Cases whose givers say whether they hold parental responsibility, or don't."""
    case = draw(cases)
    said = [replace(each, giver=replace(each.giver, has_pr=draw(st.none() | st.booleans()))) for each in case.consents]
    return replace(case, consents=tuple(said))


@given(all_cases())
def test_a_case_that_is_written_is_read_back_the_same(case: Case) -> None:
    written = json.loads(json.dumps(case_as_mapping(case)))
    assert parse_case(written) == case
    assert decide(parse_case(written)) == decide(case)


def meant(record: ConsentRecord, word: Purpose | PurposeGroup) -> tuple[Purpose | PurposeGroup, ...]:
    refused = record.state is ConsentState.REFUSED and isinstance(word, PurposeGroup)
    return tuple(sorted(purposes_named(frozenset({word})))) if refused else (word,)


def as_read_by_the_policy(record: ConsentRecord) -> list[Consent]:
    """Flatten a record the long way."""
    giver = Giver(
        type=record.giver.type,
        id=record.giver.id,
        competent_at_decision=record.giver.competent_at_decision,
        has_pr=record.giver.has_pr,
    )
    tests = record.tests and ThreeTests(
        necessary=record.tests.necessary,
        best_interests=record.tests.best_interests,
        no_less_restrictive=record.tests.no_less_restrictive,
    )
    own = {each.name: getattr(record, each.name) for each in fields(ConsentRecord)}
    kept = {name: own[name] for name in ("id", "level", "state", "decided_on", "withdrawn")}
    return [
        Consent(
            **kept,
            giver=giver,
            tests=tests,
            evidence=record.evidence,
            purposes=meant(record, scope.purpose),
            max_form=scope.max_form,
            audience=scope.audience,
            named_recipients=scope.named_recipients or None,
            named_publication=scope.named_publication,
            valid_from=scope.valid_from,
            valid_to=scope.valid_to,
        )
        for scope in record.scopes
    ]


@given(records())
def test_the_quick_reader_and_the_strict_one_read_the_same(record: ConsentRecord) -> None:
    everywhere = replace(record, level=ConsentLevel.PATIENT, targets=())
    assert [*consentfacts.read(consent_json(everywhere), PLACE, columns(everywhere))] == as_read_by_the_policy(
        everywhere
    )


@given(records(), st.sampled_from([1, -1.5, "x", [], {}, True, None, "2025-02-30"]), st.randoms())
def test_a_stored_consent_with_one_value_replaced_is_refused_or_read_as_the_strict_reader_does(
    record: ConsentRecord, value: object, chance: Random
) -> None:
    stored = json.loads(consent_json(replace(record, level=ConsentLevel.PATIENT, targets=())))
    stored[chance.choice(sorted(stored))] = value
    text = json.dumps(stored)
    try:
        strictly = as_read_by_the_policy(read_consent(text))
    except ConsentFileError:
        strictly = None
    with suppress(UnreadableRowError):
        quickly = [*consentfacts.read(text, PLACE, columns(record))]
        assert strictly is None or quickly == strictly


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '"GIVEN"', '{"id": 1}', "{" * 5000, "[" * 100_000])
def test_what_is_no_consent_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRowError):
        consentfacts.read(text, PLACE, Columns("urn:x", 1, "P1", "HOSP"))
