"""The facts of one decision: which consents speak of this picture, and what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.gate import asked
from orthanc_plugin.policy.model import Anonymisable, Case, ImageStatus, MadeFor, Switches
from orthanc_plugin.registry import facts
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import World

OTHER = "urn:x:other"


def case(world: World, uid: str = UID) -> Case:
    with world.services.database.reading() as connection:
        return facts.case(connection, uid, asked(world.request(), world.clock()), Switches(), "case")


def test_an_unknown_image_makes_no_case(world: World) -> None:
    with pytest.raises(UnknownImageError):
        case(world)


def test_each_scope_of_a_consent_is_told_on_its_own(world: World) -> None:
    world.file(CARE, TEACHING)
    found = case(world).consents
    assert [(each.id, each.purposes, each.max_form) for each in found] == [
        (CONSENT_ID, ("DIRECT_CARE",), "IDENTIFIABLE"),
        (CONSENT_ID, ("TEACHING",), "ANONYMISED"),
    ]


@pytest.mark.parametrize(
    ("level", "targets", "covered"),
    [
        ("PATIENT", [], True),
        ("STUDY", ["2.25.1"], True),
        ("STUDY", ["2.25.3"], False),
        ("STUDY", [], False),
        ("SERIES", ["2.25.2"], True),
        ("SERIES", ["2.25.1"], False),
        ("IMAGE", ["2.25.9", UID], True),
        ("IMAGE", ["2.25.1", "2.25.2"], False),
        ("IMAGE", [], False),
    ],
)
def test_a_consent_speaks_of_what_its_level_names(level: str, targets: list[str], covered: bool, world: World) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=OTHER, level=level, targets=targets))
    assert (OTHER in {each.id for each in case(world).consents}) is covered


def test_a_consent_speaks_of_the_picture_that_was_filed_under_it(world: World) -> None:
    world.record(consent(CARE, level="IMAGE"))
    world.receive()
    assert [each.id for each in case(world).consents] == [CONSENT_ID]


def test_nobody_else_s_consent_counts(world: World) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=OTHER, patient_id="P2"))
    world.record(consent(TEACHING, id="urn:x:issuer", issuer="ELSEWHERE"))
    assert {each.id for each in case(world).consents} == {CONSENT_ID}


def test_only_the_newest_version_counts(world: World) -> None:
    world.file(CARE)
    world.withdraw()
    assert [(each.state, each.withdrawn_on) for each in case(world).consents] == [("WITHDRAWN", world.clock().date())]


def test_the_picture_is_as_the_registry_knows_it(world: World) -> None:
    world.file(CARE)
    image = case(world).image
    assert (image.type, image.made_for, image.status) == ("CLINICAL_PHOTO", MadeFor.CARE, ImageStatus.ACTIVE)
    assert str(image.made_on) == "2025-03-01"
    assert image.anonymisable is Anonymisable.UNKNOWN


def test_the_newest_review_counts(world: World) -> None:
    world.file(CARE)
    world.review()
    assert case(world).image.anonymisable is Anonymisable.YES
    world.clock.advance(minutes=1)
    world.review(UID, "tattoo")
    assert case(world).image.anonymisable is Anonymisable.NO


def test_a_patient_the_registry_lost_has_no_birth_date(world: World) -> None:
    world.file(CARE)
    world.sql("DELETE FROM patients")
    assert case(world).patient.dob is None


def test_the_day_of_a_request_is_the_hospital_s(world: World) -> None:
    world.clock.at = world.clock.at.replace(month=7, day=1, hour=23, minute=30)
    assert str(asked(world.request(), world.clock()).as_of) == "2026-07-02"


def test_a_retry_of_the_same_object_changes_no_row(world: World) -> None:
    row = world.file(CARE)
    world.clock.advance(hours=1)
    assert world.receive(encoded(photograph())).reasons == ()
    assert world.rows() == [replace(row)]
