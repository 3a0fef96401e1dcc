"""Whatever names, texts, UIDs and dates an original has, in whatever attributes: none is in a copy's bytes."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset

from orthanc_plugin.config.profiles import SHIPPED, resolved
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.closed import VOCABULARY
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import MOST_DAYS, Pseudonyms
from orthanc_plugin.deid.table import STANDARD
from tests.fakes.pictures import encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

WRITTEN_BY_US = {"SpecificCharacterSet", "SOPClassUID", "PixelDataProviderURL", "IssuerOfPatientID"}
ATTRIBUTES = {
    vr: sorted(
        tag
        for tag, (is_vr, _, _, _, keyword) in DicomDictionary.items()
        if is_vr == vr and tag >> 16 not in (0, 2, 4) and keyword and keyword not in {*WRITTEN_BY_US, *VOCABULARY}
    )
    for vr in ("PN", "LO", "SH", "UI", "DA")
}
FIRST, APART = date(1000, 1, 1), MOST_DAYS + 1  # so that no date is moved onto another one
# In no text that we write, and never by chance in a made number: four signs that nothing else has, or a long number.
words = st.text("ŻЖ字ßéñŧØ山", min_size=4, max_size=14)
VALUES = {
    "PN": st.builds("^".join, st.lists(words, min_size=1, max_size=3)),
    "LO": words,
    "SH": words,
    "UI": st.integers(10**11, 10**25).map(lambda number: f"2.999.{number}"),
    "DA": st.integers(0, 150).map(lambda number: f"{FIRST + timedelta(days=number * APART):%Y%m%d}"),
}
elements = st.sampled_from(sorted(ATTRIBUTES)).flatmap(
    lambda vr: st.tuples(st.just(vr), st.sampled_from(ATTRIBUTES[vr]), VALUES[vr], st.booleans())
)


def profile_of(name: str) -> Profile:
    found = resolved(name, {})
    assert found is not None
    return Profile(
        name=name, pseudonym_domain=name, options=found.options, overrides=found.overrides, pixels=found.pixels
    )


def is_kept(profile: Profile, tag: int) -> bool:
    row = STANDARD.get(f"{tag:08X}")
    return row is not None and any(row.options.get(option) == "K" for option in profile.options)


@settings(max_examples=120, deadline=None)
@given(st.lists(elements, min_size=1, max_size=12, unique_by=lambda each: each[1]), st.sampled_from(sorted(SHIPPED)))
def test_no_value_survives_anywhere_unless_an_option_says_so(
    drawn: list[tuple[str, int, str, bool]], name: str
) -> None:
    profile = profile_of(name)
    original = photograph()
    inner, outer = Dataset(), Dataset()
    for vr, tag, value, deep in drawn:
        (inner if deep else original).add_new(tag, vr, value)
    outer.ReferencedSOPClassUID = original.SOPClassUID
    outer.AnatomicRegionModifierSequence = [inner]
    original.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [outer]
    copy = deidentify(encoded(original), profile, Pseudonyms(key=bytes(range(32)), domain=name), confirmed=True).content
    parts = {
        part
        for vr, tag, value, _ in drawn
        if not is_kept(profile, tag)
        for part in (value, *(value.split("^") if vr == "PN" else ()))
    }
    text = copy.decode("utf-8", "replace")
    # a number within a longer one is part of a made UID
    assert [part for part in parts if re.search(rf"(?<![0-9]){re.escape(part)}(?![0-9])", text)] == []
