"""The stamp: summed up from a record, written into an object, read back, and declared for de-identifiers."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomwrap.consentfile import read_consent
from dicomwrap.consentstamp import Distribution
from dicomwrap.consenttags import CREATOR, GROUP, ConsentStamp, read_stamp, stamp, stamp_of, stamp_without_consent
from dicomwrap.terms import PURPOSE_CODES, Purpose
from tests.unit.dicomwrap.objects import CONSENT, consent, wrapped

RESEARCH = {
    "purposes": ["DIRECT_CARE", "RESEARCH", "PUBLICATION", "PUBLIC_MEDIA"], "valid_to": "2030-01-01",
}  # fmt: skip


def summed_up(**changes: object) -> ConsentStamp:
    return stamp_of(read_consent(json.dumps({**json.loads(CONSENT), **changes})), Purpose.DIRECT_CARE)


def hopped(dataset: Dataset) -> Dataset:
    """Return what is left after a hop through Implicit VR and back, as an application does that knows no block."""
    plain = Dataset()
    for element in dataset:
        if element.tag.group != 0x7FE0:
            plain.add(element)
    buffer = BytesIO()
    plain.save_as(buffer, implicit_vr=True, little_endian=True)
    again = dcmread(BytesIO(buffer.getvalue()), force=True)
    for element in again.group_dataset(GROUP):
        if element.tag.elem > 0xFF:
            element.VR, element._value = "UN", "\\".join(_texts(element.value)).encode() + b" "
    return again


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if not isinstance(value, str) else [value]


def test_a_consent_is_summed_up_in_codes() -> None:
    assert stamp_of(consent(), Purpose.TEACHING) == ConsentStamp(
        record_id="urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        record_version="3",
        status="active",
        basis="OPTIN",
        permitted=("TREAT", "TRAIN"),
        capture_purpose="TRAIN",
        decided_on=date(2025, 3, 1),
        given_by="PATIENT",
    )


@pytest.mark.parametrize(
    ("changes", "status", "permitted", "denied"),
    [
        ({"state": "PROPOSED"}, "proposed", (), ()),
        ({"state": "REFUSED"}, "rejected", (), ("TREAT", "TRAIN")),
        ({"state": "EXPIRED"}, "inactive", (), ()),
        ({"state": "SUPERSEDED"}, "inactive", (), ()),
        ({"state": "ENTERED_IN_ERROR"}, "entered-in-error", (), ()),
        ({"state": "WITHDRAWN", "withdrawn_on": "2026-01-01"}, "inactive", (), ("TREAT", "TRAIN")),
        (
            {"state": "WITHDRAWN", "withdrawn_on": "2026-01-01", "withdrawn_purposes": ["TEACHING"]},
            "active", ("TREAT",), ("TRAIN",),
        ),
        ({"withdrawn_on": "2026-01-01", "withdrawn_purposes": ["TEACHING"]}, "active", ("TREAT",), ("TRAIN",)),
        ({"withdrawn_on": "2026-01-01", "withdrawn_purposes": ["ALL"]}, "active", (), tuple(PURPOSE_CODES.values())),
    ],
)  # fmt: skip
def test_the_state_decides_what_is_permitted_and_denied(
    changes: dict[str, object], status: str, permitted: tuple[str, ...], denied: tuple[str, ...]
) -> None:
    found = summed_up(**changes)
    assert (found.status, found.permitted, found.denied) == (status, permitted, denied)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"purposes": ["RESEARCH"]}, (Distribution("YES", "RESTRICTED_REUSE"),)),
        ({"purposes": ["PUBLIC_MEDIA"]}, (Distribution("YES", "PUBLIC_RELEASE"),)),
        ({"purposes": ["PUBLIC_MEDIA"], "valid_to": "2030-01-01"}, (Distribution("YES", "RESTRICTED_REUSE"),)),
        ({"purposes": ["PUBLICATION"], "state": "REFUSED"}, (Distribution("NO"),)),
        (
            {"purposes": ["RESEARCH"], "state": "WITHDRAWN", "withdrawn_on": "2026-01-01"},
            (Distribution("WITHDRAWN", "RESTRICTED_REUSE"),),
        ),
        (
            {
                "purposes": ["RESEARCH", "PUBLICATION", "PUBLIC_MEDIA"],
                "withdrawn_on": "2026-01-01",
                "withdrawn_purposes": ["PUBLICATION"],
            },
            (Distribution("WITHDRAWN", "RESTRICTED_REUSE"), Distribution("YES", "PUBLIC_RELEASE")),
        ),
        ({"purposes": ["RESEARCH"], "state": "PROPOSED"}, ()),
    ],
)
def test_research_and_public_release_are_said_in_the_standard_attribute(
    changes: dict[str, object], expected: tuple[Distribution, ...]
) -> None:
    assert summed_up(**changes).distributions == expected


STAMPS = [
    ConsentStamp(),
    stamp_without_consent(Purpose.TEACHING, confidentiality="R"),
    stamp_of(consent(), Purpose.DIRECT_CARE),
    summed_up(**RESEARCH),
    summed_up(state="REFUSED", purposes=["ALL"]),
    summed_up(giver={"type": "BEST_INTERESTS"}),
]


@pytest.mark.parametrize("expected", STAMPS)
def test_a_stamp_is_read_back_as_written(expected: ConsentStamp) -> None:
    dataset = Dataset()
    stamp(dataset, expected)
    assert read_stamp(dataset) == expected


@pytest.mark.parametrize("expected", STAMPS)
def test_a_stamp_survives_a_hop_that_makes_its_elements_unknown(expected: ConsentStamp) -> None:
    assert read_stamp(hopped(wrapped(stamp=expected))) == expected


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_stamp_is_found_by_its_creator_in_any_block(syntax: str) -> None:
    dataset = Dataset()
    dataset.private_block(GROUP, "SOMEBODY ELSE", create=True).add_new(1, "LO", "theirs")
    stamp(dataset, STAMPS[2])
    assert dataset[GROUP, 0x11].value == CREATOR
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    assert read_stamp(dcmread(BytesIO(buffer.getvalue()), force=True)) == STAMPS[2]


def test_a_second_stamp_replaces_the_first() -> None:
    dataset = Dataset()
    for each in (STAMPS[3], STAMPS[0]):
        stamp(dataset, each)
    fresh = Dataset()
    stamp(fresh, STAMPS[0])
    assert dataset.get("ConsentForClinicalTrialUseSequence") is None
    assert read_stamp(dataset) == STAMPS[0]
    assert dataset.PrivateDataElementCharacteristicsSequence == fresh.PrivateDataElementCharacteristicsSequence
    assert [element.tag for element in dataset.group_dataset(GROUP)] == [e.tag for e in fresh.group_dataset(GROUP)]


@pytest.mark.parametrize("each", STAMPS)
def test_the_declaration_lists_every_element_once_and_nothing_else(each: ConsentStamp) -> None:
    dataset = Dataset()
    stamp(dataset, each)
    (item,) = dataset.PrivateDataElementCharacteristicsSequence
    safe = _numbers(item.NonidentifyingPrivateElements)
    unsafe = [
        number
        for action in item.get("DeidentificationActionSequence", [])
        for number in _numbers(action.IdentifyingPrivateElements)
    ]
    present = [element.tag.elem & 0xFF for element in dataset.group_dataset(GROUP) if element.tag.elem > 0xFF]
    assert (item.PrivateGroupReference, item.PrivateCreatorReference) == (GROUP, CREATOR)
    assert sorted([*safe, *unsafe]) == sorted(present)
    assert set(unsafe) <= {0x02, 0x20, 0x21}


def _numbers(value: object) -> list[int]:
    return [value] if isinstance(value, int) else list(value)  # type: ignore[call-overload]


def test_an_object_without_the_block_has_no_stamp() -> None:
    assert read_stamp(Dataset()) is None


def test_what_cannot_be_read_in_a_stamp_counts_as_not_said() -> None:
    dataset = Dataset()
    block = dataset.private_block(GROUP, CREATOR, create=True)
    block.add_new(0x10, "UN", b"\xff\xfeTREAT\\\0 ")
    block.add_new(0x20, "UN", b"yesterday")
    found = read_stamp(dataset)
    assert found is not None
    assert (found.status, found.basis, found.decided_on) == ("", "", None)
    assert "TREAT" not in found.permitted


def test_more_purposes_than_the_block_has_room_for_are_refused() -> None:
    too_many = dataclasses.replace(ConsentStamp(), permitted=tuple(f"P{number}" for number in range(17)))
    with pytest.raises(ValueError, match="16"):
        stamp(Dataset(), too_many)
