"""Every attribute that the standard has carries its own unique string: none of them is in a copy."""

from __future__ import annotations

import re
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicomwrap.confidentiality import Option
from orthanc_plugin.config.profiles import SHIPPED, resolved
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.closed import ESSENTIAL
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.table import STANDARD
from tests.fakes.pictures import encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

PATH: Final = Path(__file__).resolve().parents[3] / "orthanc_plugin" / "deid" / "ps315.tsv"
TEXTS: Final = {"AE": 16, "CS": 16, "LO": 64, "LT": 64, "PN": 64, "SH": 16, "ST": 64, "UC": 64, "UR": 64, "UT": 64}
BYTES: Final = ("OB", "UN")
MARK: Final = re.compile(rb"CNRY[0-9]{6}|2\.999\.[0-9]{6}|CNRZ[0-9]{6}")
# What the wrapped photograph must say for itself, and what says how it is encoded.
SPOKEN: Final = {*ESSENTIAL, "PixelData", "SpecificCharacterSet", "SOPClassUID", "AnatomicRegionSequence"}
OTHER_PICTURES: Final = {"FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL", "EncapsulatedDocument"}


def kept_by(options: frozenset[Option]) -> set[str]:
    """Return the attributes that an option expressly keeps."""
    return {row.tag for row in STANDARD.values() if any(row.options.get(option) == "K" for option in options)}


def fill(dataset: Dataset, marks: count[int], spared: set[str]) -> None:
    """Put a mark of its own into every attribute of text, bytes and UIDs."""
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        group = tag >> 16
        if group in (0, 2, 4, 0xFFFE) or not keyword or keyword in SPOKEN | OTHER_PICTURES or f"{tag:08X}" in spared:
            continue
        if vr in TEXTS:
            dataset.add_new(tag, vr, f"CNRY{next(marks):06}")
        elif vr in BYTES:
            dataset.add_new(tag, vr, f"CNRZ{next(marks):06}".encode())
        elif vr == "UI":
            dataset.add_new(tag, vr, f"2.999.{next(marks):06}")


@cache
def corpus(spared: frozenset[str]) -> bytes:
    """Return a photograph that is full of marks: at its top, in items of every sequence, and in private blocks."""
    marks = count(100000)
    original = photograph()
    inner = Dataset()
    fill(inner, marks, set(spared))
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if vr == "SQ" and tag >> 16 not in (0, 2, 4) and keyword not in SPOKEN and f"{tag:08X}" not in spared:
            item = Dataset()
            item.CodeMeaning, item.CodeValue, item.TextValue = (f"CNRY{next(marks):06}" for _ in range(3))
            item.PatientComments = f"CNRY{next(marks):06}"
            original.add_new(tag, "SQ", [item])
    fill(original, marks, set(spared))
    original.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [inner]
    for number in range(3):
        block = original.private_block(0x0099, f"CNRY{next(marks):06}", create=True)
        block.add_new(number, "LO", f"CNRY{next(marks):06}")
        block.add_new(number + 8, "SQ", [Dataset()])
        block[number + 8].value[0].PatientComments = f"CNRY{next(marks):06}"
    original.preamble = b"CNRY000001".ljust(128, b"\0")
    original.file_meta.ImplementationVersionName = "CNRY000002"
    original.file_meta.SourceApplicationEntityTitle = "CNRY000003"
    return encoded(original)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_no_mark_of_any_attribute_survives_a_shipped_profile(name: str) -> None:
    found = resolved(name, {})
    assert found is not None
    profile = Profile(
        name=name, pseudonym_domain=name, options=found.options, overrides=found.overrides, pixels=found.pixels
    )
    original = corpus(frozenset(kept_by(found.options)))
    assert len(set(MARK.findall(original))) > 4000
    copy = deidentify(original, profile, Pseudonyms(key=bytes(range(32)), domain=name), confirmed=True)
    assert MARK.findall(copy.content) == []
    assert copy.actions > 2000


def test_the_scan_would_find_a_mark() -> None:
    spared = kept_by(frozenset({Option.RETAIN_INSTITUTION_IDENTITY}))
    assert f"{Tag('InstitutionName'):08X}" in spared
    profile = Profile(
        name="p", pseudonym_domain="p", options=frozenset({Option.RETAIN_INSTITUTION_IDENTITY}), overrides=()
    )
    copy = deidentify(corpus(frozenset()), profile, Pseudonyms(key=bytes(32), domain="p"), confirmed=True)
    assert MARK.findall(copy.content) != []
