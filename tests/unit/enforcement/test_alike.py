"""What is remembered of one object is said of another only when all that it rests on is the same, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ImplicitVRLittleEndian

from dicomwrap.consentblock import CREATOR, GROUP, SEAL
from dicomwrap.consentstamp import ConsentStamp, Distribution
from dicomwrap.consenttags import read_stamp
from orthanc_plugin.enforcement.alike import LONGEST, MOST, Alike
from orthanc_plugin.enforcement.describing import PLACES, STAMPS
from orthanc_plugin.enforcement.reading import parsed
from orthanc_plugin.enforcement.taking import MEANS
from tests.fakes.pictures import encoded, photograph

READINGS: Final[dict[str, Alike[object]]] = {"stamp": STAMPS, "means": MEANS, "places": PLACES}  # type: ignore[dict-item]
STAMP: Final = ConsentStamp(record_id="urn:uuid:1", decided_on=date(2026, 1, 2), permitted=("TREAT",))
SHARED: Final = ConsentStamp(distributions=(Distribution("NO", "NAMED_PROTOCOL"),))


def item(**values: object) -> list[Dataset]:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return [made]


PLAIN: Final[dict[str, object]] = {
    "DeviceSerialNumber": "SN1",
    "StationName": "ROOM1",
    "OperatorsName": "Able^Ann",
    "OperatorIdentificationSequence": item(PersonIdentificationCodeSequence=item(CodeValue="7")),
    "Manufacturer": "Maker",
    "ManufacturerModelName": "One",
    "SoftwareVersions": ["1", "2"],
    "ContributingEquipmentSequence": item(Manufacturer="Other"),
    "AnatomicRegionSequence": item(CodeValue="73897004", CodingSchemeDesignator="SCT"),
    "InstitutionalDepartmentName": "Dermatology",
}
OTHERWISE: Final[list[dict[str, object]]] = [
    {"DeviceSerialNumber": "SN2"},
    {"DeviceSerialNumber": None},
    {"StationName": ""},
    {"OperatorsName": "Able^Anne"},
    {"OperatorIdentificationSequence": item(PersonIdentificationCodeSequence=item(CodeValue="8"))},
    {"OperatorIdentificationSequence": []},
    {"Manufacturer": "WhatsApp"},
    {"ManufacturerModelName": "Two"},
    {"SoftwareVersions": ["1", "3"]},
    {"ContributionDescription": "Telegram"},
    {"ContributingEquipmentSequence": item(Manufacturer="Dropbox")},
    {"AnatomicRegionSequence": item(CodeValue="68698007", CodingSchemeDesignator="SCT")},
    {"InstitutionalDepartmentName": "Medical Photography"},
    {"SpecificCharacterSet": "ISO_IR 100", "OperatorsName": "\xc4ble^Ann", "InstitutionalDepartmentName": "H\xe4ut"},
    {"stamp": ConsentStamp()},
    {"stamp": STAMP},
    {"stamp": SHARED},
    {"stamp": ConsentStamp(device_class="PATIENT")},
]


def sent(**changes: object) -> Dataset:
    """Return a photograph as intake has it."""
    return parsed(encoded(photograph(**{**PLAIN, **changes})))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize("changes", OTHERWISE)
def test_what_is_said_otherwise_is_read_for_itself(name: str, changes: dict[str, object]) -> None:
    reading = READINGS[name]
    for each in (PLAIN, changes, PLAIN, changes):
        assert reading.of(sent(**each)) == reading.read(sent(**each))


def test_each_of_these_changes_is_one_that_a_reading_tells() -> None:
    for changes in OTHERWISE:
        assert any(reading.read(sent(**changes)) != reading.read(sent()) for reading in READINGS.values()), changes


class Watched(Dataset):
    """A data set that notes which elements are asked for."""

    asked: set[int]

    def get_item(self, key: Any, *, keep_deferred: bool = False) -> Any:  # noqa: ANN401 - whatever names an element
        """Note the element, and return it."""
        self.asked.add(int(Tag(key)))
        return super().get_item(key, keep_deferred=keep_deferred)

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
        """Note the element, or the first of a slice, and return what is there."""
        self.asked.add(int(Tag(key.start if isinstance(key, slice) else key)))
        return super().__getitem__(key)

    def __contains__(self, key: Any) -> bool:  # noqa: ANN401
        """Note the element, and tell whether it is there."""
        self.asked.add(int(Tag(key)))
        return super().__contains__(key)


@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize("changes", [{}, {"stamp": SHARED}, {"StationName": "\xc4"}, {"ContributionDescription": "x"}])
def test_a_reading_asks_for_nothing_but_what_it_is_remembered_under(name: str, changes: dict[str, object]) -> None:
    plain, reading = sent(**changes), READINGS[name]
    watched = Watched(dict(zip(plain.keys(), plain.values(), strict=True)))
    watched.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=["utf8"])
    object.__setattr__(watched, "asked", set())
    reading.read(watched)
    known = {int(tag) for tag in (*reading.tags, *reading.further(plain))}
    known.add(0x00280103)  # PixelRepresentation: pydicom hands it on to items, for numbers, of which none is read
    beyond = {tag for tag in watched.asked - known if not (reading is STAMPS and tag >> 16 == GROUP)}
    assert beyond == set()
    assert watched.asked & known


def counted(
    read: Callable[[Dataset], str] = lambda dataset: str(dataset.StationName),
) -> tuple[Alike[str], list[Dataset]]:
    done: list[Dataset] = []

    def noted(dataset: Dataset) -> str:
        done.append(dataset)
        return read(dataset)

    return Alike(noted, ("StationName",)), done


def test_pictures_of_a_session_are_read_once() -> None:
    reading, done = counted()
    assert [reading.of(sent(uid=f"2.25.{number}", InstanceNumber=number)) for number in range(5)] == ["ROOM1"] * 5
    assert len(done) == 1


def test_a_seal_of_each_object_s_own_is_no_other_stamp() -> None:
    sealed = []
    for seal in ("one", "another"):
        plain = photograph(stamp=STAMP)
        plain.private_block(GROUP, CREATOR).add_new(SEAL.offset, SEAL.vr, seal)
        sealed.append(parsed(encoded(plain)))
    assert STAMPS.of(sealed[0]) is STAMPS.of(sealed[1])
    assert STAMPS.of(sealed[0]) == read_stamp(sent(stamp=STAMP))


def test_what_pydicom_has_converted_is_read_each_time() -> None:
    reading, done = counted()
    for _ in range(3):
        dataset = sent()
        dataset.StationName = "ROOM1"
        assert reading.of(dataset) == "ROOM1"
    assert len(done) == 3


@pytest.mark.parametrize(("beyond", "times"), [(0, 1), (1, 3)])
def test_what_says_more_than_any_device_does_is_not_remembered(beyond: int, times: int) -> None:
    reading, done = counted(lambda _dataset: "")
    dataset = sent()
    raw = dataset.get_item(0x00081010)
    assert isinstance(raw, RawDataElement)
    room = LONGEST - len(str(dataset.get_item(0x00080005).value.decode()))
    dataset[BaseTag(0x00081010)] = raw._replace(value=b"x" * (room + beyond))
    for _ in range(3):
        reading.of(dataset)
    assert len(done) == times


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    reading, done = counted()
    base = sent()
    for number in range(MOST + 1):
        raw = base.get_item(0x00081010)
        assert isinstance(raw, RawDataElement)
        base[BaseTag(0x00081010)] = raw._replace(value=f"ROOM{number:04}".encode())
        assert reading.of(Dataset(dict(zip(base.keys(), base.values(), strict=True)))) == f"ROOM{number:04}"
    assert len(done) == MOST + 1
    assert len(reading._known) == 1  # all that was there has made way


def test_the_same_bytes_in_another_encoding_are_something_else() -> None:
    reading, done = counted(lambda dataset: str(dataset.get_item(0x00081010).VR))
    explicit = sent()
    raw = explicit.get_item(0x00081010)
    assert isinstance(raw, RawDataElement)
    otherwise = (raw._replace(VR="LO"), raw._replace(is_implicit_VR=True), raw._replace(is_little_endian=False))
    for each in (raw, *otherwise, raw):
        explicit[BaseTag(0x00081010)] = each
        assert reading.of(explicit) == each.VR
    assert len(done) == 4


def test_an_object_in_implicit_vr_is_read_as_itself() -> None:
    plain = photograph(**PLAIN)  # type: ignore[arg-type]
    plain.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    plain.PixelData, plain["PixelData"].VR, plain["PixelData"].is_undefined_length = b"\0\0", "OW", False
    content = encoded(plain)
    for reading in READINGS.values():
        assert reading.of(parsed(content)) == reading.read(parsed(content))


def test_an_error_is_raised_each_time() -> None:
    reading, done = counted(lambda dataset: str(dataset.NoSuchElement))
    for _ in range(2):
        with pytest.raises(AttributeError):
            reading.of(sent())
    assert len(done) == 2
