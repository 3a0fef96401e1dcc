"""A crop that somebody confirmed: what they were shown is what leaves, and what was cut off leaves by no other way."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.reviewing import OTHERS, Review, Shown
from orthanc_plugin.registry import reviews
from tests.fakes.caller import Caller
from tests.fakes.leaving import leave
from tests.fakes.looking import confirmed, looking, matter
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell
from tests.unit.enforcement.test_review_desk import NAMED, NOTHING, ONE, asked, picture

UNDER = (UID, "--profile", "teaching", "--by", "looker")
CROP = [0, 0, 40, 33]
KEPT = (32, 32)  # the whole blocks within


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a hospital whose teacher has asked for a picture."""
    with looking(tmp_path) as made:
        made.file(CARE, TEACHING)
        assert asked(made) is Effect.NEEDS_REVIEW
        yield made


def set_(world: World, **values: object) -> None:
    caller = Caller(world=world)
    assert caller.post(f"{ONE}/opening", NAMED, "looker").status == 200
    told = caller.post(f"{ONE}/regions", {**NAMED, **values}, "looker")
    assert (told.status, told["crop"]) == (200, values.get("crop"))


def seen(world: World) -> tuple[int, int]:
    output = picture(Caller(world=world))
    assert isinstance(output.body, bytes)
    with Image.open(BytesIO(output.body)) as shown:
        return shown.size


def left(world: World) -> tuple[int, int]:
    """Have a copy leave, and return its size."""
    context = world.services.context(
        answer := world.services.gate.authorize(world.request("teacher")), world.binding("teacher")
    )
    original = world.archive.read(world.row().orthanc_instance)
    copy = pydicom.dcmread(BytesIO(world.services.release.prepare(answer.decision, context, original, UID).content))
    assert leave(world, UID)
    return int(copy.Columns), int(copy.Rows)


def steps(world: World) -> tuple[Review, ...]:
    with world.services.database.reading() as connection:
        return reviews.steps(connection, UID, matter(world).sha256)


def test_what_is_shown_cropped_and_confirmed_leaves_so(world: World) -> None:
    set_(world, crop=CROP, regions=[[0, 0, 8, 8]])
    assert seen(world) == KEPT
    caller = Caller(world=world)
    told = caller.post(f"{ONE}/confirmation", {**NAMED, "answers": {**NOTHING, "face": "COVERED"}}, "looker")
    assert (told["anonymisable"], told["crop"], told["regions"]) == ("YES", CROP, [[0, 0, 8, 8]])
    assert left(world) == KEPT
    assert [each.crop for each in steps(world)] == [None, *[tuple(CROP)] * 3]


def test_a_crop_alone_covers_and_is_gone_when_something_else_is_set(world: World) -> None:
    set_(world, crop=CROP)
    assert seen(world) == KEPT
    assert confirmed(world, face=Shown.COVERED).crop == tuple(CROP)
    set_(world, regions=[[0, 0, 8, 8]])
    assert seen(world) == (64, 48)
    assert confirmed(world).crop is None
    assert left(world) == (64, 48)


def test_a_crop_that_was_not_looked_at_is_not_confirmed(world: World) -> None:
    set_(world, crop=CROP)
    said = Caller(world=world).post(f"{ONE}/confirmation", {**NAMED, "answers": NOTHING}, "looker")
    assert (said.status, said["error"]) == (409, "The picture as it would leave has not been looked at.")


def test_nobody_confirms_the_whole_of_what_was_cropped_for_every_profile(world: World) -> None:
    set_(world, crop=CROP)
    seen(world)
    confirmed(world)
    shell = Shell(world=world)
    said = shell.fails("review", "confirm", UID, "--nothing-identifying", "--by", "second-looker")
    assert "parts cut off" in said
    with world.services.database.reading() as connection:
        on = matter(world)
        assert reviews.answered(connection, UID, on.sha256, OTHERS, lambda _: False) is None


@pytest.mark.parametrize(
    "crop", [[0, 0, 0, 5], [0, 0, 8, 8], [-1, 0, 32, 32], [0, 0, 65, 48], [0, 0, 32], [0, 0, 32, "32"], [0.5, 0, 9, 9],
        [0, 0, float("nan"), 32], 7, "0,0,32,32"]
)  # fmt: skip
def test_a_crop_that_is_none_or_keeps_nothing_is_not_set(crop: object, world: World) -> None:
    caller = Caller(world=world)
    assert caller.post(f"{ONE}/opening", NAMED, "looker").status == 200
    assert caller.post(f"{ONE}/regions", {**NAMED, "crop": crop}, "looker").status in (400, 422)
    assert [each.kind for each in steps(world)] == ["OPENED"]


def test_the_command_crops_too_and_the_trail_seals_it(world: World, tmp_path: Path) -> None:
    shell, out = Shell(world=world), tmp_path / "look.jpg"
    shell.json("review", "open", *UNDER, "--out", out)
    told = shell.json("review", "redact", *UNDER, "--crop", "0,0,40,33", "--out", out)
    assert (told["crop"], told["regions"]) == (CROP, [])
    with Image.open(out) as shown:
        assert shown.size == KEPT
    assert shell.json("review", "confirm", *UNDER, "--nothing-identifying", "--covered", "face")["crop"] == CROP
    world.sql("DELETE FROM consents")  # which the world records without telling the trail
    assert shell.json("audit", "verify")["whole"] is True
    world.sql("UPDATE reviews SET regions = REPLACE(regions, '33', '48')")
    assert "review step" in shell.json("audit", "verify", code=1)["problem"]
