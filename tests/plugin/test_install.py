"""Orthanc starts with every hook in place, or not at all."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.archive.embedded import EmbeddedControl
from orthanc_plugin.archive.peers import network
from orthanc_plugin.archive.port import ArchiveControl
from orthanc_plugin.archive.process import this_process
from orthanc_plugin.archive.sighting import HEALTH
from orthanc_plugin.enforcement.orthanclog import OrthancLog
from orthanc_plugin.enforcement.overrides import overrides
from orthanc_plugin.enforcement.switchboard import expression
from orthanc_plugin.errors import ConfigurationError, ConsentgateError, OpenExitError, RegistryError
from orthanc_plugin.install import HOOKS, Parts, install, modalities_by_aet
from tests.fakes import orthanc
from tests.fakes.configuration import PASSWORD, modalities
from tests.fakes.orthanc import ChangeType, InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import ct, encoded, photograph_bytes
from tests.plugin.conftest import Plugin
from tests.unit.enforcement.test_http import basic

ALWAYS = {
    "http",
    "rest /consentgate/health",
    "rest /consentgate/reviews/[0-9.]+/proposals",
    "rest /consentgate/reviews(/.*)?",
    "rest /consentgate/(.*)",
    "move",
    "find",
    "worklist",
    "received",
    "cstore",
    "stored",
    "change",
}


def answered(parts: Parts) -> set[str]:
    """Return the one hook for all of the core's routes that are answered by Consentgate."""
    every = overrides(
        parts.services, parts.archive, parts.core, parts.modalities, parts.moves, parts.acceptances.settled
    )
    return {f"rest {expression(each.path for each in every)}"}


def test_every_entry_registers_hooks_of_its_own_and_together_all_there_are(plugin: Plugin) -> None:
    parts = plugin.install()
    assert set(orthanc.hooks) == ALWAYS | answered(parts)
    registered = []
    for register in HOOKS:
        orthanc.hooks.clear()
        register(orthanc, parts)
        registered += list(orthanc.hooks)
    assert sorted(registered) == sorted(ALWAYS | answered(parts))


def test_until_the_start_up_checks_have_passed_the_gate_is_shut(plugin: Plugin) -> None:
    parts = plugin.install()
    assert parts.services.gate.closed == "the start-up checks have not finished"
    orthanc.answers.update(
        {
            "/modalities?expand": json.dumps(modalities()).encode(),
            "/peers?expand": b"{}",
            "/plugins": b'["python", "dicom-web"]',
            "/instances": b"[]",
        }
    )
    orthanc.hooks["change"](ChangeType.ORTHANC_STARTED, 0, "")
    assert parts.services.gate.closed is None
    assert plugin.world.trail()[-1]["detail"] == "started; every check passed"


def test_what_is_effective_after_the_start_is_checked_again(plugin: Plugin) -> None:
    parts = plugin.install()
    opened = {**modalities(), "late": {"AET": "LATE", "Host": "10.0.0.1", "AllowGet": True}}
    orthanc.answers.update({"/modalities?expand": json.dumps(opened).encode(), "/plugins": b"[]", "/instances": b"[]"})
    orthanc.answers["/peers?expand"] = b"{}"
    orthanc.hooks["change"](ChangeType.ORTHANC_STARTED, 0, "")
    assert parts.services.gate.closed == "a check at the start failed"
    assert "POST /tools/shutdown 0" in orthanc.log


def test_at_the_stop_the_boot_file_is_gone_and_the_head_is_signed(plugin: Plugin) -> None:
    parts = plugin.install()
    boot = plugin.world.folder / "run" / "boot.secret"
    assert boot.stat().st_mode & 0o777 == 0o600
    process = this_process()
    assert process is not None
    told = {
        "password": PASSWORD,
        "secret": parts.internal.secret,
        "storage": "",
        "network": network(orthanc.configuration),
    }
    assert network(orthanc.configuration)["DicomModalities"]
    assert json.loads(boot.read_text()) == {**told, **process.fields()}
    orthanc.hooks["change"](ChangeType.ORTHANC_STOPPED, 0, "")
    assert not boot.exists()
    assert list(parts.services.heads.signed()) == [1]


