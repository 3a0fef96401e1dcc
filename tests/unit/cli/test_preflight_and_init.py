"""``consentgate init | db upgrade``, and how every command ends when something is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orthanc_plugin.cli.main import COMMANDS, main
from orthanc_plugin.cli.orthancfile import read_configuration
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.deid.keys import read_key
from tests.unit.cli.conftest import Shell

SCRIPT = Path(__file__).resolve().parents[3] / "docker" / "consent_gate.py"


@pytest.fixture
def made(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that ``init`` has filled."""
    monkeypatch.setenv("TCP_NODELAY", "1")
    folder = shell.world.folder / "new" / "folder"
    assert shell("init", folder, "--script", SCRIPT, "--http-port", "1234").exit_code == 0
    return folder


def test_what_init_writes_is_the_owner_s_alone(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {
        "orthanc.json",
        "settings.toml",
        "policy.toml",
        "retention.toml",
        "spool.key",
    }
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (made, made / "keys", made / "storage")} == {0o700}
    keys = [read_key(path) for path in (made / "keys").iterdir()]
    assert len(set(keys)) == 3


def test_each_user_has_a_password_of_their_own_and_is_bound(made: Path) -> None:
    configuration = read_configuration(made / "orthanc.json", {})
    users = configuration["RegisteredUsers"]
    assert isinstance(users, dict)
    assert len(set(users.values())) == len(users) == 7
    assert min(len(password) for password in users.values()) >= 24
    policy = load_policy(made / "policy.toml")
    assert {user.name for user in policy.users} == set(users) - {"consentgate"}
    assert configuration["HttpPort"] == 1234
    assert "http://127.0.0.1:1234" in (made / "settings.toml").read_text()


def test_init_never_overwrites(made: Path, shell: Shell) -> None:
    before = (made / "policy.toml").read_bytes()
    said = shell.fails("init", made, "--script", SCRIPT)
    assert "orthanc.json, settings.toml, policy.toml, retention.toml already" in said
    assert (made / "policy.toml").read_bytes() == before


def test_init_says_the_passwords_once_and_never_its_own(shell: Shell) -> None:
    answer = shell.json("init", shell.world.folder / "other", "--script", SCRIPT)
    assert set(answer["users"]) == {"derm", "uploader", "teacher", "admin", "epr", "governance"}


def test_a_folder_that_can_t_be_made_is_told(shell: Shell) -> None:
    shell.put("file", "")
    assert "Name a folder that you may write to." in shell.fails(
        "init", shell.world.folder / "file" / "below", "--script", SCRIPT
    )


def test_upgrading_the_registry_again_changes_nothing(made: Path, shell: Shell) -> None:
    outputs = [shell("db", "upgrade", settings=made / "settings.toml").stdout for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert re.fullmatch(r"The registry has schema version \w+\.\n", outputs[0])
    assert json.loads(shell("db", "upgrade", "--json", settings=made / "settings.toml").stdout)["version"]
    assert shell("audit", "verify", settings=made / "settings.toml").exit_code == 0


def test_a_registry_from_the_future_is_not_upgraded(shell: Shell) -> None:
    shell.world.sql("UPDATE alembic_version SET version_num = '9999'")
    assert "Update Consentgate." in shell.fails("db", "upgrade")


ASKING = [
    ("consent", "list"),
    ("consent", "withdraw", "x", "--by", "n"),
    ("decide", "--image", "1.2", "--recipient", "derm"),
    ("explain", "x"),
    ("review", "list"),
    ("review", "confirm", "1.2", "--nothing-identifying", "--by", "n"),
    ("quarantine", "list"),
    ("quarantine", "show", "x"),
    ("quarantine", "release", "x", "--by", "n"),
    ("audit", "tail"),
    ("audit", "verify"),
]


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_every_command_tells_what_is_wrong_and_what_to_do(arguments: tuple[str, ...], shell: Shell) -> None:
    settings, policy = shell.world.folder / "settings.toml", shell.world.folder / "policy.toml"
    good = policy.read_text()
    policy.write_text("[decisions]\n")
    assert "Correct the file, then start again." in shell.fails(*arguments)
    policy.write_text(good)
    shell.world.services.database.close()
    shell.world.database_file.write_bytes(b"")
    assert "consentgate db upgrade" in shell.fails(*arguments)
    settings.unlink()
    assert f"Put a readable file at {settings}" in shell.fails(*arguments)


def test_help_names_every_command_and_loads_none() -> None:
    said = CliRunner().invoke(main, ["--help"]).stdout
    assert all(name in said for name in COMMANDS)
    code = (
        "import sys; from orthanc_plugin.cli.main import main; main(['--help'], standalone_mode=False)\n"
        "sys.exit('sqlalchemy' in sys.modules or 'pydicom' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=SCRIPT.parents[1], check=False)
    assert run.returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_of_its_own(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"], catch_exceptions=False)
    assert (result.exit_code, "Usage:" in result.stdout) == (0, True)


def test_an_unknown_command_is_a_wrong_call() -> None:
    assert CliRunner().invoke(main, ["wish"]).exit_code == 2
    assert CliRunner().invoke(main, ["--version"]).output.startswith("consentgate, version ")
