"""What routes ask of pictures from before: read from the objects once, and never guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.enforcement.describing import described
from orthanc_plugin.lifecycle.backfill import Backfill, Fate
from orthanc_plugin.registry import holdings
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CARE, consent, encoded, photograph
from tests.fakes.world import World

HAND, DEPARTMENT = "33712006", "Dermatology"
BOTH = (HAND, DEPARTMENT)
HERE = "archive-1"


def site(value: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "a site"
    return Sequence([item])


@dataclass
class Reader:
    """The archive, counting; ``ends`` at the so-many-th object, as a process does that is killed."""

    archive: ArchiveSimulator
    ends: int = 10_000
    read_: list[str] = field(default_factory=list)

    def read(self, orthanc_instance: str) -> bytes:
        self.read_.append(orthanc_instance)
        if len(self.read_) > self.ends:
            raise KeyboardInterrupt
        return self.archive.read(orthanc_instance)


def before(world: World, uid: str, **elements: object) -> None:
    """File a picture, as it was on record when nobody asked for site and department; the next comes a second later."""
    said: dict[str, Any] = {"AnatomicRegionSequence": site(HAND), "InstitutionalDepartmentName": DEPARTMENT, **elements}
    if not world.consents():
        world.record(consent(CARE))
    assert world.receive(encoded(photograph(uid=uid, **said))).reasons == ()
    world.sql(f"UPDATE images SET body_site = '', department = '' WHERE sop_instance_uid = '{uid}'")  # noqa: S608
    world.clock.advance(seconds=1)


def work(world: World, reader: Reader | None = None, *, archive: str = HERE, batch: int = 2) -> Backfill:
    return Backfill(
        database=world.services.database,
        archive=reader or Reader(world.archive),  # type: ignore[arg-type]
        name=archive,
        describe=described,
        acting=lambda: world.services.act("officer", "test"),
        batch=batch,
    )


def run(world: World, reader: Reader | None = None, *, again: bool = False, archive: str = HERE) -> Counter[Fate]:
    made = work(world, reader, archive=archive)
    return Counter(fate for _, fate in made.run(made.start(again=again)))


def facts(world: World) -> dict[str, tuple[str, str]]:
    return {row.sop_instance_uid: (row.body_site, row.department) for row in world.rows()}


def test_what_the_object_says_is_filled_in_and_the_trail_says_of_which_picture(either_world: World) -> None:
    world = either_world
    before(world, "2.25.11")
    assert run(world) == {Fate.FILLED: 1}
    assert facts(world) == {"2.25.11": BOTH}
    entry = world.trail()[-1]
    assert (entry["effect"], entry["subject"], entry["actor"]) == ("IMAGE_DESCRIBED", "2.25.11", "officer")
    assert entry["reasons"] == ["body_site: read again", "department: read again"]
    assert verify(world.services.trail.entries()).whole


@pytest.mark.parametrize(
    ("elements", "found", "fate"),
    [
        ({"AnatomicRegionSequence": None}, ("", DEPARTMENT), Fate.FILLED),
        ({"InstitutionalDepartmentName": ""}, (HAND, ""), Fate.FILLED),
        ({"AnatomicRegionSequence": site("0815"), "InstitutionalDepartmentName": ""}, ("", ""), Fate.SILENT),
    ],
)
def test_what_the_object_does_not_say_stays_unknown(
    elements: dict[str, object], found: tuple[str, str], fate: Fate, world: World
) -> None:
    before(world, "2.25.11", **elements)
    assert run(world) == {fate: 1}
    assert facts(world) == {"2.25.11": found}


def test_what_is_on_record_is_not_overwritten(world: World) -> None:
    before(world, "2.25.11")
    world.sql("UPDATE images SET department = 'Burns'")
    assert run(world) == {Fate.FILLED: 1}
    assert facts(world) == {"2.25.11": (HAND, "Burns")}
    assert world.trail()[-1]["reasons"] == ["body_site: read again"]


def test_a_second_run_reads_nothing_but_what_came_at_the_last_moment(either_world: World) -> None:
    world = either_world
    for number in range(5):
        before(world, f"2.25.1{number}", InstitutionalDepartmentName="")
    assert run(world) == {Fate.FILLED: 5}
    entries, reader = len(world.trail()), Reader(world.archive)
    assert run(world, reader) == {Fate.SILENT: 1}
    assert (len(reader.read_), len(world.trail())) == (1, entries)
    assert run(world, again=True) == {Fate.SILENT: 5}


@pytest.mark.parametrize("ends", range(5))
def test_a_run_that_is_cut_off_at_any_picture_is_taken_up_by_the_next(ends: int, world: World) -> None:
    uids = [f"2.25.1{number}" for number in range(5)]
    for uid in uids:
        before(world, uid)
    with pytest.raises(KeyboardInterrupt):
        run(world, Reader(world.archive, ends=ends))
    reader = Reader(world.archive)
    run(world, reader)
    assert len(reader.read_) == len(uids) - ends // 2 * 2
    assert facts(world) == dict.fromkeys(uids, BOTH)
    described_once = Counter(entry["subject"] for entry in world.trail() if entry["effect"] == "IMAGE_DESCRIBED")
    assert described_once == dict.fromkeys(uids, 1)


def lost(world: World, name: str) -> None:
    del world.archive.objects[name]


def changed(world: World, name: str) -> None:
    world.archive.objects[name] += b"x"


@pytest.mark.parametrize(("harm", "fate"), [(lost, Fate.UNREAD), (changed, Fate.CHANGED)])
def test_one_that_is_not_what_was_accepted_stays_unknown_until_it_is_and_holds_up_no_other(
    harm: Callable[[World, str], None], fate: Fate, world: World
) -> None:
    for number in range(5):
        before(world, f"2.25.1{number}", InstitutionalDepartmentName="")
    name = world.row("2.25.12").orthanc_instance
    whole = world.archive.objects[name]
    harm(world, name)
    assert run(world) == {Fate.FILLED: 4, fate: 1}
    assert facts(world)["2.25.12"] == ("", "")
    world.archive.objects[name] = whole
    assert run(world)[Fate.FILLED] == 1
    assert set(facts(world).values()) == {(HAND, "")}


def test_one_that_a_later_run_finds_changed_is_looked_at_again_though_a_run_was_past_it(world: World) -> None:
    for number in range(3):
        before(world, f"2.25.1{number}")
    assert run(world) == {Fate.FILLED: 3}
    world.sql("UPDATE images SET body_site = ''")
    name = world.row("2.25.10").orthanc_instance
    whole = world.archive.objects[name]
    changed(world, name)
    assert run(world, again=True) == {Fate.FILLED: 2, Fate.CHANGED: 1}
    world.archive.objects[name] = whole
    assert run(world) == {Fate.FILLED: 1}
    assert set(facts(world).values()) == {BOTH}


def test_each_archive_reads_what_is_its_own(either_world: World) -> None:
    world = either_world
    before(world, "2.25.11")
    before(world, "2.25.12")
    with world.services.database.writing() as connection:
        holdings.keep(connection, "archive-2", [world.row("2.25.12").orthanc_instance])
    assert run(world) == {Fate.FILLED: 1}
    assert facts(world) == {"2.25.11": BOTH, "2.25.12": ("", "")}
    assert run(world, archive="archive-2") == {Fate.FILLED: 1}
    assert facts(world)["2.25.12"] == BOTH


def test_a_picture_that_is_destroyed_while_it_is_read_says_nothing_any_more(world: World) -> None:
    before(world, "2.25.11")
    made = work(world)
    place = made.start(again=False)

    class Destroying(Reader):
        def read(self, orthanc_instance: str) -> bytes:
            content = super().read(orthanc_instance)
            world.sql("UPDATE images SET status = 'DISPOSED'")
            return content

    made = work(world, Destroying(world.archive))
    assert [fate for _, fate in made.run(place)] == [Fate.SILENT]
    assert facts(world) == {"2.25.11": ("", "")}
    assert (made.left(place), "IMAGE_DESCRIBED" in {entry["effect"] for entry in world.trail()}) == (0, False)


def test_what_was_stored_unasked_is_not_read(world: World) -> None:
    before(world, "2.25.11")
    world.sql("UPDATE images SET status = 'QUARANTINED', sha256 = ''")
    assert run(world) == {}


def test_an_object_that_intake_would_not_have_taken_says_nothing() -> None:
    assert described(b"no DICOM at all") == ("", "")
