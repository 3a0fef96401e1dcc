"""Text that is read without pydicom: the same as pydicom's, or left to it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from dicomwrap.plaintext import ONE, SEVERAL, plain_number, plain_texts, text_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

TAG = 0x00081010
OTHERS = ("PN", "UN", "OB", "UC", "IS", "DS", "US", "SQ")


def holding(value: bytes, vr: str, charset: str = "ISO_IR 192") -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = charset
    dataset[TAG] = RawDataElement(Tag(TAG), vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
    return dataset


def by_pydicom(value: bytes, vr: str, charset: str) -> tuple[str, ...]:
    found = holding(value, vr, charset)[TAG].value
    return tuple(str(each).strip() for each in (found if isinstance(found, MultiValue) else [found]))


@given(
    st.binary(max_size=40) | st.text(max_size=40).map(str.encode),
    st.sampled_from(sorted(SEVERAL | ONE)),
    st.sampled_from(["ISO_IR 192", "ISO_IR 100", "ISO_IR 13", "GB18030", "ISO 2022 IR 87"]),
)
@example(b"A\\B \\ C\\", "LO", "ISO_IR 192")
@example(b"A\\B", "UT", "ISO_IR 100")
@example(b"A\\B\0", "DT", "ISO_IR 100")
@example(b"\0", "AE", "ISO_IR 192")
def test_plain_text_is_what_pydicom_makes_of_it(value: bytes, vr: str, charset: str) -> None:
    found = plain_texts(holding(value, vr, charset), TAG)
    if found is not None:
        assert tuple(each.strip() for each in found) == by_pydicom(value, vr, charset)


@pytest.mark.parametrize("vr", OTHERS)
def test_what_is_no_text_is_left_to_pydicom(vr: str) -> None:
    assert plain_texts(holding(b"1.2", vr), TAG) is None


@pytest.mark.parametrize("value", ["Größe".encode(), b"A\0B", b"\x1b$B", b"\xff"])
def test_what_is_not_plain_is_left_to_pydicom(value: bytes) -> None:
    assert plain_texts(holding(value, "LO"), TAG) is None


def test_what_pydicom_has_read_and_what_is_not_there_is_left_to_it() -> None:
    dataset = holding(b"Acme", "LO")
    assert plain_texts(dataset, TAG) == ("Acme",)
    assert dataset[TAG].value == "Acme"
    assert plain_texts(dataset, TAG) is None
    assert plain_texts(Dataset(), TAG) is None


@given(st.text("0123456789. \\\0A", max_size=70).map(str.encode))
@example(b" 1.2 \\ 3\0")
def test_a_uid_is_to_the_letter_what_pydicom_makes_of_it(value: bytes) -> None:
    found = plain_texts(holding(value, "UI"), TAG)
    made = holding(value, "UI")[TAG].value
    assert found is None or list(found) == (list(made) if isinstance(made, MultiValue) else [str(made)])


@given(
    st.binary(max_size=20) | st.text("AB0. \\\0é", max_size=20).map(str.encode),
    st.sampled_from(sorted(SEVERAL | ONE | {"PN", "UC", "UR"})),
)
def test_the_text_of_an_element_is_pydicom_s_without_what_is_around_it(value: bytes, vr: str) -> None:
    by_us, by_pydicom = holding(value, vr), holding(value, vr)
    assert text_of(by_us, "StationName").strip() == str(by_pydicom.get("StationName") or "").strip()


def test_what_is_not_there_has_no_text_and_no_number() -> None:
    assert text_of(Dataset(), "StationName") == ""
    assert text_of(Dataset(), "NoKeyword") == ""
    assert plain_number(Dataset(), "Rows") is None


@given(st.binary(max_size=6), st.sampled_from(["US", "SS", "UL", "OW", "IS"]), st.booleans())
@example(b"\1\2", "US", False)
def test_a_number_is_what_pydicom_makes_of_it_or_left_to_it(value: bytes, vr: str, little: bool) -> None:
    dataset = Dataset()
    dataset["Rows"] = RawDataElement(
        Tag("Rows"), vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=little
    )
    found = plain_number(dataset, "Rows")
    assert found is None if (vr, len(value)) != ("US", 2) else found == dataset.Rows
