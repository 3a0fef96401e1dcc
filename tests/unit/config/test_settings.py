"""settings.toml: where things are; the environment may say otherwise, but never who may see what."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.deid.keys import make_key, read_key
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.services import build
from tests.fakes.world import POLICY, World, counted_ids


def load(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(path, environment)


def test_paths_start_at_the_file_s_own_folder(tmp_path: Path) -> None:
    settings = load(tmp_path, '[spool]\nfolder = "../elsewhere"\n')
    assert settings.path(settings.spool.folder) == tmp_path.parent / "elsewhere"
    assert settings.path("/absolute") == Path("/absolute")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///registry.db", "sqlite:///{folder}/registry.db"),
        ("sqlite:////var/lib/registry.db", "sqlite:////var/lib/registry.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg://host/name", "postgresql+psycopg://host/name"),
    ],
)
def test_a_relative_database_is_found_from_anywhere(url: str, expected: str, tmp_path: Path) -> None:
    settings = load(tmp_path, f'[registry]\ndatabase = "{url}"\n')
    assert settings.database_url() == expected.format(folder=tmp_path)


def test_the_environment_overrides_a_setting(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[orthanc]\nurl = "http://127.0.0.1:1"\nuser = "me"\n',
        CONSENTGATE_ORTHANC_URL="http://127.0.0.1:2",
        CONSENTGATE_SPOOL_KEY_FILE="other.key",
    )
    assert (settings.orthanc.url, settings.orthanc.user) == ("http://127.0.0.1:2", "me")
    assert settings.spool.key_file == "other.key"


def test_the_environment_never_overrides_the_policy(world: World) -> None:
    environment = {
        "CONSENTGATE_DECISIONS_ANONYMISED_SECONDARY_USE_OF_CARE_PHOTOGRAPHS": "GMC17",
        "CONSENTGATE_INTAKE_CONSENT_REFERENCE": "patient",
        "CONSENTGATE_USERS": "[]",
        "CONSENTGATE_PROFILES_TEACHING_PSEUDONYM_DOMAIN": "research",
    }
    services = build(world.folder / "settings.toml", environment, world.clock, counted_ids())
    assert services.policy == world.services.policy
    services.database.close()


@pytest.mark.parametrize(
    ("text", "environment", "place"),
    [
        ("[wish]\n", {}, "wish"),
        ("[spool]\nwish = 1\n", {}, "spool.wish"),
        ('folder = "/"\n', {}, "folder"),
        ('registry = "x"\n', {}, "registry"),
        ("[registry]\ndatabase = 5\n", {}, "registry.database"),
        ('[trail]\nsigning_key = ""\n', {}, "trail.signing_key"),
        ("", {"CONSENTGATE_SPOOL_WISH": "1"}, "spool.wish"),
        ("", {"CONSENTGATE_REGISTRY_DATABASE": ""}, "registry.database"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, environment: dict[str, str], place: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, **environment)
    assert any(problem.startswith(f"settings.toml: {place}") for problem in caught.value.problems)


def test_bad_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2"):
        load(tmp_path, "[spool]\nfolder = \n")


def test_a_key_that_was_made_can_be_read_and_is_never_made_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    make_key(path)
    key = read_key(path)
    make_key(path)
    assert (read_key(path), len(key)) == (key, 32)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o660])
def test_a_key_that_others_may_touch_is_refused_with_the_command_that_mends_it(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    make_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        read_key(path)


@pytest.mark.parametrize("content", [b"", b"12", b"no hexadecimal digits", b"\xff\xff", b"00" * 31, b"00" * 33])
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"a\.key"):
        read_key(path)


@pytest.mark.parametrize("name", ["pseudonym.key", "spool.key", "trail.key"])
def test_without_a_key_nothing_is_built(name: str, world: World) -> None:
    (world.folder / "keys" / name).unlink()
    with pytest.raises(ConfigurationError, match=name):
        build(world.folder / "settings.toml", {}, world.clock, counted_ids())


def test_a_faulty_policy_builds_nothing(world: World) -> None:
    (world.folder / "policy.toml").write_text(POLICY.replace("CARE_TEAM", "PERSONAL_DEVICE"))
    with pytest.raises(ConfigurationError, match="may never receive"):
        build(world.folder / "settings.toml", {}, world.clock, counted_ids())
