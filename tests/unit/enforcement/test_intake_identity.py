"""Whose picture it is can't be read, or doesn't fit: it is held, on both databases, and nothing of it is lost."""

from __future__ import annotations

import pytest
from pydicom.config import disable_value_validation

from dicomwrap.consentstamp import ConsentStamp
from orthanc_plugin.registry.tables import quarantine
from tests.fakes.pictures import CARE, consent, encoded, photograph
from tests.fakes.world import World


def written(stamp: ConsentStamp | None, **elements: str) -> bytes:
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
