"""``consentgate preflight`` from outside, and the configuration that ``consentgate init`` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orthanc_plugin.cli.orthancfile import read_configuration, substituted, without_comments
from orthanc_plugin.enforcement.knownoptions import KNOWN
from orthanc_plugin.enforcement.options import REQUIRED, Severity
from tests.fakes.configuration import with_option
from tests.unit.cli.conftest import Shell

SCRIPT = Path(__file__).resolve().parents[3] / "docker" / "consent_gate.py"
# The one row whose safe value is that orthanc.json says nothing.
LEFT_OUT = {"IngestTranscoding"}


@pytest.fixture
def made(shell: Shell) -> Path:
    """Give the folder that ``init`` has filled."""
    folder = shell.world.folder / "new" / "folder"
    assert shell("init", folder, "--script", SCRIPT, "--http-port", "1234").exit_code == 0
    return folder


def test_the_configuration_of_init_states_every_option_of_the_table_at_its_first_safe_value(made: Path) -> None:
    written = read_configuration(made / "orthanc.json", {})
    unsafe = []
    for required in REQUIRED:
        section, _, name = required.option.rpartition(".")
        values = written[section] if section else written
        assert isinstance(values, dict)
        if name not in values or values[name] != required.safe[0]:
            unsafe.append(required.option)
    assert set(unsafe) == LEFT_OUT
    assert set(written) <= KNOWN


def test_what_init_writes_passes_preflight(made: Path, shell: Shell) -> None:
    result = shell("preflight", made / "orthanc.json", settings=made / "settings.toml")
    told = "No Orthanc runs on these settings; only the files were checked.\nNothing to object to.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", told)


def changed(made: Path, option: str = "", value: object = None, **changes: object) -> Path:
    configuration = {**read_configuration(made / "orthanc.json", {}), **changes}
    path = made / "changed.json"
    path.write_text(json.dumps(with_option(configuration, option, value) if option else configuration))
    return path


@pytest.mark.parametrize("option", [required.option for required in REQUIRED if isinstance(required.safe[0], bool)])
def test_an_option_that_is_flipped_is_told_with_its_remedy(option: str, made: Path, shell: Shell) -> None:
    required = next(each for each in REQUIRED if each.option == option)
    path = changed(made, option, not required.safe[0])
    result = shell("preflight", path, settings=made / "settings.toml")
    assert result.exit_code == (1 if required.severity is Severity.REFUSE else 0)
    assert f'Set "{option}" to {"true" if required.safe[0] else "false"} in orthanc.json.' in result.stdout


def test_findings_in_json_name_option_and_severity(made: Path, shell: Shell) -> None:
    path = changed(made, WebDavEnabled=True, DicomModalities={"x": ["X", "y", 1]})
    result = shell("preflight", path, "--json", settings=made / "settings.toml")
    assert result.exit_code == 1
    assert [(row["option"], row["severity"]) for row in json.loads(result.stdout)] == [
        ("DicomModalities.x", "REFUSE"),
        ("WebDavEnabled", "REFUSE"),
    ]


def folder_of_two(made: Path, second: str) -> Path:
    folder = made / "conf.d"
    folder.mkdir()
    configuration = read_configuration(made / "orthanc.json", {})
    del configuration["WebDavEnabled"]
    (folder / "a.json").write_text(json.dumps(configuration))
    (folder / "b.json").write_text(second)
    return folder


def test_a_folder_of_configuration_files_is_merged_as_orthanc_does(made: Path, shell: Shell) -> None:
    folder = folder_of_two(made, '{"WebDavEnabled": true} // of another file')
    result = shell("preflight", folder, settings=made / "settings.toml")
    assert (result.exit_code, "WebDavEnabled" in result.stdout) == (1, True)


def test_an_option_that_two_files_say_is_one_that_orthanc_does_not_start_on(made: Path, shell: Shell) -> None:
    folder = folder_of_two(made, '{"WebDavEnabled": false, "SaveJobs": false}')
    result = shell("preflight", folder, settings=made / "settings.toml")
    assert result.exit_code == 2
    assert "b.json says SaveJobs again" in result.stderr


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"", b"{'a': 1}"])
def test_a_configuration_that_can_t_be_read_is_told(content: bytes, made: Path, shell: Shell) -> None:
    path = made / "bad.json"
    path.write_bytes(content)
    result = shell("preflight", path, settings=made / "settings.toml")
    assert result.exit_code == 2
    assert "bad.json can't be read as Orthanc's configuration" in result.stderr


def test_without_settings_or_policy_nothing_is_checked(made: Path, shell: Shell) -> None:
    (made / "policy.toml").write_text("[decisions]\n")
    assert shell("preflight", made / "orthanc.json", settings=made / "settings.toml").exit_code == 2
    (made / "settings.toml").unlink()
    assert shell("preflight", made / "orthanc.json", settings=made / "settings.toml").exit_code == 2


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('{"a": "http://x"} // c', '{"a": "http://x"}  '),
        ('{"a": /* c // d */ 1}', '{"a":   1}'),
        ('{"a": "/* kept */"}', '{"a": "/* kept */"}'),
        ('{"a": "quote \\" // kept"}', '{"a": "quote \\" // kept"}'),
    ],
)
def test_comments_are_taken_out_and_strings_left_alone(text: str, plain: str) -> None:
    assert without_comments(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("${PORT}", "8042"),
        ("${PORT:-1}", "8042"),
        ("${NONE:-1}", "1"),
        ("${NONE:-}", ""),
        ("${NONE}", ""),
        ("$PORT", "$PORT"),
    ],
)
def test_variables_of_the_environment_are_put_in(text: str, plain: str) -> None:
    assert substituted(text, {"PORT": "8042"}) == plain
