"""What is locked into a copy tells nobody else anything: not by its length, nor by whom it is for."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.leakcheck import leaks_in
from orthanc_plugin.deid.leakforms import der_texts
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.vault import Vault
from tests.fakes.custodians import custodian
from tests.fakes.pictures import encoded, photograph
from tests.fakes.world import START

HOSPITAL = "Mühlbach Infirmary"
ENVELOPED = bytes.fromhex("06092a864886f70d010703")
STRINGS = {0x0C: "utf-8", 0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}


def of(tag: int, body: bytes) -> bytes:
    """Return a DER value."""
    length = bytes([len(body)]) if len(body) < 0x80 else b"\x82" + len(body).to_bytes(2)
    return bytes([tag]) + length + body


def copied(original: Dataset, folder: Path) -> Dataset:
    profile = Profile(name="study", pseudonym_domain="study", custodians=("records",))
    vault = Vault({"records": custodian(folder).certificate}, lambda: START)
    pseudonyms = Pseudonyms(key=bytes(range(32)), domain="study")
    made = deidentify(encoded(original), profile, pseudonyms, confirmed=True, vault=vault)
    return dcmread(BytesIO(made.content))


@pytest.mark.parametrize("tag", STRINGS, ids=STRINGS.values())
@pytest.mark.parametrize("nested", [1, 5])
def test_a_hospital_is_found_in_whatever_writing_a_certificate_has_it(tag: int, nested: int, tmp_path: Path) -> None:
    original = photograph()
    original.InstitutionName = HOSPITAL
    copy = copied(original, tmp_path)
    assert leaks_in(original, encoded(copy)) == ()
    issuer = of(tag, HOSPITAL.encode(STRINGS[tag]))
    for _ in range(nested):
        issuer = of(0x31, issuer)
    copy.EncryptedAttributesSequence[0].EncryptedContent = of(0x30, ENVELOPED + issuer + of(0x04, bytes(200)))
    assert leaks_in(original, encoded(copy)) == ("InstitutionName",)


@pytest.mark.parametrize(
    ("issuer", "told"),
    [
        ("Muehlbach CA", False), ("MÜHLBACH root", True), ("Muhlbach", True), ("Infirmary Records Officer", False),
        ("Mühlbacher", False), ("Sankt Anna", False),
    ],
)  # fmt: skip
def test_a_part_of_the_hospital_s_name_tells_where_too(issuer: str, told: bool, tmp_path: Path) -> None:
    original = photograph()
    original.InstitutionName = HOSPITAL
    copy = copied(original, tmp_path)
    content = of(0x30, ENVELOPED + of(0x31, of(0x0C, issuer.encode())) + of(0x04, bytes(200)))
    copy.EncryptedAttributesSequence[0].EncryptedContent = content
    assert leaks_in(original, encoded(copy)) == (("InstitutionName",) if told else ())


@pytest.mark.parametrize("name", ["Li^A", "Wolfeschlegelsteinhausenbergerdorff^Hubert Blaine"])
def test_the_length_of_what_is_locked_says_nothing_of_the_name(name: str, tmp_path: Path) -> None:
    original = photograph()
    usual = copied(original, tmp_path).EncryptedAttributesSequence[0].EncryptedContent
    original.PatientName = name
    assert len(copied(original, tmp_path).EncryptedAttributesSequence[0].EncryptedContent) == len(usual)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_der_have_no_texts_and_break_nothing(data: bytes) -> None:
    assert all(isinstance(text, str) for text in der_texts(data))


def test_what_is_nested_without_end_ends() -> None:
    data = b"end"
    for _ in range(5000):
        data = of(0x30, data)
    assert list(der_texts(data)) == []
