"""What must hold of the encoder for any values at all: pydicom and dcmtk read what was meant."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from io import BytesIO
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.elements import DICTIONARY, Elements
from dicomwrap.encoding import decimal, read_beginning
from tests.unit.dicomwrap.test_encoding import file_of

DECIMAL_STRING = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")

letters = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\\^= ")
word = st.text(letters, max_size=20)
numbers = st.floats(-1e300, 1e300)  # no camera says more
texts = {
    "CS": st.text(st.sampled_from("ABCZ_019 "), max_size=16),
    "LO": word,
    "SH": st.text(letters, max_size=16),
    "PN": st.builds("^".join, st.lists(word, max_size=5)),
    "UT": st.text(letters | st.sampled_from("\\\n= ^"), max_size=200),
    "ST": st.text(letters | st.sampled_from("\\\n= ^"), max_size=100),
    "UI": st.from_regex(r"[1-9](\.(0|[1-9][0-9]{0,8})){0,6}", fullmatch=True),
    "DA": st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}"),
    "TM": st.times().map(lambda time: time.strftime("%H%M%S")),
    "DT": st.datetimes().map(lambda moment: f"{moment.year:04}{moment:%m%d%H%M%S}"),
    "IS": st.integers(-(2**31), 2**31 - 1),
    "DS": numbers,
    "US": st.integers(0, 2**16 - 1),
    "UL": st.integers(0, 2**32 - 1),
    "AT": st.integers(0x00080000, 0x7FE00000),
    "OB": st.binary(max_size=99),
}
SEVERAL = ("IS", "DS", "US", "UL", "UI")
KEYWORDS = {vr: [keyword for keyword, (_, each) in DICTIONARY.items() if each == vr] for vr in (*texts, "SQ")}
# pydicom gives these a meaning of their own while reading
SPECIAL = {"SpecificCharacterSet", "PixelData", "TimezoneOffsetFromUTC"}


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> Elements:
    """Return a data set of any elements in our dictionary."""
    found = Elements()
    for vr in draw(st.lists(st.sampled_from([*texts, *(["SQ"] * 2 if depth else [])]), max_size=8)):
        keyword = draw(st.sampled_from(KEYWORDS[vr]).filter(lambda each: each not in SPECIAL))
        if vr == "SQ":
            found[keyword] = draw(st.lists(elements(depth=depth - 1), max_size=3))
        elif vr in SEVERAL:
            found[keyword] = draw(texts[vr] | st.lists(texts[vr], min_size=2, max_size=4).map(tuple))
        else:
            found[keyword] = draw(texts[vr])
    return found


def same(dataset: Dataset, meant: Elements) -> None:
    """Hold every element that pydicom reads against the value that was meant."""
    assert {element.keyword for element in dataset} - {"SpecificCharacterSet"} == set(meant)
    for keyword, value in meant.items():
        element, vr = dataset[keyword], DICTIONARY[keyword][1]
        assert vr == element.VR
        if vr == "SQ":
            assert len(element.value) == len(value)
            for item, inner in zip(element.value, value, strict=True):
                same(item, inner)
        elif isinstance(value, tuple):
            assert [plain(vr, each) for each in element.value] == [plain(vr, each) for each in value]
        else:
            assert plain(vr, element.value) == plain(vr, value), keyword


def plain(vr: str, value: object) -> object:
    """Return a value without what encoding may change: trailing blanks, a padding byte, digits beyond 16 bytes."""
    if vr == "DS":
        return decimal(float(value))  # type: ignore[arg-type]
    if vr == "OB":
        raw = value or b""
        return raw + b"\0" if len(raw) % 2 else raw  # type: ignore[arg-type, operator]
    if vr in ("IS", "US", "UL", "AT"):
        return int(value)  # type: ignore[call-overload]
    return (
        ("" if value is None else str(value)).strip(" ") if vr in ("CS", "LO", "SH") else str(value or "").rstrip(" ")
    )


@settings(max_examples=300, deadline=None)
@given(elements())
def test_pydicom_reads_every_element_as_it_was_meant(meant: Elements) -> None:
    data = file_of(Elements({"SpecificCharacterSet": "ISO_IR 192", **meant}))
    same(dcmread(BytesIO(data)), meant)
    assert len(data) % 2 == 0


@settings(max_examples=25, deadline=None)
@given(elements())
def test_dcmtk_has_nothing_to_complain_of(meant: Elements) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.dcm"
        path.write_bytes(file_of(Elements({"SpecificCharacterSet": "ISO_IR 192", **meant})))
        for command in (["dcmftest"], ["dcmdump", "-q"]):
            run = subprocess.run([*command, path], capture_output=True, check=False)
            assert (run.returncode, run.stderr) == (0, b""), run.stderr


@given(numbers)
def test_a_decimal_string_has_at_most_16_bytes_and_is_close_to_the_number(number: float) -> None:
    text = decimal(number)
    assert len(text) <= 16
    assert DECIMAL_STRING.fullmatch(text)
    assert math.isclose(float(text), number, rel_tol=1e-7, abs_tol=5e-324)


@given(st.integers(-99_999, 99_999), st.integers(1, 9_999))
def test_a_fraction_as_cameras_write_it_keeps_nine_digits(numerator: int, denominator: int) -> None:
    assert math.isclose(float(decimal(numerator / denominator)), numerator / denominator, rel_tol=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_the_reader_of_beginnings_takes_any_bytes(data: bytes, begin: bool) -> None:
    try:
        found = read_beginning(bytes(128) + b"DICM" + data if begin else data)
    except ValueError:
        return
    assert begin
    assert found.pixels_at is None or found.pixels_at > 132
