"""The last look before the wire knows further writings: escapes, archives, and letters that stand for others."""

from __future__ import annotations

import base64
import codecs
import io
import zipfile
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import pytest
from pydicom.dataset import Dataset

from orthanc_plugin.deid.leakcheck import leaks_in
from tests.fakes.pictures import encoded, photograph
from tests.unit.deid.test_leakcheck import NUMBER, SECRET, copy, elsewhere, found, having, in_private

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def zipped(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a", data)
    return file.getvalue()


def escaped(form: str) -> str:
    return "".join(form.format(byte) for byte in SECRET)


WRITINGS: Final = {
    "percent signs": quote(SECRET),
    "percent signs for all": escaped("%{:02X}"),
    "quoted printable": escaped("={:02X}"),
    "HTML in decimals": escaped("&#{:d};"),
    "HTML in hexadecimals": escaped("&#x{:x};"),
    "JSON": escaped("\\u{:04x}"),
    "a programmer's": escaped("\\x{:02x}"),
    "percent signs within base64": base64.b64encode(escaped("%{:02X}").encode()).decode(),
    "UTF-16 within base64": base64.b64encode(SECRET.decode().encode("utf-16-le")).decode(),
    "letters moved by thirteen": codecs.encode(f"for {NUMBER}", "rot13"),
}
ARCHIVES: Final = {
    "zip": zipped(SECRET),
    "zip within zip": zipped(zipped(SECRET), zipfile.ZIP_STORED),
    "packed zip within packed zip": zipped(zipped(SECRET)),
    "zip within base64": base64.b64encode(zipped(SECRET)),
}


@pytest.mark.parametrize("text", WRITINGS.values(), ids=WRITINGS)
def test_an_escaped_number_is_found(text: str) -> None:
    assert "PatientID" in found(elsewhere(lambda made: in_private(made, "UT", text)))


@pytest.mark.parametrize("data", ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_is_looked_into(data: bytes) -> None:
    assert "PatientID" in found(elsewhere(lambda made: in_private(made, "OB", data + b"\0" * (len(data) % 2))))


LETTERS: Final = {
    "wide": "".join(chr(ord(letter) + 0xFEE0) for letter in NUMBER),
    "with joiners that don't show": "\u200b".join(NUMBER),
    "with soft hyphens": "\u00ad".join(NUMBER),
}


@pytest.mark.parametrize("text", LETTERS.values(), ids=LETTERS)
def test_letters_that_stand_for_others_hide_no_number(text: str) -> None:
    assert "PatientID" in found(having(ImageComments=text))


def in_parts(made: Dataset) -> None:
    in_private(made, "LO", ["Ja", "ne D", "oe"])


def test_a_name_in_parts_is_found_in_the_values_one_after_the_other() -> None:
    assert "PatientName" in found(elsewhere(in_parts))


@pytest.mark.parametrize("said", ["Mueller", "MULLER", "mu\u0308ller", "Jürgen", "Juergen"])
def test_a_name_is_found_without_its_accents_and_as_it_is_written_where_there_are_none(said: str) -> None:
    assert leaks_in(photograph(PatientName="Müller^Jürgen"), encoded(having(ImageComments=said))) == ("PatientName",)


def test_a_number_is_found_without_its_leading_zeros_as_in_a_uid() -> None:
    whose = photograph(PatientID="0012345678")
    assert "PatientID" in leaks_in(whose, encoded(having(FrameOfReferenceUID="1.2.826.0.1.12345678.5")))


CLEAN: Final[dict[str, Callable[[Dataset], object]]] = {
    "percent": lambda made: setattr(made, "ImageComments", "100%ab =3D &#38; \\x41"),
    "a name's beginning": lambda made: setattr(made, "ImageComments", "Müllerei"),
}


@pytest.mark.parametrize("change", CLEAN.values(), ids=CLEAN)
def test_what_only_looks_like_a_writing_raises_no_alarm(change: Callable[[Dataset], object]) -> None:
    made = copy()
    change(made)
    assert leaks_in(photograph(PatientName="Müller^Jürgen"), encoded(made)) == ()