def test_the_health_of_threads_that_decide_is_told_by_others(plugin: Plugin) -> None:
    parts = plugin.install()
    asked = [name for name in orthanc.hooks if name.startswith("rest /consentgate/")]
    assert (asked[0], asked[-1]) == (
        "rest /consentgate/health",
        "rest /consentgate/(.*)",
    )  # the first that fits is asked
    for well in (True, False):
        output = orthanc.RestOutput()
        orthanc.hooks[asked[0]](output, HEALTH, method="GET", headers={"authorization": basic("admin")})
        assert json.loads(output.body)["parts"]["decisions"]["ok"] is well
        parts.decisions.stop()


def test_each_start_has_a_secret_of_its_own(plugin: Plugin) -> None:
    assert plugin.install().internal.secret != plugin.install().internal.secret


def test_an_object_goes_through_the_hooks_in_orthanc_s_order(plugin: Plugin) -> None:
    plugin.install()
    received = orthanc.hooks["received"]
    assert received(photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL) == (ReceivedInstanceAction.DISCARD, None)
    assert received(encoded(ct()), InstanceOrigin.REST_API) == (ReceivedInstanceAction.KEEP_AS_IS, None)
    assert [row.sop_instance_uid for row in plugin.world.rows()] == ["2.25.77"]


def test_warnings_are_in_orthanc_s_log(plugin: Plugin) -> None:
    plugin.install(TCP_NODELAY="0")
    assert [line for line in orthanc.log if "TCP_NODELAY" in line]


def test_the_command_line_and_the_version_are_looked_at(plugin: Plugin) -> None:
    orthanc.arguments[:] = ["orthanc.json", "--verbose"]
    orthanc.configuration["Python"]["AllowThreads"] = False  # which the double's version does not have yet
    plugin.install()
    assert [line for line in orthanc.log if "--verbose: Logs could carry" in line]


def test_an_exception_is_logged_by_its_kind_and_never_by_its_text() -> None:
    orthanc.reset()
    logger = logging.Logger("apart")
    logger.addHandler(OrthancLog(orthanc))
    try:
        raise ValueError("Doe^Jane")
    except ValueError:
        logger.exception("a hook failed")
    logger.info("not said")
    assert orthanc.log == ["Consentgate: a hook failed (ValueError)"]


def no_settings(_plugin: Plugin) -> None:
    del orthanc.configuration["Consentgate"]


def settings_that_are_no_path(_plugin: Plugin) -> None:
    orthanc.configuration["Consentgate"] = {"Settings": 5}


def settings_that_are_not_there(plugin: Plugin) -> None:
    plugin.settings.unlink()


def a_faulty_setting(plugin: Plugin) -> None:
    plugin.settings.write_text("[wish]\n")


def a_faulty_policy(plugin: Plugin) -> None:
    (plugin.world.folder / "policy.toml").write_text("[decisions]\n")


def no_policy(plugin: Plugin) -> None:
    (plugin.world.folder / "policy.toml").unlink()


def a_key_that_others_may_read(plugin: Plugin) -> None:
    (plugin.world.folder / "keys" / "pseudonym.key").chmod(0o644)


def an_open_exit(_plugin: Plugin) -> None:
    orthanc.configuration["WebDavEnabled"] = True


def an_open_modality(_plugin: Plugin) -> None:
    orthanc.configuration["DicomModalities"]["camera"]["AllowGet"] = True


def a_modality_nobody_bound(_plugin: Plugin) -> None:
    orthanc.configuration["DicomModalities"]["stranger"] = {"AET": "X", "Host": "y", "Port": 1, "AllowGet": False}


