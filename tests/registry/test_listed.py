"""The names of pictures for a listing, and what the trail has had since, on both databases."""

from __future__ import annotations

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.enforcement.visible import MOST, Viewer, visible
from orthanc_plugin.registry import trail
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.listed import AT_ONCE, listed
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

OTHER = "2.25.9"
ALONE = (Subject.INSTANCE, Subject.SOP_INSTANCE_UID)
NAMED_BY = (*ALONE, Subject.SERIES, Subject.STUDY, Subject.PATIENT, Subject.STUDY_INSTANCE_UID)


def test_pictures_are_found_by_whatever_they_are_in(either_world: World) -> None:
    world = either_world
    world.file(CARE)
    world.file(uid=OTHER)
    many = tuple(f"nobody {number}" for number in range(AT_ONCE))
    with world.services.database.reading() as connection:
        for subject in NAMED_BY:
            name = str(getattr(world.row(), subject.value))
            found = listed(connection, subject, (*many, name), 10)
            assert [row.sop_instance_uid for row in found] == ([UID] if subject in ALONE else [UID, OTHER])
            assert {row.of(subject) for row in found} == {name}
        assert len(listed(connection, Subject.STUDY, (world.row().orthanc_study,), 1)) == 2
        assert listed(connection, Subject.STUDY, (), 10) == []


def test_a_query_is_one_entry_after_the_others(either_world: World) -> None:
    world = either_world
    world.file(CARE)
    with world.services.database.reading() as connection:
        before = trail.length(connection)
    viewer = Viewer(requester=world.requester(), binding=world.binding("derm"), door="test")
    study = world.row().orthanc_study
    shown = visible(world.services, viewer, lambda connection: listed(connection, Subject.STUDY, (study,), MOST))
    assert [row.sop_instance_uid for row in shown] == [UID]
    with world.services.database.reading() as connection:
        assert list(trail.events_after(connection, before)) == [EventType.QUERY]
        assert list(trail.events_after(connection, before + 1)) == []
