"""Pseudonyms: made with a key, stable in a domain, unlinkable across domains."""

from __future__ import annotations

import re
from itertools import product

import pytest

from orthanc_plugin.deid.pseudonym import PSEUDONYM_CHARACTERS, Pseudonyms

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
