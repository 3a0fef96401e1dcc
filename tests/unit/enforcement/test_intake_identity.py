"""Whose picture it is can't be read, or doesn't fit: it is held, on both databases, and nothing of it is lost."""

from __future__ import annotations

import pytest
from pydicom.config import disable_value_validation

from dicomwrap.consentstamp import ConsentStamp
from orthanc_plugin.registry.tables import quarantine
from tests.fakes.pictures import CARE, consent, encoded, photograph
from tests.fakes.world import World


def written(stamp: ConsentStamp | None, **elements: str | None) -> bytes:
    with disable_value_validation():
        return encoded(photograph(stamp=stamp, **elements))


@pytest.mark.parametrize("stamp", [None, ConsentStamp()], ids=["with consent", "without"])
@pytest.mark.parametrize(
    ("keyword", "value", "rule"),
    [
        ("PatientID", "P" * 65, "IDENTITY_TOO_LONG"),
        ("PatientID", "é" * 65, "IDENTITY_TOO_LONG"),
        ("IssuerOfPatientID", "H" * 65, "IDENTITY_TOO_LONG"),
        ("AccessionNumber", "A" * 65, "IDENTITY_TOO_LONG"),
        ("PatientID", "P1\0P2", "IDENTITY_AMBIGUOUS"),
        ("IssuerOfPatientID", "HO\0SP", "IDENTITY_AMBIGUOUS"),
        ("AccessionNumber", "A\0B", "IDENTITY_AMBIGUOUS"),
    ],
)
def test_an_identity_that_no_column_can_hold_is_kept_in_quarantine(
    stamp: ConsentStamp | None, keyword: str, value: str, rule: str, either_world: World
) -> None:
    either_world.record(consent(CARE))
    content = written(stamp, SpecificCharacterSet="ISO_IR 192", **{keyword: value})
    verdict = either_world.receive(content)
    assert verdict.content is None
    assert rule in {reason.partition(":")[0] for reason in verdict.reasons}
    (held,) = either_world.held()
    assert either_world.services.spool.get(held.spool_name) == content
    assert len(held.patient_id) <= quarantine.c.patient_id.type.length  # type: ignore[attr-defined]
    assert either_world.rows() == []
    assert value not in str(either_world.trail())


def test_an_identity_of_just_the_longest_length_is_filed(either_world: World) -> None:
    either_world.record(consent(CARE, patient_id="P" * 64, issuer="HOSP"))
    content = written(None, PatientID="P" * 64, AccessionNumber="A" * 64)
    assert either_world.receive(content).reasons == ()
    assert either_world.row().patient_id == "P" * 64


UTF8, LATIN_1, JAPANESE = "ISO_IR 192", "ISO_IR 100", "ISO_IR 13"


@pytest.mark.parametrize(
    ("number", "character_set", "certain"),
    [
        (b"P-M\xfcller", LATIN_1, True),
        (b"P-M\xfcller", "iso_ir 100", True),
        ("P-M\u00fcller".encode(), UTF8, True),
        ("P\u5c71\u7530".encode("gb18030"), "GB18030", True),
        (b"P\x1b$B;3ED\x1b(B", "\\ISO 2022 IR 87", True),
        (b"P~1", UTF8, True),
        (b"P-M\xfcller", "", False),
        (b"P-M\xfcller", "ISO_IR 6", False),
        (b"P-M\xfcller", "ISO_IR 999", False),
        (b"P-M\xfcller", UTF8, False),
        (b"P~1", JAPANESE, False),
        (b"P~1", "ISO 2022 IR 13\\ISO 2022 IR 87", False),
        (b"P1\xa0", LATIN_1, False),
        ("P1\u3000".encode(), UTF8, False),
        (b"P1\x85", LATIN_1, False),
    ],
)
def test_a_number_that_the_archive_may_read_otherwise_is_held_instead_of_being_stored_where_no_door_leads(
    number: bytes, character_set: str, certain: bool, world: World
) -> None:
    sized = b"N" * (len(number) + len(number) % 2)
    content = written(None, PatientID=sized.decode(), SpecificCharacterSet=character_set or None)
    assert content.count(sized) == 1
    verdict = world.receive(content.replace(sized, number.ljust(len(sized))))
    assert ("IDENTITY_AMBIGUOUS" not in {reason.partition(":")[0] for reason in verdict.reasons}) is certain
    assert len(world.held()) == 1
