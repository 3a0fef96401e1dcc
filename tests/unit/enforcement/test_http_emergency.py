"""Emergency access and intimate pictures at the HTTP door."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.lifecycle import emergency
from orthanc_plugin.services import build
from tests.fakes.clinic import clinic, intimate
from tests.fakes.pictures import CARE, consent
from tests.fakes.world import World

INTERNAL = Credentials(user="consentgate", password="p", secret="s" * 43)
NAMED = 'audience = "CARE_TEAM"\nmay_view_intimate = true\n'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clinic(tmp_path)
    yield made
    made.close()


def seen(world: World, account: str = "registrar") -> bool:
    """Tell whether the account may have the one picture's file."""
    token = base64.b64encode(f"{account}:password".encode()).decode()
    door = HttpFilter(world.services, INTERNAL, world.worker())
    uri = f"/instances/{world.row().orthanc_instance}/file"
    return door.hook(uri, method=1, ip="127.0.0.1", headers={"authorization": f"Basic {token}"}, get={})


def granted(world: World, account: str = "registrar") -> None:
    with world.services.database.writing() as connection:
        act = world.services.act(account, "test")
        emergency.grant(connection, act, account, ("P1", "HOSP"), minutes=5, reason="Unconscious in resus.")


def test_the_door_opens_with_the_grant_and_shuts_with_its_end(world: World) -> None:
    world.file(CARE)
    assert not seen(world)
    granted(world)
    assert seen(world)
    assert not seen(world, "consultant")
    assert not seen(world, "teacher")
    world.clock.advance(minutes=5)
    assert not seen(world)


def test_when_nobody_could_be_told_the_door_stays_shut(world: World) -> None:
    world.file(CARE)
    granted(world)
    world.sql("DELETE FROM tasks")
    world.sql("CREATE TRIGGER never BEFORE INSERT ON tasks BEGIN SELECT RAISE(IGNORE); END")
    assert not seen(world)
    assert world.last_rules() == ["OBLIGATION_UNMET"]
    assert "nobody has been asked to tell the patient" in str(world.trail()[-1]["reasons"])


def test_an_intimate_picture_is_shown_to_named_roles_only(world: World) -> None:
    world.record(consent(CARE, explained=["WHY", "USE", "STORAGE", "AUDIENCE"]))
    world.receive(intimate())
    assert not seen(world, "derm")
    assert "not one of the named roles" in str(world.trail()[-1]["reasons"])
    policy = world.folder / "policy.toml"
    before, _, after = policy.read_text().partition('name = "derm"')
    policy.write_text(before + 'name = "derm"' + after.replace('audience = "CARE_TEAM"\n', NAMED, 1))
    services = build(world.folder / "settings.toml", {}, world.clock, world.services.ids)
    named = World(folder=world.folder, services=services, clock=world.clock)
    assert seen(named, "derm")
    named.close()


def test_an_emergency_shows_intimate_pictures_too(world: World) -> None:
    world.record(consent(CARE, explained=["WHY", "USE", "STORAGE", "AUDIENCE"]))
    world.receive(intimate())
    granted(world)
    assert seen(world)
    world.clock.advance(minutes=5)
    assert not seen(world)