def no_tables(plugin: Plugin) -> None:
    plugin.world.services.database.close()
    plugin.world.database_file.write_bytes(b"")


def no_registry(plugin: Plugin) -> None:
    plugin.world.lose_the_database()


def no_user_of_our_own(_plugin: Plugin) -> None:
    del orthanc.configuration["RegisteredUsers"]["consentgate"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (no_settings, ConfigurationError),
        (settings_that_are_no_path, ConfigurationError),
        (settings_that_are_not_there, ConfigurationError),
        (a_faulty_setting, ConfigurationError),
        (a_faulty_policy, ConfigurationError),
        (no_policy, ConfigurationError),
        (a_key_that_others_may_read, ConfigurationError),
        (an_open_exit, OpenExitError),
        (an_open_modality, OpenExitError),
        (a_modality_nobody_bound, OpenExitError),
        (no_tables, RegistryError),
        (no_registry, RegistryError),
        (no_user_of_our_own, ConfigurationError),
    ],
)
def test_orthanc_does_not_start_half_guarded(
    fault: Callable[[Plugin], None], error: type[ConsentgateError], plugin: Plugin
) -> None:
    fault(plugin)
    with pytest.raises(error) as caught:
        plugin.install()
    assert caught.value.remedy in str(caught.value)
    assert orthanc.hooks == {}
    assert not (plugin.world.folder / "run").exists()


def test_the_environment_says_where_the_settings_are_before_orthanc_json_does(plugin: Plugin) -> None:
    orthanc.configuration["Consentgate"] = {"Settings": "/nowhere/settings.toml"}
    parts = plugin.install(CONSENTGATE_SETTINGS=str(plugin.settings))
    assert set(orthanc.hooks) == ALWAYS | answered(parts)


def test_the_log_s_witness_is_there_when_the_log_s_place_is_known(plugin: Plugin) -> None:
    without = plugin.install()
    plugin.settings.write_text(plugin.settings.read_text() + '[orthanc]\nlog = "orthanc.log"\n')
    assert len(plugin.install().at_stop) == len(without.at_stop) + 1


def test_the_embedded_control_is_the_port_and_reads_through_the_sdk() -> None:
    orthanc.reset()
    orthanc.answers.update(
        {
            "/modalities?expand": b'{"x": {}}',
            "/plugins": b'["python"]',
            "/instances": b'["a"]',
            "/instances/a/file": b"d",
        }
    )
    control: ArchiveControl = EmbeddedControl()
    assert (control.modalities(), control.plugins(), control.instances()) == ({"x": {}}, ("python",), ("a",))
    assert control.read("a") == b"d"
    control.shut_down()
    assert orthanc.log == ["POST /tools/shutdown 0"]
    orthanc.reset()


def test_a_modality_is_found_by_its_ae_title() -> None:
    assert modalities_by_aet({"DicomModalities": modalities()})["TEACHING"] == "teaching"
    assert modalities_by_aet({}) == modalities_by_aet({"DicomModalities": {"short": ["X", "y", 1]}}) == {}


def test_the_script_that_orthanc_loads_is_those_three_lines() -> None:
    script = Path(__file__).resolve().parents[2] / "docker" / "consent_gate.py"
    assert [line.partition("  #")[0] for line in script.read_text().splitlines() if line] == [
        "import orthanc",
        "from orthanc_plugin.install import install",
        "parts = install(orthanc)",
    ]


def test_the_rest_hooks_are_held_until_the_end(plugin: Plugin) -> None:
    parts = plugin.install()
    registered = [hook for name, hook in orthanc.hooks.items() if name.startswith("rest ")]
    assert len(registered) > 1
    assert {id(hook) for hook in registered} == {id(hook) for hook in parts.kept}


def test_without_any_environment_the_process_s_own_is_read(plugin: Plugin) -> None:
    orthanc.configuration["WebDavEnabled"] = True
    with pytest.raises(OpenExitError):
        install(orthanc)
    assert plugin.world.trail() == []
