"""A copy that was made once goes again as it is, once everything was asked; when anything changes it is made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.deid import profile as profiles
from orthanc_plugin.gate import Answer
from orthanc_plugin.sending import keptcopies
from orthanc_plugin.sending.keptcopies import Shelf
from orthanc_plugin.sending.packing import Packed, Packer, Refusal, Wanted
from tests.fakes.custodians import certificate
from tests.fakes.hiding import hidden
from tests.fakes.keeping import (
    MORE,
    MOVED,
    files,
    is_kept,
    keeping,
    looked_at_again,
    lost,
    pack,
    refused,
    rows,
    sent,
    under,
    withdrawn,
)
from tests.fakes.looking import LOOKING, confirmed, opened, rejected
from tests.fakes.pictures import UID
from tests.fakes.world import SETTINGS, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world with a picture that may leave for teaching: somebody asked, and somebody else has looked."""
    with keeping(tmp_path) as made:
        yield made


def test_the_second_copy_is_the_first_one_and_asks_neither_the_archive_nor_another_program(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sent(world)
    monkeypatch.setenv("PATH", "/nowhere")
    world.archive.objects.clear()
    again = sent(world, "teaching-archive")
    assert again.released == first.released
    assert [each["sha256"] for each in world.disclosures()] == [first.released.sha256] * 2
    assert b"Doe" not in again.released.content


def test_a_kept_copy_is_what_would_be_made_without_it(world: World) -> None:
    sent(world)
    kept = sent(world).released
    without = under(world, LOOKING, SETTINGS.replace("[spool]", "[spool]\ncopies_megabytes = 0") + MORE)
    made = sent(without).released
    assert (made, rows(world)) == (kept, 1)


def test_a_release_of_a_kept_copy_is_on_record_as_any_other(world: World) -> None:
    sent(world)
    told = []
    for forget in ("SELECT 1", "DELETE FROM kept_copies"):
        world.sql(forget)
        before = len(world.trail())
        sent(world)
        told.append([(entry["event"], entry["effect"], entry["subject"]) for entry in world.trail()[before:]])
    assert told[0] == told[1] != []
    assert len(world.disclosures()) == 3


def test_nothing_leaves_of_what_is_kept_where_it_can_not_be_recorded(world: World) -> None:
    sent(world)
    world.stop_the_trail()
    assert isinstance(pack(world), Refusal)


@pytest.mark.parametrize("end", [withdrawn, refused, rejected, hidden], ids=lambda each: each.__name__)
def test_what_may_not_leave_any_more_leaves_from_nowhere_and_is_forgotten_at_once(
    end: Callable[[World], object], world: World
) -> None:
    sent(world)
    end(world)
    assert rows(world) == 0
    found = pack(world)
    assert isinstance(found, Refusal)
    assert (rows(world), len(files(world))) == (0, 1)
    Shelf(world.services).sweep()
    assert files(world) == []


@pytest.mark.parametrize("end", [looked_at_again, lost], ids=lambda each: each.__name__)
def test_what_was_made_before_is_forgotten_at_once_when_something_came_between(
    end: Callable[[World], object], world: World
) -> None:
    sent(world)
    end(world)
    assert (rows(world), is_kept(world)) == (0, False)


def test_a_copy_with_something_blanked_is_kept_blanked(world: World) -> None:
    plain = sent(world).released
    looked_at_again(world)
    blanked = sent(world).released
    assert blanked.sha256 != plain.sha256
    assert sent(world).released == blanked


def test_whoever_looked_at_the_picture_gets_no_kept_copy_of_it(world: World) -> None:
    sent(world)
    themselves = replace(world.requester("teacher"), actor="looker")
    found = Packer(world.services, world.archive).pack(themselves, world.row(), world.binding("teacher"), "test")
    assert isinstance(found, Refusal)


STALE = {
    "another profile": LOOKING.replace("retain_safe_private = true", "retain_safe_private = false"),
    "another domain": LOOKING.replace('domain = "teaching"', 'domain = "elsewhere"'),
}


@pytest.mark.parametrize("policy", STALE.values(), ids=STALE)
def test_under_another_profile_nothing_that_is_kept_counts(policy: str, world: World) -> None:
    sent(world)
    changed = under(world, policy)
    assert isinstance(pack(changed), Refusal)  # nobody has looked under this one
    assert Shelf(changed.services).tidy() == 1
    assert (rows(world), files(world)) == (0, [])


def test_with_another_key_it_is_made_anew(world: World) -> None:
    first = sent(world).released
    moved = under(world, LOOKING + MOVED)
    assert not is_kept(moved)
    assert sent(moved).released.sop_instance_uid != first.sop_instance_uid
    assert Shelf(moved.services).tidy() == 1
    assert (rows(world), is_kept(moved)) == (1, True)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(keptcopies, "EDITION", 2), (keptcopies, "STREAMS", 99), (keptcopies, "VERSION", "99"), (profiles, "ENGINE", 99)],
)
def test_with_another_edition_of_anything_it_is_made_anew(
    module: object, name: str, value: object, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(world)
    monkeypatch.setattr(module, name, value)
    world.services.release._digests.clear()
    assert not is_kept(world)
    assert Shelf(world.services).tidy() == 1


def test_a_copy_that_other_code_has_checked_is_made_and_checked_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(world)
    assert is_kept(world)
    monkeypatch.setattr(keptcopies, "made_by", lambda: "a leak check that was mended")
    assert not is_kept(world)
    assert Shelf(world.services).tidy() == 1


def test_where_none_are_kept_any_more_those_that_were_go(world: World) -> None:
    sent(world)
    none = under(world, LOOKING, SETTINGS.replace("[spool]", "[spool]\ncopies_megabytes = 0") + MORE)
    assert Shelf(none.services).tidy() == 1
    assert (rows(none), files(none)) == (0, [])


def test_of_another_object_under_the_same_uid_nothing_that_is_kept_counts(world: World) -> None:
    sent(world)
    world.sql(f"UPDATE images SET sha256 = '{'0' * 64}'")  # noqa: S608 - ours
    assert not is_kept(world)
    assert Shelf(world.services).tidy() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.withdraw(),
        lambda world: world.clock.advance(days=31),
        lambda world: world.sql("UPDATE images SET status = 'RESTRICTED'"),
        lambda world: world.sql("DELETE FROM reviews"),
        lambda world: world.sql("DELETE FROM images"),
    ],
    ids=["nobody may have it", "too old", "shut", "nobody looked", "unknown"],
)
def test_looking_through_what_is_kept_forgets_what_nobody_would_be_given(
    change: Callable[[World], object], world: World
) -> None:
    sent(world)
    assert (Shelf(world.services).tidy(), rows(world), len(files(world))) == (0, 1, 1)
    change(world)
    assert (Shelf(world.services).tidy(), rows(world), files(world)) == (1, 0, [])


