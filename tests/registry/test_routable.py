"""What routes look at is on record with the picture, or with the device that took it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.model import MadeFor
from orthanc_plugin.policy.routing import Routed, Trigger
from orthanc_plugin.registry import devices, images, routable
from tests.fakes.pictures import CARE, UID, consent, encoded, photograph
from tests.fakes.register import CAMERA
from tests.fakes.world import World


def site(value: str, scheme: str = "SCT") -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "a site"
    return Sequence([item])


def filed(world: World, **elements: object) -> images.ImageRow:
    world.record(consent(CARE))
    assert world.receive(encoded(photograph(**elements))).reasons == ()
    return world.row()


def routed(world: World, *rows: images.ImageRow) -> tuple[Routed, ...]:
    with world.services.database.reading() as connection:
        return routable.routed(connection, rows, Trigger.KEY_OBJECT, Purpose.TEACHING)


def test_a_picture_says_what_it_shows_and_which_department_made_it(world: World) -> None:
    row = filed(world, AnatomicRegionSequence=site("33712006"), InstitutionalDepartmentName="Dermatology")
    assert routed(world, row) == (
        Routed(
            sop_class_uid=row.sop_class_uid,
            body_site="33712006",
            department="Dermatology",
            made_for=MadeFor.CARE,
            trigger=Trigger.KEY_OBJECT,
            purpose=Purpose.TEACHING,
        ),
    )


@pytest.mark.parametrize(
    "elements",
    [
        {"AnatomicRegionSequence": site("33712006", "99LOCAL")},
        {"AnatomicRegionSequence": site("0815")},
        {"AnatomicRegionSequence": site("Skin of hand")},
        {"AnatomicRegionSequence": Sequence([])},
        {"AnatomicRegionSequence": None},
        {"AnatomicRegionSequence": None, "InstitutionalDepartmentName": ""},
        {"AnatomicRegionSequence": None, "InstitutionalDepartmentName": ["Dermatology", "Burns"]},
    ],
)
def test_what_it_does_not_say_in_so_many_words_nobody_knows(world: World, elements: dict[str, object]) -> None:
    row = filed(world, **elements)
    assert (row.body_site, row.department) == ("", "")


def test_a_picture_that_names_no_department_has_that_of_its_device_as_it_is_now(world: World) -> None:
    with world.services.database.writing() as connection:
        for department in ("Burns", "Dermatology"):
            camera = replace(CAMERA, department=department)
            devices.append(connection, camera, reason="moved", by="illustration", at=world.clock())
    row = filed(world)
    theirs = replace(row, device_id=CAMERA.device_id)
    unknown = replace(row, device_id="NOBODY-S")
    named = replace(theirs, department="Theatre")
    assert [each.department for each in routed(world, theirs, row, named, unknown, theirs)] == [
        "Dermatology",
        "",
        "Theatre",
        "",
        "Dermatology",
    ]


def test_a_picture_from_before_says_nothing_and_is_asked_nothing(world: World) -> None:
    world.file(CARE)
    with world.services.database.writing() as connection:
        images.change(connection, UID, {"body_site": "", "department": ""})
    (found,) = routed(world, world.row())
    assert (found.body_site, found.department) == ("", "")
