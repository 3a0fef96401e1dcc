"""What a picture's stream came out as is remembered for further copies, and never where something of it is hidden."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pydicom
import pytest

from orthanc_plugin.errors import DeidentificationError, ReleaseRefusedError
from orthanc_plugin.policy.model import Anonymisable, Effect, Obligation
from orthanc_plugin.release import Hidden, Released
from tests.fakes.pictures import UID, photograph_bytes
from tests.fakes.world import World
from tests.unit.gate.test_release import context, permit

PERMIT = permit(Effect.PERMIT_ANONYMISED, Obligation.ANONYMISE)
REGION = ((0, 0), (16, 0), (16, 16), (0, 16))


def released(world: World) -> Released:
    return world.services.release.prepare(PERMIT, context(world, "teaching-archive"), photograph_bytes(), UID)


def test_a_second_copy_is_the_same_and_asks_no_other_program(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = released(world)
    monkeypatch.setenv("PATH", "/nowhere")
    assert released(world) == first


def test_whoever_looks_at_a_picture_spares_its_release_the_writing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = world.services.release
    profile = release.profile(world.binding("teaching-archive"))
    seen = release.shown(photograph_bytes(), profile, Hidden(), "once")
    monkeypatch.setenv("PATH", "/nowhere")
    assert pixels(released(world).content) == pixels(seen)


def pixels(content: bytes) -> bytes:
    return bytes(pydicom.dcmread(BytesIO(content)).PixelData)


def test_what_is_blanked_is_never_made_from_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = released(world)
    release, profile = world.services.release, world.services.release.profile(world.binding("teaching-archive"))
    blanked = release.derived(photograph_bytes(), profile, Hidden((REGION,)), confirmed=True)
    assert pixels(blanked.content) != pixels(whole.content)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeidentificationError, match="not installed"):
        release.derived(photograph_bytes(), profile, Hidden((REGION,)), confirmed=True)


def test_a_forged_row_opens_no_door(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    released(world)
    world.sql("UPDATE stream_recipes SET sealed = '" + "00" * 700 + "'")
    before = released(world)
    assert b"Doe" not in before.content
    world.sql("UPDATE stream_recipes SET sealed = '" + "00" * 700 + "'")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeidentificationError, match="not installed"):
        released(world)


def test_nobody_who_has_not_looked_gets_one_from_memory(world: World) -> None:
    released(world)
    unseen = replace(context(world, "teaching-archive"), reviewed=Anonymisable.UNKNOWN)
    with pytest.raises(ReleaseRefusedError, match="No named person"):
        world.services.release.prepare(PERMIT, unseen, photograph_bytes(), UID)