def test_behind_shut_doors_nothing_is_forgotten_because_nothing_is_permitted(world: World) -> None:
    sent(world)
    world.services.gate.close("for a while")
    assert (Shelf(world.services).tidy(), rows(world)) == (0, 1)


def test_what_is_locked_for_custodians_is_made_anew_each_time(world: World) -> None:
    (world.folder / "ann.pem").write_bytes(certificate("ann"))
    locked = LOOKING.replace("retain_safe_private = true", 'custodians = ["ann"]')
    made = under(world, locked, SETTINGS + MORE + '[custodians]\nann = "ann.pem"\n')
    opened(made)
    confirmed(made)
    assert sent(made).released.sha256 != sent(made).released.sha256
    assert (rows(made), is_kept(made)) == (0, False)


@pytest.mark.parametrize("end", [withdrawn, rejected, looked_at_again, lambda world: world.sql("DELETE FROM images")])
def test_what_ended_while_it_was_made_is_not_kept(end: Callable[[World], object], world: World) -> None:
    services, row = world.services, world.row()
    answer = services.gate.authorize(world.request("teacher"))
    context = services.context(answer, world.binding("teacher"))
    made = services.release.prepare(answer.decision, context, world.archive.read(row.orthanc_instance), UID)
    assert Shelf(services).keep(answer, context, row, made)
    end(world)
    world.sql("DELETE FROM kept_copies")
    assert not Shelf(services).keep(answer, context, row, made)
    assert rows(world) == 0


def foreseen(world: World) -> tuple[Packer, Wanted]:
    """Return a copy that was read because it was to leave as far as anybody knew."""
    packer, binding = Packer(world.services, world.archive), world.binding("teacher")
    asked = world.request("teacher"), world.row()
    (found,) = packer.foresee((asked,), binding)
    wanted = packer.wanted(asked, found)
    assert wanted.kept is not None
    return packer, wanted


def test_a_copy_that_was_foreseen_is_made_anew_when_somebody_looked_again_since(world: World) -> None:
    before = sent(world).released
    packer, wanted = foreseen(world)
    looked_at_again(world)
    (found,) = packer.begin((wanted,), world.binding("teacher"))
    assert isinstance(found, Answer)
    made = packer.make(found, world.row(), world.binding("teacher"))
    assert isinstance(made, Packed)
    assert made.released.sha256 != before.sha256


@pytest.mark.parametrize("end", [withdrawn, rejected], ids=lambda each: each.__name__)
def test_a_copy_that_was_foreseen_stays_when_somebody_said_no_since(
    end: Callable[[World], object], world: World
) -> None:
    sent(world)
    packer, wanted = foreseen(world)
    end(world)
    before = len(world.disclosures())
    (found,) = packer.begin((wanted,), world.binding("teacher"))
    if isinstance(found, Answer):
        found = packer.make(found, world.row(), world.binding("teacher"))
    assert (isinstance(found, Refusal), len(world.disclosures())) == (True, before)


def test_what_refuses_a_copy_that_is_made_refuses_a_kept_one_in_the_same_words(world: World) -> None:
    sent(world)
    world.sql("UPDATE pseudonym_keys SET mark = 'another key'")
    kept = pack(world)
    world.sql("DELETE FROM kept_copies")
    made = pack(world)
    assert isinstance(kept, Refusal)
    assert isinstance(made, Refusal)
    assert kept.reasons == made.reasons != ()
    assert len(world.disclosures()) == 1


def test_what_is_too_old_goes_wherever_its_file_was(world: World) -> None:
    sent(world)
    world.sql("UPDATE kept_copies SET place = 'a disk that is gone'")
    world.clock.advance(days=30, seconds=-1)
    assert (Shelf(world.services).tidy(), rows(world)) == (0, 1)
    world.clock.advance(seconds=1)
    assert (Shelf(world.services).tidy(), rows(world)) == (1, 0)


def test_an_original_is_never_kept(world: World) -> None:
    sent(world, "derm")
    assert rows(world) == 0


def test_a_copy_that_could_not_be_recorded_is_not_kept(world: World) -> None:
    world.stop_the_trail()
    pack(world)
    assert (rows(world), files(world)) == (0, [])


def test_a_picture_whose_consent_is_somebody_elses_has_no_copy_that_stays(world: World) -> None:
    sent(world)
    world.sql("UPDATE consents SET patient_id = 'somebody else'")
    assert Shelf(world.services).tidy() == 1
