"""Pseudonyms: made with a key, stable in a domain, unlinkable across domains."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from io import BytesIO
from itertools import product

import pytest
from pydicom import dcmread

from dicomwrap.confidentiality import Option
from dicomwrap.subject import Patient
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import PSEUDONYM_CHARACTERS, Pseudonyms
from tests.fakes.pictures import encoded, photograph
from tests.unit.dicomwrap.objects import PATIENT

KEYS = (bytes(32), bytes(range(32)))


def test_every_key_domain_issuer_and_number_gives_another_pseudonym() -> None:
    made = {
        Pseudonyms(key=key, domain=domain).patient_id(patient, issuer)
        for key, domain, patient, issuer in product(KEYS, "ab", ("1", "2"), ("", "H"))
    }
    assert len(made) == 16
    assert all(re.fullmatch(f"[A-Z2-7]{{{PSEUDONYM_CHARACTERS}}}", each) for each in made)


def test_parts_that_run_together_the_same_way_are_told_apart() -> None:
    domain = Pseudonyms(key=KEYS[0], domain="d")
    assert domain.patient_id("12", "3") != domain.patient_id("2", "31")
    assert domain.patient_id("1", "") != domain.patient_id("", "1")


@pytest.mark.parametrize("uid", ["1.2.3", "2.25.1", ""])
def test_a_uid_is_a_valid_one_and_stable(uid: str) -> None:
    made = Pseudonyms(key=KEYS[0], domain="d").uid(uid)
    assert made == Pseudonyms(key=KEYS[0], domain="d").uid(uid)
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", made)
    assert len(made) <= 64
    assert made != Pseudonyms(key=KEYS[0], domain="e").uid(uid)


LONGITUDINAL = frozenset({Option.RETAIN_MODIFIED_DATES})
DATED = ("StudyDate", "ContentDate", "AcquisitionDateTime")


def days_moved(key: bytes, domain: str, patient: Patient, made: str) -> set[int]:
    """Return by how many days the dates of a patient's picture that was made on a day are moved."""
    original = photograph(
        patient=patient, StudyDate=made, ContentDate=made, AcquisitionDateTime=f"{made}101530.250000+0100"
    )
    profile = Profile(name=domain, pseudonym_domain=domain, options=LONGITUDINAL)
    pseudonyms = Pseudonyms(key=key, domain=domain)
    copy = dcmread(BytesIO(deidentify(encoded(original), profile, pseudonyms, confirmed=True).content))
    values = [(str(original[name].value)[:8], str(copy[name].value)[:8]) for name in DATED]
    return {(date.fromisoformat(after) - date.fromisoformat(before)).days for before, after in values}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_all_of_a_patient_s_dates_move_by_the_same_days_in_a_domain_and_by_others_elsewhere() -> None:
    days = ("20250301", "20240229", "19991231")
    for_all = [days_moved(KEYS[1], "study", PATIENT, day) for day in days]
    assert for_all == [for_all[0]] * len(days)
    assert len(for_all[0]) == 1
    others = (
        days_moved(KEYS[1], "another-study", PATIENT, days[0]),
        days_moved(KEYS[0], "study", PATIENT, days[0]),
        days_moved(KEYS[1], "study", replace(PATIENT, id="P2"), days[0]),
    )
    assert all(other != for_all[0] for other in others)
