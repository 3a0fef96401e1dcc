"""dicom-anonymizer's own test, with its own reading of the table, run over what our engine makes of its data.

Its ``tests/test_anon.py`` (2.1.0) takes every object of pydicom's test data and asks of each attribute, by the lists of
actions in its database, whether it was removed, replaced or emptied. Its lists are made of another edition of PS3.15
Table E.1-1 by other people; ours may do more than they ask (remove what may be replaced), never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Final

import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as theirs
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import DeidentificationError
from tests.unit.deid.test_foreign_sets import SETS, STANDARD, files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

BASIC: Final = Profile(name="basic", pseudonym_domain="t")
PSEUDONYMS: Final = Pseudonyms(key=bytes(range(32)), domain="t")
PSEUDONYMOUS: Final = ("PatientName", "PatientID")  # Z allows a dummy; ours keeps a patient's pictures together
FEWEST: Final = 60  # copies of which it is asked


def tags(*lists: Iterable[tuple[int, ...]]) -> frozenset[int]:
    return frozenset(Tag(*each) for one in lists for each in one if len(each) == 2)


REMOVED: Final = tags(theirs.X_TAGS)
CHANGED: Final = tags(
    theirs.U_TAGS, theirs.D_TAGS, theirs.Z_D_TAGS, theirs.X_D_TAGS, theirs.X_Z_D_TAGS, theirs.X_Z_U_STAR_TAGS
)
EMPTIED: Final = tags(theirs.Z_TAGS, theirs.X_Z_TAGS)


def objects() -> Iterator[tuple[str, Dataset, Dataset]]:
    """Yield each original with its copy, where it has one."""
    for path in (path for name in SETS for path in files(name)):
        content = path.read_bytes()
        try:
            copy = deidentify(content, BASIC, PSEUDONYMS, confirmed=True).content
        except DeidentificationError:
            continue
        yield path.name, pydicom.dcmread(BytesIO(content)), pydicom.dcmread(BytesIO(copy))


def unmet(original: Dataset, copy: Dataset) -> Iterator[str]:
    """Yield the attributes that aren't as their lists ask, at any depth."""
    for element in original:
        said = copy.get(element.tag)
        if said is None or element.is_empty:
            continue
        if element.VR == "SQ":
            for before, after in zip(element.value, said.value, strict=False):
                yield from unmet(before, after)
        elif _is_unmet(element, said):
            yield element.keyword


def _is_unmet(before: DataElement, after: DataElement) -> bool:
    if before.tag in REMOVED:
        return True
    if before.tag in EMPTIED and before.keyword not in PSEUDONYMOUS:
        return not after.is_empty
    standard = before.VR == "UI" and str(before.value).startswith(STANDARD)
    return before.tag in CHANGED | EMPTIED and not standard and bool(before.value == after.value)


def test_every_attribute_is_removed_replaced_or_emptied_as_they_read_the_table() -> None:
    asked = [(name, sorted(set(unmet(original, copy)))) for name, original, copy in objects()]
    assert [found for found in asked if found[1]] == []
    assert len(asked) >= FEWEST


def test_their_question_finds_what_nobody_anonymised() -> None:
    original = pydicom.dcmread(SETS["deid-data"] / "dicom-cookies" / "image1.dcm")
    assert {"PatientName", "StudyInstanceUID"} <= set(unmet(original, original))
