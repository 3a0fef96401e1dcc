"""Whoever the patient is, nothing of them is in the copy."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.bitstream.verify import contradictions
from dicomwrap.confidentiality import Option
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.leakcheck import leaks_in
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import encoded, photograph, photograph_bytes

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

PROFILE = Profile(name="teaching", pseudonym_domain="teaching", options=frozenset({Option.RETAIN_SAFE_PRIVATE}))
PSEUDONYMS = Pseudonyms(key=bytes(range(32)), domain="teaching")
RARE = "ZŻЖ字ßéñ'-ŧØ山"  # in nothing that a copy keeps

rare = st.text(RARE, min_size=4, max_size=12).filter(lambda text: text.strip("-'") == text)
names = st.builds("^".join, st.lists(rare, min_size=1, max_size=5))
free = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"), max_size=16)
days = st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}")
uids = st.integers(10**9, 2**128 - 1).map(lambda number: f"2.25.{number}")


def patient(strategy: st.SearchStrategy[str], name: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {
            "PatientName": name,
            "PatientID": strategy,
            "IssuerOfPatientID": strategy,
            "PatientBirthDate": days,
            "AccessionNumber": strategy,
            "StudyID": strategy,
            "OperatorsName": name,
            "ReferringPhysicianName": name,
            "DeviceSerialNumber": strategy,
            "StudyInstanceUID": uids,
            "SeriesInstanceUID": uids,
        }
    )


def secrets_of(values: dict[str, str]) -> set[bytes]:
    parts = {part for value in values.values() for part in (value, *value.replace("=", "^").split("^"))}
    return {part.strip().encode() for part in parts if len(part.strip()) >= 4}


def made(values: dict[str, str]) -> Dataset:
    return photograph(**values)


@settings(max_examples=60, deadline=None)
@given(patient(rare, names), st.dictionaries(st.sampled_from(["PatientComments", "InstitutionName"]), rare))
def test_a_copy_is_made_and_holds_nothing_of_the_patient(values: dict[str, str], more: dict[str, str]) -> None:
    original = made({**values, **more})
    content = deidentify(encoded(original), PROFILE, PSEUDONYMS, confirmed=True).content
    copy = dcmread(BytesIO(content))
    assert leaks_in(original, content) == ()
    assert contradictions(copy) == ()
    header = content[: content.index(bytes(copy.PixelData)[:64])]
    assert [secret for secret in secrets_of({**values, **more}) if secret in header] == []


@settings(max_examples=60, deadline=None)
@given(patient(free, free))
def test_whatever_is_written_a_copy_is_clean_or_is_not_made(values: dict[str, str]) -> None:
    try:
        content = encoded(made(values))
    except (ValueError, TypeError, AttributeError):
        return  # no such object can be written, so none can arrive
    try:
        made_of_it = deidentify(content, PROFILE, PSEUDONYMS, confirmed=True).content
    except DeidentificationError:
        return
    assert leaks_in(dcmread(BytesIO(content)), made_of_it) == ()
    assert dcmread(BytesIO(made_of_it)).PatientIdentityRemoved == "YES"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**14), st.binary(max_size=4)), min_size=1, max_size=6))
def test_a_damaged_object_gives_a_clean_copy_or_the_error_that_refuses_it(changes: list[tuple[int, bytes]]) -> None:
    content = photograph_bytes()
    for place, change in changes:
        at = place % len(content)
        content = content[:at] + change + content[at + len(change) :]
    try:
        copy = dcmread(BytesIO(deidentify(content, PROFILE, PSEUDONYMS, confirmed=True).content))
    except DeidentificationError:
        return
    assert contradictions(copy) == ()
