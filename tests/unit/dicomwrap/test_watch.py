"""No photograph of a watched folder is lost, and none gets a second identity, wherever the power fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicomwrap.errors import NotAPhotographError, WatchError
from dicomwrap.outbox import What, claimed
from tests.unit.dicomwrap.shore import BAD, PATIENT, World

MOMENTS = 73  # at which the power can fail while PHOTOGRAPHS are brought away
PHOTOGRAPHS = {"a.jpg": b"A" * 100, "b.jpg": b"B" * 100, "copy of a.jpg": b"A" * 100, "bad.jpg": BAD}
DONE = {"bad.jpg", "bad.jpg.refused.txt"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path / "photos")


def filled(world: World) -> World:
    for name, data in PHOTOGRAPHS.items():
        world.arrive(name, data)
    return world


def names(world: World) -> set[str]:
    return {path.name for path in world.folder.iterdir() if not path.name.startswith(".")}


def objects(world: World) -> list[dict[str, object]]:
    return [json.loads(data) for data in world.archive.held.values()]


def test_photographs_are_wrapped_sent_vouched_for_and_deleted(world: World) -> None:
    outbox = filled(world).run()
    world.check()
    assert (names(world), outbox.open, outbox.unsettled) == (DONE, 0, False)
    assert sorted(str(each["photo"])[:2] for each in objects(world)) == ["41", "42"]
    assert [*(world.folder / ".dicomwrap" / "objects").iterdir()] == []
    assert world.fate.count == MOMENTS


def test_a_photograph_that_is_still_being_written_waits(world: World) -> None:
    outbox = world.outbox()
    for size in range(1, 6):
        world.arrive("a.jpg", b"A" * size)
        outbox.look()
        world.seconds += 3
    assert (world.archive.stores, outbox.unsettled) == (0, True)
    outbox.look()
    assert (world.archive.stores, names(world)) == (1, set())


def test_a_photograph_that_changes_while_it_is_wrapped_is_not_sent(world: World) -> None:
    def overwrite(photo: Path) -> None:
        if photo.read_bytes() == b"first":
            world.arrive("a.jpg", b"second")

    world.interfere = overwrite
    world.arrive("a.jpg", b"first")
    world.run()
    world.check()
    assert [bytes.fromhex(str(each["photo"])) for each in objects(world)] == [b"second"]


def test_the_same_photograph_under_another_name_is_recognised(world: World) -> None:
    world.arrive("a.jpg", b"A")
    world.run()
    world.arrive("again.jpg", b"A")
    world.run()
    assert (world.archive.stores, world.uids, names(world)) == (2, 1, set())  # the archive is asked, never remembered


def test_without_its_receipt_the_same_photograph_is_sent_again_under_its_uid(world: World) -> None:
    world.arrive("a.jpg", b"A")
    world.run()
    for receipt in world.archive.receipts.iterdir():
        receipt.unlink()
    world.arrive("again.jpg", b"A")
    world.run()
    world.check()
    assert (world.archive.stores, world.uids, names(world)) == (2, 1, set())
    assert len([*world.archive.receipts.iterdir()]) == 1


def test_without_a_receipt_on_the_disk_nothing_is_deleted(world: World) -> None:
    world.archive.losing = True
    world.arrive("a.jpg", b"A")
    world.run()
    assert names(world) == {"a.jpg"}
    assert world.told[-1].reason == "Its receipt is gone from the disk"
    world.archive.losing = False
    world.run(step=60)
    assert (names(world), world.archive.stores) == (set(), 1)


def lose_objects(world: World) -> None:
    for path in (world.folder / ".dicomwrap" / "objects").iterdir():
        path.unlink()


@pytest.mark.parametrize("state", ["wrapped", "stored"])
def test_an_object_that_is_lost_is_made_again_under_its_uid(world: World, state: str) -> None:
    world.archive.up, world.archive.vouching = state == "stored", False
    world.arrive("a.jpg", b"A")
    world.run(looks=2)
    lose_objects(world)
    world.archive.up = world.archive.vouching = True
    world.run()
    world.check()
    assert (names(world), world.uids) == (set(), 1)


def test_a_photograph_that_was_sent_and_is_then_refused_keeps_its_uid(world: World) -> None:
    def refuse(_photo: Path) -> None:
        raise NotAPhotographError("It is refused now")

    world.archive.vouching = False
    world.arrive("a.jpg", b"A")
    world.run(looks=2)
    lose_objects(world)
    world.archive.vouching, world.interfere = True, refuse
    world.run()
    assert "It is refused now" in (world.folder / "a.jpg.refused.txt").read_text()
    world.interfere = lambda _photo: None
    world.run()
    world.check()
    assert (names(world), world.uids) == (set(), 1)


def test_the_same_photograph_for_another_patient_is_kept_and_not_sent(world: World) -> None:
    world.arrive("a.jpg", b"A")
    world.run()
    world.details = {"patient_id": "P2"}
    world.arrive("a.jpg", b"A")
    world.run()
    assert (world.archive.stores, names(world)) == (1, {"a.jpg", "a.jpg.refused.txt"})
    assert world.told[-1].what is What.REFUSED


def test_a_photograph_stays_that_of_the_patient_for_whom_it_arrived(world: World) -> None:
    world.archive.up = False
    world.arrive("a.jpg", b"A")
    world.run()
    world.archive.up, world.details = True, {"patient_id": "P2"}
    world.arrive("b.jpg", b"B")
    world.run()
    assert [each["details"] for each in objects(world)] == [PATIENT, {"patient_id": "P2"}]


def test_what_was_there_before_is_left_until_it_changes(world: World) -> None:
    world.take_existing = False
    world.arrive("old.jpg", b"old")
    outbox = world.outbox()
    world.arrive("new.jpg", b"new")
    for _ in range(4):
        outbox.look()
        world.seconds += 3
    assert names(world) == {"old.jpg"}
    assert [told.what for told in world.told if told.name == "old.jpg"] == [What.LEFT]
    world.arrive("old.jpg", b"changed")
    for _ in range(3):
        outbox.look()
        world.seconds += 3
    assert names(world) == set()


@pytest.mark.parametrize("pause", [0.5, 9.0], ids=["at once", "after a pause"])
@pytest.mark.parametrize("begun", [b"", b"the first half of "])
def test_what_was_half_there_before_is_left_also_when_it_is_whole(world: World, begun: bytes, pause: float) -> None:
    world.take_existing = False
    world.arrive("old.jpg", begun)
    outbox = world.outbox()
    for written in (begun, begun + b"another patient's "):
        world.arrive("old.jpg", written)
        for _ in range(3):
            outbox.look()
            world.seconds += pause
    world.arrive("old.jpg", begun + b"another patient's photograph")
    for _ in range(3):
        outbox.look()
        world.seconds += 3
    assert (names(world), world.archive.stores) == ({"old.jpg"}, 0)
    assert {told.what for told in world.told} == {What.LEFT}


def test_a_new_file_under_the_name_of_one_that_was_there_before_is_taken(world: World) -> None:
    world.take_existing = False
    world.arrive("a.jpg", b"half of")
    outbox = world.outbox()
    outbox.look()
    world.arrive("b.jpg", b"half of another")
    (world.folder / "b.jpg").rename(world.folder / "a.jpg")
    for _ in range(3):
        outbox.look()
        world.seconds += 3
    assert (names(world), world.archive.stores) == (set(), 1)


def test_a_refused_photograph_is_told_once_and_tried_again_when_it_changes(world: World) -> None:
    world.arrive("a.jpg", BAD)
    outbox = world.run()
    note = world.folder / "a.jpg.refused.txt"
    assert note.read_text().startswith("This is no photograph. ")
    assert [told.what for told in world.told] == [What.TAKEN, What.REFUSED]
    before = note.stat().st_mtime_ns
    outbox.look()
    assert note.stat().st_mtime_ns == before
    world.arrive("a.jpg", b"good")
    world.run()
    assert names(world) == set()


def test_an_archive_that_is_down_is_tried_less_and_less_often(world: World) -> None:
    world.archive.up = False
    world.arrive("a.jpg", b"A")
    outbox = world.outbox()
    tries = 0
    for _ in range(1000):
        before = world.archive.fate.count
        outbox.look()
        tries += world.archive.fate.count > before
        world.seconds += 1
    assert 5 <= tries <= 12
    assert [told.what for told in world.told] == [What.TAKEN, What.WAITING]
    world.archive.up = True
    world.seconds += 300
    outbox.look()
    assert names(world) == set()


def test_what_the_archive_does_not_vouch_for_is_kept_and_asked_about_again(world: World) -> None:
    world.archive.vouching = False
    world.arrive("a.jpg", b"A")
    outbox = world.run(looks=60, step=60)
    assert (names(world), outbox.open) == ({"a.jpg"}, 1)
    assert 2 <= world.archive.stores <= 5
    world.archive.vouching = True
    world.run(looks=10, step=60)
    assert names(world) == set()


def test_what_the_archive_refuses_does_not_stop_the_others(world: World) -> None:
    world.archive.refusing = True
    world.arrive("a.jpg", b"A")
    outbox = world.outbox()
    for _ in range(2):
        outbox.look()
        world.seconds += 3
    world.archive.refusing = False
    world.arrive("b.jpg", b"B")
    outbox.look()
    assert "doesn't take the object" in (world.folder / "a.jpg.refused.txt").read_text()
    world.seconds += 3
    outbox.look()
    assert names(world) <= {"a.jpg", "a.jpg.refused.txt"}
    world.seconds += 10
    outbox.look()
    assert names(world) == set()


def test_photographs_may_be_kept(world: World) -> None:
    world.delete = False
    world.arrive("a.jpg", b"A")
    outbox = world.run()
    world.run()
    assert (names(world), outbox.open, world.archive.stores) == ({"a.jpg"}, 0, 1)


def test_a_folder_has_one_watcher(world: World) -> None:
    with claimed(world.folder), pytest.raises(WatchError, match="already"), claimed(world.folder):
        pass
    with claimed(world.folder):
        pass


def test_a_task_that_can_t_be_read_stops_the_watch(world: World) -> None:
    world.archive.up = False
    world.arrive("a.jpg", b"A")
    world.run()
    (task,) = (world.folder / ".dicomwrap" / "tasks").iterdir()
    task.write_bytes(task.read_bytes()[:-30])
    with pytest.raises(WatchError, match="can't be read"):
        world.run()
    assert names(world) == {"a.jpg"}


def test_nobody_else_reads_what_names_a_patient(world: World) -> None:
    world.archive.up = False
    world.arrive("a.jpg", b"A")
    world.run()
    own = world.folder / ".dicomwrap"
    assert own.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in own.rglob("*") if path.name != "lock")


def test_a_full_disk_stops_nothing_for_ever(world: World) -> None:
    def full(_photo: Path) -> None:
        raise OSError(28, "No space left on device")

    world.interfere = full
    world.arrive("a.jpg", b"A")
    outbox = world.run()
    assert (names(world), outbox.open) == ({"a.jpg"}, 1)
    assert world.told[-1].reason == "The disk fails (No space left on device)"
    world.interfere = lambda _photo: None
    world.run()
    assert names(world) == set()


def test_a_name_that_is_no_text_keeps_nobody_from_being_sent(world: World) -> None:
    world.arrive("\udcff.jpg", b"A")
    world.arrive("b.jpg", b"B")
    world.run()
    world.check()
    assert (world.archive.stores, names(world)) == (2, set())


def test_a_photograph_that_waited_for_its_patient_is_gone_and_unblamed_after_the_next_patient_s_start(
    world: World,
) -> None:
    world.arrive("a.jpg", b"A")
    world.archive.up = False
    world.run()
    world.archive.up, world.details = True, {"patient_id": "P2"}
    world.run()
    world.check()
    assert [each["details"] for each in objects(world)] == [PATIENT]
    assert names(world) == set()
    assert What.REFUSED not in {told.what for told in world.told}
