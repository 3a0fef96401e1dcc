"""Whatever a stranger sends as a key object, reading it gives a key object or one error that names its remedy."""

from __future__ import annotations

import contextlib
from io import BytesIO

import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomwrap.hostile import UNREADABLE
from dicomwrap.iod.keyobject import QUALITY, Code
from dicomwrap.keyobjects import KeyObjectError, read
from tests.unit.dicomwrap.keyobjects import TEACHING, built, referenced

WHOLE = built(
    QUALITY,
    [referenced(1), referenced(2, series="2.25.12")],
    modifiers=[Code(value="113010", scheme="DCM", meaning="Quality Issue")],
    description="blurred",
)
KEYWORDS = (
    "SOPClassUID", "StudyInstanceUID", "ConceptNameCodeSequence", "ContentSequence", "ValueType", "CodeValue",
    "CurrentRequestedProcedureEvidenceSequence", "ReferencedSeriesSequence", "ReferencedSOPSequence",
    "ReferencedSOPInstanceUID", "ReferencedSOPClassUID", "TextValue", "ConceptCodeSequence",
)  # fmt: skip
texts = st.text(max_size=80)
values = st.one_of(texts, st.none(), st.lists(texts, max_size=3), st.binary(max_size=20))


def _dataset(said: dict[str, object]) -> Dataset:
    made = Dataset()
    for keyword, value in said.items():
        with contextlib.suppress(*UNREADABLE):
            setattr(made, keyword, value)
    return made


datasets = st.recursive(
    st.builds(Dataset),
    lambda inner: st.dictionaries(st.sampled_from(KEYWORDS), values | st.lists(inner, max_size=3), max_size=6).map(
        _dataset
    ),
    max_leaves=12,
)


def _told(dataset: Dataset) -> None:
    with contextlib.suppress(KeyObjectError):
        assert read(dataset).references


@given(at=st.integers(min_value=132, max_value=len(WHOLE) - 1), value=st.integers(min_value=0, max_value=255))
@settings(max_examples=300, deadline=None)
def test_a_byte_changed_anywhere_gives_a_key_object_or_its_error(at: int, value: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] = value
    try:
        dataset = pydicom.dcmread(BytesIO(bytes(changed)))
    except UNREADABLE:
        return  # intake has refused what is no object at all
    _told(dataset)


@given(dataset=datasets, honest=st.booleans())
@settings(max_examples=200, deadline=None)
def test_elements_of_any_kind_in_any_place_give_a_key_object_or_its_error(dataset: Dataset, honest: bool) -> None:
    if honest:
        whole = pydicom.dcmread(BytesIO(WHOLE))
        whole.update(dataset)
        dataset = whole
    _told(dataset)


@given(
    picked=st.lists(st.integers(min_value=1, max_value=500), min_size=1, max_size=40),
    description=st.text(alphabet=st.characters(categories=["L", "N"]), max_size=60),
)
@settings(max_examples=50, deadline=None)
def test_what_is_built_is_what_is_read(picked: list[int], description: str) -> None:
    listed = {referenced(number, series=f"2.25.8{number % 3}") for number in picked}
    found = read(pydicom.dcmread(BytesIO(built(TEACHING, sorted(listed, key=str), description=description))))
    assert set(found.references) == listed
    assert len(found.references) == len(listed)
    assert found.title == TEACHING
