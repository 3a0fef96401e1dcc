"""``consentgate key list | check``, and what the settings say of keys and custodians: all or nothing starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.deid.keys import make_key
from orthanc_plugin.errors import ConfigurationError, ReleaseRefusedError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect
from orthanc_plugin.release import Context, Released
from orthanc_plugin.services import build
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, TEACHING, UID, photograph_bytes
from tests.fakes.world import POLICY, SETTINGS, World, counted_ids, make_world
from tests.unit.cli.conftest import Shell

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

MORE = '[keys.more]\n"2027" = "keys/2027.key"\n"kms" = { command = ["echo", "' + "cd" * 32 + '"] }\n'
MOVED = '[pseudonym_keys]\nteaching = "2027"\n'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    make_key(tmp_path / "keys" / "2027.key")
    made = make_world(tmp_path, settings=SETTINGS + MORE)
    yield made
    made.close()


def rebuilt(world: World, *, policy: str = POLICY, settings: str = SETTINGS + MORE) -> World:
    """Return the world under other files, with the same registry."""
    world.services.database.close()
    (world.folder / "policy.toml").write_text(policy)
    (world.folder / "settings.toml").write_text(settings)
    world.services = build(
        world.folder / "settings.toml", {}, world.clock, counted_ids(f"after-{world.services.ids()}"), world.ticks
    )
    return world


def released(world: World) -> Released:
    context = Context(binding=world.binding("teacher"), reviewed=Anonymisable.YES, recordable=True)
    permit = Decision(effect=Effect.PERMIT_ANONYMISED, reasons=(), rules=())
    return world.services.release.prepare(permit, context, photograph_bytes(), UID)


def left(world: World) -> str:
    """Let the copy leave, and return the UID it has in its domain."""
    if not world.rows():
        world.file(CARE, TEACHING)
        world.review()
    disclosed = leave(world, UID)
    return next(str(each["released_uid"]) for each in world.disclosures() if each["disclosure_id"] == disclosed)


def test_keys_are_listed_with_their_domains_and_never_shown(shell: Shell) -> None:
    left(shell.world)
    listed = {row["key"]: row for row in shell.json("key", "list")}
    assert [(row["kept"], row["domains"]) for row in listed.values()] == [
        ("file", ["every other"]), ("file", []), ("command", []),
    ]  # fmt: skip
    assert listed["pseudonym"]["first_used_at"] is not None
    assert listed["2027"]["first_used_at"] is None
    digits = (shell.world.folder / "keys" / "pseudonym.key").read_text().strip()
    assert digits not in shell("key", "list").output + shell("key", "check").output


def test_every_key_is_checked_against_the_one_used_before(shell: Shell) -> None:
    left(shell.world)
    checked = {row["key"]: row["state"] for row in shell.json("key", "check")}
    assert checked == {"pseudonym": "as before", "2027": "not used yet", "kms": "not used yet"}


def test_another_key_under_the_same_name_releases_nothing(shell: Shell) -> None:
    world = shell.world
    before = left(world)
    path = world.folder / "keys" / "pseudonym.key"
    kept = path.read_text()
    path.unlink()
    make_key(path)
    assert "another key" in shell.json("key", "check", code=1)[0]["state"]
    rebuilt(world)
    with pytest.raises(ReleaseRefusedError, match="not the one that was used under this name"):
        left(world)
    assert len(world.disclosures()) == 1
    path.write_text(kept)
    assert left(rebuilt(world)) == before


def test_a_key_that_is_known_by_another_name_releases_nothing(shell: Shell) -> None:
    world = shell.world
    left(world)
    path = world.folder / "keys" / "2027.key"
    path.write_text((world.folder / "keys" / "pseudonym.key").read_text())
    assert shell.json("key", "check", code=1)[1] == {"key": "2027", "state": "the key that is known as pseudonym"}
    rebuilt(world, policy=POLICY + MOVED)
    with pytest.raises(ReleaseRefusedError, match="is the one that is known as pseudonym"):
        left(world)
    assert len(world.disclosures()) == 1


def test_a_domain_is_given_a_new_key_by_what_rotate_says(shell: Shell) -> None:
    world = shell.world
    before = left(world)
    made = shell.json("key", "rotate", "teaching", "--name", "2028")
    assert Path(made["file"]).stat().st_mode & 0o777 == 0o600
    lines = made["lines"]
    (name, place) = lines["settings.toml"].splitlines()
    settings = (SETTINGS + MORE).replace(name, f"{name}\n{place}")
    after = left(rebuilt(world, policy=f"{POLICY}{lines['policy.toml']}\n", settings=settings))
    assert after != before
    states = {row["key"]: row["state"] for row in shell.json("key", "check")}
    assert (states["2028"], states["pseudonym"]) == ("as before", "as before")
    key = Path(made["file"]).read_text()
    for arguments, words in (
        (("teaching", "--name", "2028"), "a key of this name"),
        (("teaching", "--name", "pseudonym"), "a key of this name"),
        (("teeching", "--name", "2029"), "Domains are: "),
    ):
        assert words in shell.fails("key", "rotate", *arguments)
    assert "letters, digits" in shell.fails("key", "rotate", "teaching", "--name", "../2029", code=2)
    assert Path(made["file"]).read_text() == key
    assert key.strip() not in str(made)


def test_a_domain_moves_to_a_new_key_on_the_day_the_policy_says_so_and_no_other_does(world: World) -> None:
    before = left(world)
    after = left(rebuilt(world, policy=POLICY + MOVED))
    assert after != before
    told = [entry for entry in world.trail() if entry["effect"] == "PSEUDONYM_KEY_FIRST_USED"]
    assert [entry["subject"] for entry in told] == ["pseudonym", "2027"]
    assert left(rebuilt(world)) == before


@pytest.mark.parametrize(
    ("policy", "settings", "words"),
    [
        (POLICY, '[keys]\nretired = ["pseudonym"]\n', "which is retired"),
        (POLICY + '[pseudonym_keys]\nteaching = "2028"\n', "", "settings.toml doesn't have"),
        (POLICY + '[pseudonym_keys]\nteeching = "2027"\n', "", "no profile has the pseudonym domain 'teeching'"),
        (POLICY, '[keys]\npseudonym = { environment = "" }\n', "keys.pseudonym"),
        (POLICY, "[keys]\npseudonym = { command = [] }\n", "keys.pseudonym"),
        (POLICY, '[keys]\nmore = { "a key" = "x" }\n', "keys.more"),
        (POLICY + '[profiles.study]\npseudonym_domain = "s"\ncustodians = ["records"]\n', "", "[custodians]"),
        (POLICY + '[profiles.study]\npseudonym_domain = "s"\ncustodians = ["a", "a"]\n', "", "more than once"),
        (POLICY + "[linkage]\nreleases = 0\n", "", "linkage.releases"),
    ],
)
def test_files_that_leave_a_domain_without_key_or_custodian_are_refused(
    policy: str, settings: str, words: str, world: World
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        rebuilt(world, policy=policy, settings=SETTINGS + settings)
    assert words in str(caught.value)


def test_a_compromised_key_is_retired_and_the_domain_goes_on_with_another(world: World) -> None:
    before = left(world)
    settings = SETTINGS + '[keys]\nretired = ["pseudonym"]\n' + MORE
    (world.folder / "keys" / "pseudonym.key").unlink()
    assert left(rebuilt(world, policy=POLICY + MOVED, settings=settings)) != before


def test_the_first_key_may_be_in_the_environment_or_come_from_a_command(world: World) -> None:
    world.services.database.close()
    made = set()
    for place in ('{ environment = "MY_KEY" }', '{ command = ["printenv", "MY_KEY"] }'):
        (world.folder / "settings.toml").write_text(f"{SETTINGS}[keys]\npseudonym = {place}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MY_KEY", "cd" * 32)
            environment = {"MY_KEY": "cd" * 32}
            world.services = build(world.folder / "settings.toml", environment, world.clock, counted_ids(), world.ticks)
            made.add(released(world).sop_instance_uid)
            world.services.database.close()
    assert len(made) == 1
