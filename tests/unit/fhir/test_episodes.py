"""Contacts, open episodes, births and deaths from a FHIR Bundle of patients and encounters."""

from __future__ import annotations

import json

import pytest

from orthanc_plugin.fhir.episodes import EpisodesError, told

SYSTEM = "https://hospital.example/numbers"
Json = dict[str, object]
PATIENT: Json = {
    "resourceType": "Patient",
    "id": "a",
    "identifier": [
        {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009"},
        {"system": SYSTEM, "value": "P1"},
    ],
    "birthDate": "1970-03-03",
    "name": [{"family": "Never told"}],
}
SEEN: Json = {
    "resourceType": "Encounter",
    "status": "finished",
    "subject": {"reference": "Patient/a"},
    "period": {"start": "2015-03-09", "end": "2015-03-10T23:30:00Z"},
}


def bundle(*resources: Json, **more: object) -> bytes:
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": each} for number, each in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}).encode()


WITH_ONE = bundle(PATIENT, SEEN)


def test_of_a_complete_bundle_every_fact_is_told() -> None:
    later = {
        **SEEN,
        "subject": {"reference": "urn:uuid:0"},
        "period": {"start": "2026-06-30", "end": "2026-06-30T23:30:00Z"},
    }
    died = {**PATIENT, "deceasedDateTime": "2026-07-01"}
    assert told(bundle(died, SEEN, later, {"resourceType": "OperationOutcome"}), SYSTEM, complete=True) == (
        {
            "patient_id": "P1",
            "birth_date": "1970-03-03",
            "death_date": "2026-07-01",
            "first_contact": "2015-03-09",
            "last_contact": "2026-07-01",  # half past midnight in London
            "open_episode": "no",
        },
    )


def test_of_a_bundle_that_may_lack_encounters_nobody_is_told_to_be_out_of_care() -> None:
    (line,) = told(bundle(PATIENT, SEEN), SYSTEM, complete=False)
    assert line == {"patient_id": "P1", "birth_date": "1970-03-03", "last_contact": "2015-03-10"}


@pytest.mark.parametrize("status", ["planned", "arrived", "triaged", "in-progress", "onleave"])
def test_an_encounter_that_goes_on_or_is_to_come_is_an_open_episode(status: str) -> None:
    (line,) = told(bundle(PATIENT, SEEN, {**SEEN, "status": status, "period": {}}), SYSTEM, complete=False)
    assert line["open_episode"] == "yes"


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_an_encounter_that_never_happened_is_no_contact(status: str) -> None:
    (line,) = told(bundle(PATIENT, {**SEEN, "status": status}), SYSTEM, complete=True)
    assert "last_contact" not in line


def test_what_may_have_been_told_before_is_taken_back_where_the_bundle_has_every_encounter() -> None:
    (line,) = told(bundle(PATIENT, {**SEEN, "status": "entered-in-error"}), SYSTEM, complete=True)
    assert line["taken_back"] == "first_contact|last_contact"
    for bundled, complete in ((bundle(PATIENT, {**SEEN, "status": "entered-in-error"}), False), (WITH_ONE, True)):
        (line,) = told(bundled, SYSTEM, complete=complete)
        assert "taken_back" not in line


def test_who_is_said_to_be_alive_is_not_dead_any_more() -> None:
    (line,) = told(bundle({**PATIENT, "deceasedBoolean": False}, SEEN), SYSTEM, complete=False)
    assert line["taken_back"] == "death_date"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"5", "must be an object"),
        (bundle(PATIENT, SEEN, link=[{"relation": "next", "url": "?page=2"}]), "more pages follow"),
        (bundle(PATIENT, {"resourceType": "Condition"}), "entry[1].resource: is neither Patient nor Encounter"),
        (bundle({**PATIENT, "identifier": []}), "identifier"),
        (bundle({**PATIENT, "identifier": [{"system": SYSTEM, "value": v} for v in "12"]}), "and only one"),
        (bundle({**PATIENT, "birthDate": "1970"}), "birthDate: must be a whole day"),
        (bundle({**PATIENT, "deceasedBoolean": True}), "deceasedBoolean: says no day"),
        (bundle(PATIENT, {**SEEN, "subject": {"reference": "Patient/b"}}), "refers to no Patient"),
        (bundle({**PATIENT, "active": False}), "active: says that the record is no longer in use"),
        (bundle({**PATIENT, "link": [{"type": "replaced-by", "other": {}}]}), "another record replaced this one"),
        (bundle({**PATIENT, "modifierExtension": [{"url": "x"}]}), "modifierExtension: may change"),
        (bundle(PATIENT, {**SEEN, "modifierExtension": [{"url": "x"}]}), "modifierExtension: may change"),
        (bundle({**PATIENT, "birthDate": "1970-W10-2"}), "birthDate: must be a whole day"),
        (bundle({**PATIENT, "deceasedDateTime": "2026-W10-2T10:00:00Z"}), "deceasedDateTime: must be a whole day"),
        (bundle(PATIENT, {**SEEN, "status": "unknown"}), "status: says neither"),
        (bundle(PATIENT, {**SEEN, "period": {"start": "2015-03-09"}}), "period.end: is missing"),
        (bundle(PATIENT, {**SEEN, "period": {"end": "2015-03"}}), "period.end: must be a whole day"),
    ],
)
def test_what_can_t_be_taken_at_its_word_is_named_and_nothing_is_told(data: bytes, place: str) -> None:
    with pytest.raises(EpisodesError) as caught:
        told(data, SYSTEM, complete=True)
    assert place in str(caught.value)
    assert "nothing was written" in str(caught.value)
