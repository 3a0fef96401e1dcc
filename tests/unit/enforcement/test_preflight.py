"""Preflight: each option that would let images out unasked, one by one, from a configuration that is safe."""

from __future__ import annotations

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.preflight import (
    ALLOWED_PLUGINS,
    REQUIRED,
    Configuration,
    Finding,
    Required,
    Severity,
    findings,
    modality_findings,
    plugin_findings,
    require_safe,
)
from orthanc_plugin.errors import OpenExitError
from tests.fakes.configuration import safe_configuration
from tests.fakes.world import World

ENVIRONMENT = {"TCP_NODELAY": "1"}
UNSAFE = {bool: True, int: 5, str: "x", list: ["x"], dict: {"x": 1}}


def unsafe(required: Required) -> list[object]:
    """Return values that must be refused: of the same kind, of another, and those that only look alike."""
    first = required.safe[0]
    same_kind: object = (not first) if isinstance(first, bool) else UNSAFE[type(first)]
    return [same_kind, "nonsense", None, *(["true", "false", 0, 1] if isinstance(first, bool) else ["0"])]


def found(configuration: Configuration, world: World, environment: dict[str, str] | None = None) -> tuple[Finding, ...]:
    return findings(configuration, world.services.policy, ENVIRONMENT if environment is None else environment)


def test_a_safe_configuration_has_no_findings(world: World) -> None:
    assert found(safe_configuration(), world) == ()


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.option)
def test_each_option_is_missed_when_it_is_not_safe(required: Required, world: World) -> None:
    for value in unsafe(required):
        (finding,) = found({**safe_configuration(), required.option: value}, world)
        assert (finding.option, finding.severity, finding.problem) == (
            required.option,
            required.severity,
            required.problem,
        )
        assert required.option in finding.remedy
        assert str(finding).startswith(f"{required.option}: ")


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.option)
def test_an_option_left_out_counts_as_orthanc_s_default(required: Required, world: World) -> None:
    configuration = {key: value for key, value in safe_configuration().items() if key != required.option}
    options = [finding.option for finding in found(configuration, world)]
    assert options == ([] if required.default in required.safe else [required.option])


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.option)
def test_every_safe_value_is_accepted(required: Required, world: World) -> None:
    for value in required.safe:
        assert found({**safe_configuration(), required.option: value}, world) == ()


def test_no_option_is_there_twice() -> None:
    assert len({required.option for required in REQUIRED}) == len(REQUIRED)


def test_an_empty_configuration_is_refused_for_every_unsafe_default(world: World) -> None:
    options = {finding.option for finding in found({}, world)}
    assert options == {each.option for each in REQUIRED if each.default not in each.safe} | {"RegisteredUsers"}


@pytest.mark.parametrize("users", [None, {}, [], "derm"])
def test_without_users_orthanc_makes_one_with_a_known_password(users: object, world: World) -> None:
    (finding,) = found({**safe_configuration(), "RegisteredUsers": users}, world)
    assert (finding.option, finding.severity) == ("RegisteredUsers", Severity.REFUSE)


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"AllowGet": True}, Severity.REFUSE, "C-GET is allowed"),
        ({"AllowGet": None}, Severity.REFUSE, "C-GET is allowed"),
        ({"AllowGet": 0}, Severity.REFUSE, "C-GET is allowed"),
        ({"AllowGet": "false"}, Severity.REFUSE, "C-GET is allowed"),
        ({"AET": "STRANGER"}, Severity.REFUSE, "No node of policy.toml"),
        ({"AET": "dermcam"}, Severity.REFUSE, "No node of policy.toml"),
        ({"AET": ""}, Severity.REFUSE, "No node of policy.toml"),
        ({"Host": "10.0.0.1"}, Severity.REFUSE, "No node of policy.toml"),
        ({"Host": None}, Severity.REFUSE, "No node of policy.toml"),
        ({"AllowMove": True}, Severity.WARN, "C-MOVE is allowed here"),
    ],
)
def test_a_modality_must_be_the_node_of_the_policy_and_no_more(
    changes: dict[str, object], severity: Severity, words: str, world: World
) -> None:
    camera = {"AET": "DERMCAM", "Host": "127.0.0.1", "Port": 1, "AllowGet": False, "AllowMove": False, **changes}
    (finding,) = modality_findings({"camera": camera}, world.services.policy)
    assert (finding.severity, finding.option) == (severity, "DicomModalities.camera")
    assert words in finding.problem


@pytest.mark.parametrize("left_out", ["AllowGet", "AllowMove", "AET", "Host"])
def test_what_a_modality_doesn_t_say_is_allowed_by_orthanc(left_out: str, world: World) -> None:
    camera = {"AET": "DERMCAM", "Host": "127.0.0.1", "Port": 1, "AllowGet": False, "AllowMove": False}
    del camera[left_out]
    assert len(list(modality_findings({"camera": camera}, world.services.policy))) == 1


@pytest.mark.parametrize("short", [["DERMCAM", "127.0.0.1", 11112], "DERMCAM", None])
def test_the_short_form_of_a_modality_allows_everything(short: object, world: World) -> None:
    (finding,) = found({**safe_configuration(), "DicomModalities": {"camera": short}}, world)
    assert finding.severity is Severity.REFUSE
    assert "short form" in finding.problem


@pytest.mark.parametrize("name", ["ohif", "orthanc-explorer-2", "transfers", "gdcm", "Python", ""])
def test_a_plugin_nobody_knows_is_refused(name: str) -> None:
    (finding,) = plugin_findings(("python", name))
    assert (finding.severity, finding.option) == (Severity.REFUSE, "Plugins")


def test_the_plugins_that_are_guarded_are_accepted() -> None:
    assert list(plugin_findings(tuple(ALLOWED_PLUGINS))) == []


@pytest.mark.parametrize("environment", [{}, {"TCP_NODELAY": "0"}, {"TCP_NODELAY": ""}])
def test_a_slow_environment_is_a_warning(environment: dict[str, str], world: World) -> None:
    (finding,) = found(safe_configuration(), world, environment)
    assert (finding.severity, finding.option) == (Severity.WARN, "TCP_NODELAY")
    require_safe((finding,))


def test_every_refusal_is_told_at_once_and_no_warning(world: World) -> None:
    refused = [each for each in found({}, world, {}) if each.severity is Severity.REFUSE]
    with pytest.raises(OpenExitError) as caught:
        require_safe(found({}, world, {}))
    assert caught.value.problems == tuple(str(each) for each in refused)
    assert all(each.remedy in str(caught.value) for each in refused)
    assert caught.value.remedy in str(caught.value)


def test_refusals_come_before_warnings(world: World) -> None:
    severities = [each.severity for each in found({}, world, {})]
    assert severities == sorted(severities)
    assert load_policy(world.folder / "policy.toml") == world.services.policy
