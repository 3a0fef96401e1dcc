"""Other projects' public test data: each object is refused with the reason, or nothing of its patient is in the copy.

``deid-data`` is what pydicom/deid is tested with; pydicom's own files, those in its package and the larger ones of
``pydicom-data``, are what dicom-anonymizer's tests run over. dicognito's tests come with no package.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import data_store
import deid_data
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.config.profiles import resolved
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import DeidentificationError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SETS: Final = {
    "deid-data": Path(deid_data.__file__).parent / "data",
    "pydicom": Path(pydicom.__file__).parent / "data" / "test_files",
    "pydicom-data": Path(data_store.__file__).parent / "data",
}
IDENTIFYING: Final = ("PN", "LO", "SH", "UI", "DA", "ST", "LT", "UT", "AE", "UC", "UR")
CODED: Final = ("CodeValue", "CodeMeaning", "CodingSchemeDesignator", "CodingSchemeVersion", "CodingSchemeName")
SHORTEST, SHORTEST_DRAWN = 5, 10  # a ramp of greys reads as "123456"
STANDARD: Final = "1.2.840.10008."
COPIES: Final = {
    "deid-data": 9,
    "pydicom": 40,
    "pydicom-data": 35,
}  # at least; a set of which all is refused would show nothing


def files(name: str) -> list[Path]:
    return [path for path in sorted(SETS[name].rglob("*")) if path.is_file() and path.suffix not in (".zip", ".py")]


def identifying(dataset: Dataset) -> Iterator[str]:
    """Yield what identifies the original, at any depth, by what kind of value it is."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from identifying(item)
        elif element.VR in IDENTIFYING and element.keyword not in CODED:
            values = element.value if element.VM > 1 else [element.value]
            yield from (str(value).strip() for value in values if value is not None)


def survivors(content: bytes, copy: bytes) -> set[str]:
    """Return what identifies the original and is in the copy; no part of ours has a say in this."""
    every = identifying(pydicom.dcmread(BytesIO(content)))
    said = {text for text in every if len(text) >= SHORTEST and len(set(text)) > 1}  # "00000" is in any number
    header = copy.replace(pydicom.dcmread(BytesIO(copy)).PixelData, b"")
    places = {text: copy if len(text) >= SHORTEST_DRAWN else header for text in said if not text.startswith(STANDARD)}
    return {text for text, place in places.items() if text.encode() in place}


def copied(content: bytes) -> bytes | str:
    """Return the copy, or the reason why there is none."""
    found = resolved("teaching", {})
    assert found is not None
    profile = Profile(name="teaching", pseudonym_domain="t", options=found.options, overrides=found.overrides)
    try:
        return deidentify(content, profile, Pseudonyms(key=bytes(range(32)), domain="t"), confirmed=True).content
    except DeidentificationError as error:
        return str(error.args[0])


@pytest.mark.parametrize("name", SETS)
def test_every_object_is_refused_with_a_reason_or_its_copy_has_nothing_of_the_patient(name: str) -> None:
    outcomes = {}
    for path in files(name):
        content = path.read_bytes()
        made = copied(content)
        outcomes[path.name] = made if isinstance(made, str) else survivors(content, made)
    copies = {path: left for path, left in outcomes.items() if isinstance(left, set)}
    assert {path: left for path, left in copies.items() if left} == {}
    assert len(copies) >= COPIES[name]
    reasons = {path: reason for path, reason in outcomes.items() if isinstance(reason, str)}
    unexplained = [f"({error.__name__})" for error in UNREADABLE]
    assert {path: said for path, said in reasons.items() if any(each in said for each in unexplained)} == {}


def test_the_scan_finds_what_is_left() -> None:
    original = pydicom.dcmread(SETS["deid-data"] / "dicom-cookies" / "image1.dcm")
    content = (SETS["deid-data"] / "dicom-cookies" / "image1.dcm").read_bytes()
    assert str(original.PatientID) in survivors(content, content)
