"""The seal of a consent stamp: whether it was changed, or carried to another picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.consentblock import ELEMENTS, GROUP, SEAL, seal
from dicomwrap.consentstamp import stamp_of
from dicomwrap.consenttags import CREATOR, SealState, seal_state, stamp
from dicomwrap.terms import Purpose
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PATIENT, one, put
from tests.unit.dicomwrap.objects import CONSENT, consent, wrapped

KEY, OTHER_KEY = b"0123456789abcdef", b"fedcba9876543210"


def sealed(key: bytes | None = KEY) -> Dataset:
    return wrapped(stamp=stamp_of(consent(), Purpose.TEACHING), key=key)


def element(dataset: Dataset, offset: int) -> object:
    return dataset.private_block(GROUP, CREATOR)[offset]


@pytest.mark.parametrize(
    ("made_with", "asked_with", "state"),
    [
        (KEY, KEY, SealState.HOLDS),
        (KEY, None, SealState.NEEDS_KEY),
        (KEY, OTHER_KEY, SealState.CHANGED),
        (None, None, SealState.UNKEYED),
        (None, KEY, SealState.UNKEYED),
    ],
)
def test_a_seal_holds_for_who_has_the_key(made_with: bytes | None, asked_with: bytes | None, state: SealState) -> None:
    assert seal_state(sealed(made_with), asked_with) is state


PRESENT = [item for item in ELEMENTS if item is not SEAL and item.offset in sealed().private_block(GROUP, CREATOR)]


@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
@pytest.mark.parametrize("item", PRESENT, ids=lambda item: item.name)
def test_a_changed_element_breaks_the_seal(item: object, key: bytes | None) -> None:
    dataset = sealed(key)
    element(dataset, item.offset).value = "20301231" if item.vr == "DT" else "OTHER"  # type: ignore[attr-defined]
    assert seal_state(dataset, key) is SealState.CHANGED


@pytest.mark.parametrize("item", PRESENT, ids=lambda item: item.name)
def test_an_element_that_is_taken_out_breaks_the_seal(item: object) -> None:
    dataset = sealed()
    del dataset.private_block(GROUP, CREATOR)[item.offset]  # type: ignore[attr-defined]
    assert seal_state(dataset, KEY) is SealState.CHANGED


@pytest.mark.parametrize("offset", [0x11, 0x30, 0x41, 0xFF])
def test_an_element_that_is_added_breaks_the_seal(offset: int) -> None:
    dataset = sealed()
    dataset.private_block(GROUP, CREATOR).add_new(offset, "LO", "TREAT")
    assert seal_state(dataset, KEY) is SealState.CHANGED


def test_a_stamp_that_is_carried_to_another_object_is_found() -> None:
    dataset = sealed()
    dataset.SOPInstanceUID = "2.25.4"
    assert seal_state(dataset, KEY) is SealState.CHANGED


def test_a_purpose_that_moves_from_one_element_to_the_next_is_found() -> None:
    one_way = seal("2.25.3", {0x10: ("A",), 0x11: ("B",)}, KEY)
    assert one_way != seal("2.25.3", {0x10: ("A", "B")}, KEY)
    assert one_way != seal("2.25.3", {0x10: ("B",), 0x11: ("A",)}, KEY)
    assert one_way == seal("2.25.3", {0x11: ("B ",), 0x10: ("A",), SEAL.offset: ("x",)}, KEY)


def test_a_keyed_seal_that_is_replaced_by_an_unkeyed_one_does_not_hold() -> None:
    dataset = sealed()
    element(dataset, SEAL.offset).value = element(sealed(None), SEAL.offset).value  # type: ignore[attr-defined]
    assert seal_state(dataset, KEY) is not SealState.HOLDS


@pytest.mark.parametrize("implicit", [True, False])
def test_a_seal_survives_other_encodings(implicit: bool) -> None:
    dataset = sealed()
    del dataset.PixelData
    buffer = BytesIO()
    Dataset(dataset).save_as(buffer, implicit_vr=implicit, little_endian=True)
    assert seal_state(dcmread(BytesIO(buffer.getvalue()), force=True), KEY) is SealState.HOLDS


def test_a_stamp_made_by_another_program_has_no_seal() -> None:
    dataset = Dataset()
    stamp(dataset, stamp_of(consent(), Purpose.TEACHING))
    assert seal_state(dataset, KEY) is SealState.MISSING
    assert seal_state(Dataset(), KEY) is SealState.MISSING


def test_the_command_seals_with_the_key_in_a_file(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", photos.camera_photo())
    key = put(tmp_path / "key", KEY)
    said = ("--consent", put(tmp_path / "c.json", CONSENT), "--issuer", "HOSP", "--stamp-key", key)
    dataset = one(photo, *PATIENT, *said, out=tmp_path / "out")
    assert seal_state(dataset, KEY) is SealState.HOLDS
    assert seal_state(dataset) is SealState.NEEDS_KEY
    assert KEY not in (tmp_path / "out" / "a.dcm").read_bytes()


def test_without_a_key_the_command_seals_against_accidents(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", photos.camera_photo())
    assert seal_state(one(photo, *PATIENT, out=tmp_path / "out")) is SealState.UNKEYED
