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

from orthanc_plugin.config.profiles import SHIPPED
from orthanc_plugin.deid.leakcheck import leaks_in
from tests.fakes.pictures import encoded, photograph
from tests.unit.deid.test_leakcheck import NUMBER, SECRET, copy, elsewhere, found, having, in_private
from tests.unit.dicomwrap.judged import code

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


NAMES: Final = [
    ("王^小東", "照片王小東", True), ("王^小東", "王小東さん", True), ("Wang^Xiaodong=王^小東", "照片王小東", True),
    ("長谷川^光", "長谷川様", True), ("山田^光明", "光明", True), ("王^小東", "小東西", False),
    ("O'Brien^Una", "OBrien", True), ("O'Brien^Una", "O\u2019Brien", True), ("O'Brien^Una", "o brien", True),
    ("O\u2019Brien^Una", "O'Brien", True), ("O`Dea^Una", "ODea", True), ("O'Brien^Una", "Brienz", False),
    ("Smith-Jones^Al", "SmithJones", True), ("van der Berg^Jan", "vanderberg", True),
    ("Doe^Mary Jane", "MaryJane", True), ("Le^Ve In", "a vein", False), ("Mueller^Al", "Müller", True),
    ("Mueller^Al", "Muller", True), ("Loew^Al", "Löw", True), ("Weiss^Al", "Weiß", True),
    ("Strauß^Al", "STRAUSS", True), ("Michael^Al", "Michal", False), ("Noe^Al", "No", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said", "known"), NAMES, ids=[f"{name} as {said}" for name, said, _ in NAMES])
def test_a_name_is_found_with_other_signs_between_its_parts_or_none(name: str, said: str, known: bool) -> None:
    told = leaks_in(photograph(PatientName=name), encoded(having(ImageComments=said)))
    assert told == (("PatientName",) if known else ())


SENTENCES: Final = [
    ("Lee^Bo", "ImageComments", "Patient Lee today", True), ("LEE^BO", "ImageComments", "Patient Lee today", True),
    ("LEE^BO", "ImageComments", "seen: LEE's", True), ("Lee^Bo", "StudyDescription", "PATIENT LEE TODAY", True),
    ("Lee^Bo", "StudyDescription", "on the lee side", False), ("Lee^Bo", "ImageComments", "LEE positive", False),
    ("Lee^Bo", "ManufacturerModelName", "Lee Filter", False), ("May^Bo", "ImageComments", "May be benign", False),
    ("Ray^Bo", "ImageComments", "X-Ray", False), ("Kit^Bo", "ImageComments", "Kit-like", False),
    ("van der Ley^Bo", "ImageComments", "Van. Der Patient", False), ("An^Li", "ImageComments", "An Li", True),
    ("An^Li", "ImageComments", "An arm", False), ("Arm^Bo", "AcquisitionProtocolDescription", "ARM", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "keyword", "said", "known"), SENTENCES, ids=[f"{name} in {said}" for name, _, said, _ in SENTENCES]
)
def test_a_name_of_three_letters_is_found_in_a_sentence_where_it_stands_as_names_do(
    name: str, keyword: str, said: str, known: bool
) -> None:
    told = leaks_in(photograph(PatientName=name), encoded(having(**{keyword: said})))
    assert told == (("PatientName",) if known else ())


@pytest.mark.parametrize("part", ["Lee", "Arm"])
def test_a_short_name_in_a_codes_meaning_is_the_standards(part: str) -> None:
    made = having(AnatomicRegionSequence=[code("40983000", "SCT", f"{part} of the standard")])
    assert leaks_in(photograph(PatientName=f"{part}^Bo"), encoded(made)) == ()


NUMBERS: Final = [
    ("PatientID", "9434765919", "943 476 5919", True), ("PatientID", "9434765919", "NHS 943-476-5919.", True),
    ("PatientID", "943 476 5919", "943-476-5919", True), ("PatientID", "NHS 943 476 5919", "9434765919", True),
    ("PatientID", "943 476 5919", "943\u00a0476\u00a05919", True), ("PatientID", "9434765919", "943.476.5919", False),
    ("PatientID", "9434765919", "943 476 5918", False), ("PatientID", "9434765919", "1943 476 5919", False),
    ("PatientID", "HOSP-2025-1122", "20251122", False), ("PatientID", "123456", "123 456", False),
    ("PatientTelephoneNumbers", "+44 20 7946 0958", "02079460958", True),
    ("PatientTelephoneNumbers", "+44 20 7946 0958", "+44 (0)20 7946 0958", True),
    ("PatientTelephoneNumbers", "020 7946 0958", "+442079460958", True),
    ("PatientTelephoneNumbers", "+44 20 7946 0958", "020794609581", False),
    ("PatientTelecomInformation", "tel:+44 20 7946 0958, mailto:jo@pobox.example", "to jo@pobox.example", True),
    ("PatientTelecomInformation", "tel:+44 20 7946 0958, mailto:jo@pobox.example", "02079460958", True),
    ("BarcodeValue", "MRN4455667", "MRN4455667", True),
    ("PatientBirthDateInAlternativeCalendar", "S36.02.03", "born S36.02.03", True),
    ("PatientAddress", "12 Elm Street Leeds LS1 4AB", "of 12 Elm Street", True),
    ("PatientAddress", "12 Elm Street Leeds LS1 4AB", "ls14ab", True),
    ("PatientAddress", "12 Elm Street^Leeds^LS1 4AB", "LS14AB", True),
    ("PatientAddress", "12 Elm Street Leeds LS1 4AB", "14 Elm Street", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keyword", "value", "said", "known"), NUMBERS, ids=[f"{value} as {said}" for _, value, said, _ in NUMBERS]
)
def test_a_number_or_an_address_is_found_in_other_groups_and_in_one(
    keyword: str, value: str, said: str, known: bool
) -> None:
    told = leaks_in(photograph(**{keyword: value}), encoded(having(ImageComments=said)))
    assert told == ((keyword,) if known else ())


def test_a_copy_of_ours_is_an_original_whose_pseudonym_alone_is_a_name() -> None:
    earlier = {"PatientName": "ANON^QWERTZ765432DCBA", "PatientID": "QWERTZ765432DCBA", "OperatorsName": "ANON^ANON"}
    assert leaks_in(photograph(**earlier, DeviceSerialNumber="ANON"), encoded(having(OperatorsName="ANON^ANON"))) == ()
    for said in ("QWERTZ765432DCBA", "ANON^QWERTZ765432DCBA"):
        assert set(leaks_in(photograph(**earlier), encoded(having(ImageComments=said)))) == {"PatientName", "PatientID"}


def imaged(*image_type: str) -> Dataset:
    return having(ImageType=list(image_type))


WORDS: Final = [
    ("Primary^Ann", imaged("ORIGINAL", "PRIMARY"), False), ("Original^Ann", imaged("ORIGINAL", "PRIMARY"), False),
    ("Teaching^Profile", copy(), False), ("Primary^Ann", having(ImageComments="of Ann Primary"), True),
    ("Primary^Ann", imaged("ORIGINAL", "PRIMARY", "PRIMARY ANN"), True),
    ("Winterbottom^Ann", having(ImageType=None, ImageComments="Winterbottom"), True),
    ("Primary^Ann", having(ImageType="PRIMARY", ImageComments="OF PRIMARY"), True),
    ("Teaching^Ann", having(ImageComments="Teaching"), True),
    ("Winterbottom^Ann", having(DeidentificationMethod="Consentgate profile winterbottom"), True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "made", "known"), WORDS)
def test_what_every_copy_says_of_itself_is_no_name_and_the_same_word_elsewhere_is(
    name: str, made: Dataset, known: bool
) -> None:
    assert leaks_in(photograph(PatientName=name), encoded(made)) == (("PatientName",) if known else ())


@pytest.mark.parametrize("profile", SHIPPED)
def test_no_patient_is_refused_for_being_called_like_a_profile_that_is_shipped(profile: str) -> None:
    made = having(DeidentificationMethod=f"Consentgate profile {profile}")
    assert leaks_in(photograph(PatientName=f"{profile}^Profile"), encoded(made)) == ()


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
