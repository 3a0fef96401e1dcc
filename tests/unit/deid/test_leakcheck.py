"""The last look before the wire: nothing of the patient, in whatever writing and wherever it stands."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from copy import deepcopy
from functools import cache

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, VLPhotographicImageStorage

from dicomwrap.bitstream.clean import cleaned
from orthanc_plugin.deid.leakcheck import leaks_in
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import CONSENT_ID, encoded, photograph
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import code, encapsulated

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

NAME, NUMBER, DAY, UID = "Doe^Jane^L", "HOSP-4711-0815", "19800615", "1.3.6.1.4.1.5962.99.1.4711"
SERIAL, ADDRESS, PHONE = "SN-4711-XYZ", "12 High Street^Leeds, LS1 4AB", "0113 496 0999"


def deflated(data: bytes) -> bytes:
    work = zlib.compressobj(wbits=-15)
    return work.compress(data) + work.flush()


@cache
def original() -> Dataset:
    return photograph(
        PatientName=NAME,
        PatientID=NUMBER,
        PatientBirthDate=DAY,
        StudyInstanceUID=UID,
        DeviceSerialNumber=SERIAL,
        PatientAddress=ADDRESS,
        PatientTelephoneNumbers=PHONE,
        AccessionNumber="ACC-20251122",
        OperatorsName="Lee^Ann",
        InstitutionName="St Elsewhere",
        AcquisitionDateTime="20250301101530.25+0100",
        StudyID="1",
    )


def copy(stream: bytes | None = None, *codes: str) -> Dataset:
    """Return what a clean copy looks like."""
    made = Dataset()
    made.file_meta = deepcopy(original().file_meta)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "2.25.95138472913847561238475612384756"
    made.SOPClassUID = VLPhotographicImageStorage
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientName, made.PatientID, made.PatientBirthDate = "ANON^QWERTZ234567ABCD", "QWERTZ234567ABCD", ""
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = "Consentgate profile teaching"
    names = {"113100": "Basic Application Confidentiality Profile", "113101": "Clean Pixel Data Option"}
    made.DeidentificationMethodCodeSequence = [
        code(value, "DCM", names.get(value, "an option")) for value in ("113100", *codes)
    ]
    made.LongitudinalTemporalInformationModified = "REMOVED"
    made.BurnedInAnnotation = made.RecognizableVisualFeatures = "NO"
    made.AnatomicRegionSequence = [code("85562004", "SCT", "Hand")]
    made.ImageLaterality = "L"
    made.Rows, made.Columns = 48, 64
    encapsulated(made, [cleaned(photos.jpeg()) if stream is None else stream], "1.2.840.10008.1.2.4.50")
    return made


def having(**elements: object) -> Dataset:
    made = copy()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def found(made: Dataset) -> tuple[str, ...]:
    return leaks_in(original(), encoded(made))


def test_a_clean_copy_is_clean() -> None:
    assert found(copy()) == ()


def test_the_original_itself_is_full_of_leaks() -> None:
    assert set(found(original())) >= {
        "AccessionNumber", "AcquisitionDateTime", "DeviceSerialNumber", "InstitutionName", "IssuerOfPatientID",
        "OperatorsName", "PatientAddress", "PatientBirthDate", "PatientID", "PatientIdentityRemoved", "PatientName",
        "PatientTelephoneNumbers", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID",
    }  # fmt: skip


WRITINGS = [
    ("Doe^Jane", "PatientName"), ("DOE, JANE", "PatientName"), ("jane doe", "PatientName"), ("JaneDoe", "PatientName"),
    ("of Jane.", "PatientName"), ("doe_jane", "PatientName"), (NUMBER, "PatientID"), ("hosp 4711 0815", "PatientID"),
    ("HOSP47110815", "PatientID"), ("No:HOSP-4711-0815/2", "PatientID"), (DAY, "PatientBirthDate"),
    ("born 1980-06-15", "PatientBirthDate"), ("15/06/1980", "PatientBirthDate"), ("06/15/1980", "PatientBirthDate"),
    ("15.6.1980", "PatientBirthDate"), ("1980:06:15 10:00:00", "PatientBirthDate"), ("15061980", "PatientBirthDate"),
    ("15 June 1980", "PatientBirthDate"), ("Jun 15, 1980", "PatientBirthDate"), ("15th Jun 1980", "PatientBirthDate"),
    ("1980-6-15", "PatientBirthDate"), ("1980/6/15.", "PatientBirthDate"), ("1980年6月15日", "PatientBirthDate"),
    ("1980년 6월 15일", "PatientBirthDate"), ("15th of June 1980", "PatientBirthDate"), ("1980-6-16", None),
    ("June the 15th, 1980", "PatientBirthDate"), ("1980-6-150", None), ("1980.6.15", None), ("1980年6月", None),
    ("198006151200", "PatientBirthDate"), ("16/06/1980", None), ("1980", None), (UID, "StudyInstanceUID"),
    (f"<{UID}>", "StudyInstanceUID"), (f"{UID}.1", None), (f"1.{UID}", None), (SERIAL, "DeviceSerialNumber"),
    ("sn4711xyz", "DeviceSerialNumber"), ("at 12 high street", "PatientAddress"), ("Leeds, LS1 4AB", "PatientAddress"),
    ("01134960999", "PatientTelephoneNumbers"), ("Ann Lee", "OperatorsName"), ("ACC-20251122", "AccessionNumber"),
    ("St Elsewhere", "InstitutionName"), (f"consent {CONSENT_ID}", "(0077,1002)"), ("sleeping", None),
    ("Janeway", None), ("Hand", None), ("L", None), ("1", None), ("25", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "attribute"), WRITINGS, ids=[text for text, _ in WRITINGS])
def test_a_value_is_found_in_the_ways_people_write_it_and_not_in_other_words(text: str, attribute: str | None) -> None:
    assert (attribute in found(having(ImageComments=text))) if attribute else found(having(ImageComments=text)) == ()


def elsewhere(change: Callable[[Dataset], object]) -> Dataset:
    made = copy(None, "113111")
    change(made)
    return made


def in_private(made: Dataset, representation: str, value: object) -> None:
    made.private_block(0x0099, "VENDOR", create=True).add_new(1, representation, value)


def nested(made: Dataset) -> None:
    inner, outer = Dataset(), Dataset()
    inner.CodeMeaning = f"Skin of {NUMBER}"
    outer.AnatomicRegionModifierSequence = [inner]
    made.AnatomicRegionSequence = [outer]


SECRET = f"number {NUMBER}".encode()
PLACES: dict[str, Callable[[Dataset], object]] = {
    "deep in sequences": nested,
    "a code": lambda made: setattr(made, "ImageType", ["DERIVED", NUMBER]),
    "a UID": lambda made: setattr(made, "FrameOfReferenceUID", UID),
    "a private text": lambda made: in_private(made, "LO", NUMBER),
    "private bytes": lambda made: in_private(made, "OB", SECRET),
    "an unknown element": lambda made: in_private(made, "UN", SECRET),
    "words": lambda made: in_private(made, "OW", SECRET + b" " * (len(SECRET) % 2)),
    "a place": lambda made: setattr(made, "PatientComments", NUMBER),
    "the meta information": lambda made: setattr(made.file_meta, "SourceApplicationEntityTitle", NUMBER),
    "the preamble": lambda made: setattr(made, "preamble", SECRET.ljust(128, b"\0")),
    "behind the picture": lambda made: setattr(made, "DataSetTrailingPadding", SECRET),
    "UTF-16": lambda made: in_private(made, "OB", NUMBER.encode("utf-16-le")),
    "UTF-16, the other way": lambda made: in_private(made, "OB", NUMBER.encode("utf-16-be")),
    "base64": lambda made: in_private(made, "LT", base64.b64encode(SECRET).decode()),
    "base64 within words": lambda made: in_private(made, "UT", "see:" + base64.b64encode(b"x" + SECRET).decode()),
    "base64 in lines": lambda made: in_private(made, "UT", base64.encodebytes(bytes(57) + SECRET).decode()),
    "base64 for the web": lambda made: in_private(made, "UT", base64.urlsafe_b64encode(b"\xff\xfe" + SECRET).decode()),
    "hexadecimal": lambda made: in_private(made, "LT", SECRET.hex()),
    "HEXADECIMAL": lambda made: in_private(made, "LT", SECRET.hex(" ").upper()),
    "zlib": lambda made: in_private(made, "OB", b"head" + zlib.compress(SECRET)),
    "gzip": lambda made: in_private(made, "OB", gzip.compress(SECRET)),
    "bare deflate": lambda made: in_private(made, "OB", deflated(SECRET * 3)),
    "base64 of zlib": lambda made: in_private(made, "UT", base64.b64encode(zlib.compress(SECRET)).decode()),
    "zlib of base64": lambda made: in_private(made, "OB", zlib.compress(base64.b64encode(SECRET))),
}


@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES)
def test_wherever_it_stands_it_is_found(change: Callable[[Dataset], object]) -> None:
    reached = {"StudyInstanceUID"} if change is PLACES["a UID"] else {"PatientID"}
    assert reached <= set(found(elsewhere(change)))


PLAIN = cleaned(photos.jpeg())
STREAMS = {
    "a comment": photos.with_segments(PLAIN, photos.segment(0xFE, SECRET)),
    "EXIF": photos.with_segments(PLAIN, photos.segment(0xE1, b"Exif\0\0" + SECRET)),
    "a short name in a segment": photos.with_segments(PLAIN, photos.segment(0xE5, b"Jane")),
    "behind the end": PLAIN + SECRET,
    "before the end": PLAIN[:-2] + SECRET + PLAIN[-2:],
    "before the end, packed": PLAIN[:-2] + zlib.compress(SECRET) + PLAIN[-2:],
    "before the end, in base64": PLAIN[:-2] + base64.b64encode(SECRET) + PLAIN[-2:],
    "before the end, in UTF-16": PLAIN[:-2] + NUMBER.encode("utf-16-le") + PLAIN[-2:],
    "a second picture's segment": PLAIN + photos.with_segments(PLAIN, photos.segment(0xFE, SECRET)),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_among_the_pictures_bits_it_is_found_too(stream: bytes) -> None:
    assert {"PatientID", "PatientName"} & set(found(copy(stream)))


def test_a_segment_that_no_decoder_needs_is_found_whatever_it_says() -> None:
    strange = photos.with_segments(PLAIN, photos.segment(0xEA, b"\1\2\3\4"))
    assert found(copy(strange)) == ("PixelData",)


def test_a_deflated_object_is_looked_into() -> None:
    made = having(ImageComments=NUMBER)
    del made.PixelData
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    assert "PatientID" in found(made)


def test_uncompressed_pixels_are_looked_through() -> None:
    made = copy()
    made["PixelData"].value, made["PixelData"].is_undefined_length = bytes(4000) + SECRET + bytes(4001), False
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert found(made) == ("PatientID",)


@pytest.mark.parametrize("bomb", [zlib.compress(bytes(5 * 1024**2)), zlib.compress(bytes(3 * 1024**2)) * 12])
def test_more_than_can_be_looked_through_is_refused(bomb: bytes) -> None:
    with pytest.raises(DeidentificationError, match="looked through"):
        found(elsewhere(lambda made: in_private(made, "OB", bomb + SECRET)))


def test_samples_that_read_as_letters_are_no_name() -> None:
    made = copy()
    made["PixelData"].value, made["PixelData"].is_undefined_length = b"..annlee19800615doejane." * 400, False
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert found(made) == ()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Hand^Mary", "P1"), ("Hand^Basic^Pixel", "85562004"), ("L^NO", "113100"), ("Li^A", "1"), ("Doe^Jane", "12"),
        ("Basic^Option", "10918"), ("Yes^R", "10008"), ("Clean^Mr", "000000"), ("A^B^C", "48"), ("Ox^Al", "2026"),
    ],
)  # fmt: skip
def test_a_patient_who_is_called_like_a_word_of_the_standard_raises_no_alarm(name: str, number: str) -> None:
    whose = photograph(PatientName=name, PatientID=number, StudyID="L", AccessionNumber="NO")
    assert leaks_in(whose, encoded(copy(None, "113101"))) == ()


@pytest.mark.parametrize("value", ["P1", "p1 "])
def test_a_short_number_is_found_where_it_is_all_there_is(value: str) -> None:
    assert leaks_in(photograph(PatientID="P1"), encoded(having(StationName=value))) == ("PatientID",)


def test_names_are_found_in_every_script_and_coding() -> None:
    named = photograph(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    for said in ("Yamada", "of tarou", "山田太郎", "やまだ"):
        assert leaks_in(named, encoded(having(ImageComments=said))) == ("PatientName",)
    for coding in ("utf-16-le", "shift_jis", "euc_jp", "gb18030"):
        made = elsewhere(lambda made, coding=coding: in_private(made, "OB", "山田 太郎".encode(coding)))
        assert "PatientName" in leaks_in(named, encoded(made))


def test_a_uid_of_a_uuid_is_found_as_that_uuid() -> None:
    whose = photograph(SOPInstanceUID="2.25.329800735698586629295641978511506172918")
    made = having(ImageComments="f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
    assert leaks_in(whose, encoded(made)) == ("SOPInstanceUID",)


KEPT = [
    ("113110", "StudyInstanceUID", {"StudyInstanceUID": UID}),
    ("113109", "DeviceSerialNumber", {"DeviceSerialNumber": SERIAL}),
    ("113112", "InstitutionName", {"InstitutionName": "St Elsewhere"}),
    ("113106", "StudyDate", {"StudyDate": "20250301", "LongitudinalTemporalInformationModified": "UNMODIFIED"}),
]


@pytest.mark.parametrize(("kept", "attribute", "elements"), KEPT, ids=[kept for kept, _, _ in KEPT])
def test_what_a_copy_says_it_kept_is_no_leak(kept: str, attribute: str, elements: dict[str, object]) -> None:
    made = copy(None, kept)
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    assert found(made) == ()
    made.DeidentificationMethodCodeSequence = made.DeidentificationMethodCodeSequence[:1]
    assert attribute in found(made)


def test_a_birth_date_is_never_kept() -> None:
    made = copy(None, "113106")
    made.StudyDate, made.LongitudinalTemporalInformationModified = DAY, "UNMODIFIED"
    assert found(made) == ("PatientBirthDate",)


def test_a_study_that_is_called_by_its_day_is_no_leak_where_days_are_kept() -> None:
    made = copy(None, "113106")
    made.StudyDate, made.LongitudinalTemporalInformationModified = "20250301", "UNMODIFIED"
    assert leaks_in(photograph(StudyDate="20250301", StudyID="20250301"), encoded(made)) == ()
    made.DeidentificationMethodCodeSequence = made.DeidentificationMethodCodeSequence[:1]
    assert "StudyID" in leaks_in(photograph(StudyDate="20250301", StudyID="20250301"), encoded(made))


CLAIMS: dict[str, tuple[Callable[[Dataset], object], tuple[str, ...]]] = {
    "silence": (lambda made: made.pop("PatientIdentityRemoved"), ("PatientIdentityRemoved",)),
    "no method": (
        lambda made: [made.pop(each) for each in ("DeidentificationMethod", "DeidentificationMethodCodeSequence")],
        ("DeidentificationMethod",),
    ),
    "features": (lambda made: setattr(made, "RecognizableVisualFeatures", "YES"), ("RecognizableVisualFeatures",)),
    "annotation": (lambda made: setattr(made, "BurnedInAnnotation", "YES"), ("BurnedInAnnotation",)),
    "dates": (
        lambda made: setattr(made, "LongitudinalTemporalInformationModified", "UNMODIFIED"),
        ("LongitudinalTemporalInformationModified",),
    ),
    "private elements": (lambda made: in_private(made, "LO", "A"), ("(0099,0010)", "(0099,1001)")),
    "an address": (lambda made: setattr(made, "PatientAddress", "somewhere"), ("PatientAddress",)),
    "earlier values": (
        lambda made: setattr(made, "OriginalAttributesSequence", [Dataset()]), ("OriginalAttributesSequence",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), CLAIMS.values(), ids=CLAIMS)
def test_a_claim_that_the_rest_contradicts_is_told(change: Callable[[Dataset], object], told: tuple[str, ...]) -> None:
    made = copy()
    change(made)
    assert found(made) == told


@pytest.mark.parametrize(
    ("value", "keyword"), [("113101", "BurnedInAnnotation"), ("113102", "RecognizableVisualFeatures")]
)
def test_a_claim_of_a_clean_picture_needs_the_word_of_the_reviewer(value: str, keyword: str) -> None:
    made = copy(None, value)
    assert found(made) == ()
    made.pop(keyword)
    assert found(made) == (keyword,)
