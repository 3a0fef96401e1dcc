"""Preflight: each option that would let images out unasked, one by one, from a configuration that is safe."""

from __future__ import annotations

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.finding import Finding, require_safe
from orthanc_plugin.enforcement.options import REQUIRED, Required, Severity, Version
from orthanc_plugin.enforcement.preflight import Around, Configuration, findings
from orthanc_plugin.errors import OpenExitError
from tests.fakes.configuration import LIBRARIES, PASSWORD, modality, safe_configuration, with_option, without_option
from tests.fakes.world import World

ENVIRONMENT = {"TCP_NODELAY": "1"}
UNSAFE = {bool: True, int: 50_000, str: "x", list: ["x"], dict: {"x": 1}}
OLDEST = (1, 10, 1)


def unsafe(required: Required) -> list[object]:
    """Return values that must be refused: of the same kind, of another, and those that only look alike."""
    first = required.safe[0]
    same_kind: object = (not first) if isinstance(first, bool) else UNSAFE[type(first)]
    return [same_kind, "nonsense", None, *(["true", "false", 0, 1] if isinstance(first, bool) else ["0", True])]


def found(configuration: Configuration, world: World, around: Around | None = None) -> tuple[Finding, ...]:
    return findings(configuration, world.services.policy, around or Around(environment=ENVIRONMENT))


def test_a_safe_configuration_has_no_findings(world: World) -> None:
    assert found(safe_configuration(), world) == ()


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.option)
def test_each_option_is_missed_when_it_is_not_safe(required: Required, world: World) -> None:
    for value in unsafe(required):
        (finding,) = found(with_option(safe_configuration(), required.option, value), world)
        assert (finding.option, finding.severity, finding.problem) == (
            required.option,
            required.severity,
            required.problem,
        )
        assert required.option in finding.remedy
        assert str(finding).startswith(f"{required.option}: ")


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.option)
def test_an_option_left_out_counts_as_orthanc_s_default(required: Required, world: World) -> None:
    options = [finding.option for finding in found(without_option(safe_configuration(), required.option), world)]
    assert options == ([] if required.accepts(required.default) else [required.option])


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.option)
def test_every_safe_value_is_accepted(required: Required, world: World) -> None:
    numbers = (1, required.most) if required.most else ()
    for value in (*required.safe, *numbers):
        assert found(with_option(safe_configuration(), required.option, value), world) == ()


@pytest.mark.parametrize("required", [each for each in REQUIRED if each.most], ids=lambda required: required.option)
def test_a_number_that_is_too_large_is_not(required: Required, world: World) -> None:
    for number in (required.most + 1, -1):
        assert len(found(with_option(safe_configuration(), required.option, number), world)) == 1


def test_no_option_is_there_twice() -> None:
    assert len({required.option for required in REQUIRED}) == len(REQUIRED)


def test_an_empty_configuration_is_refused_for_every_unsafe_default(world: World) -> None:
    options = {finding.option for finding in found({}, world)}
    unsafe_by_default = {each.option for each in REQUIRED if not each.accepts(each.default)}
    assert options == unsafe_by_default | {"RegisteredUsers", "Plugins"}


def test_an_option_counts_from_the_version_that_has_it(world: World) -> None:
    newer = [required for required in REQUIRED if required.since]
    assert {required.option for required in newer} >= {"Python.AllowThreads", "MaximumStorageMode", "ReadOnly"}

    def oldest(version: Version) -> bool:
        return version <= OLDEST

    for required in newer:
        configuration = with_option(safe_configuration(), required.option, unsafe(required)[0])
        assert found(configuration, world, Around(has=oldest)) == ()
        assert len(found(configuration, world, Around())) == 1


@pytest.mark.parametrize("name", ["WebDavEnable", "webDavEnabled", "Wish"])
def test_a_misspelt_option_does_nothing_and_is_told(name: str, world: World) -> None:
    (finding,) = found({**safe_configuration(), name: False}, world)
    assert (finding.option, finding.severity) == (name, Severity.WARN)


@pytest.mark.parametrize("users", [None, {}, [], "derm"])
def test_without_users_orthanc_makes_one_with_a_known_password(users: object, world: World) -> None:
    (finding,) = found({**safe_configuration(), "RegisteredUsers": users}, world)
    assert (finding.option, finding.severity) == ("RegisteredUsers", Severity.REFUSE)


@pytest.mark.parametrize("password", ["", "2 short", "orthanc", "PASSWORD1234", "long-account-name", None, 10**12])
def test_a_password_that_is_guessed_is_refused_and_never_told(password: object, world: World) -> None:
    users = {"derm": PASSWORD, "long-account-name": password}
    (finding,) = found({**safe_configuration(), "RegisteredUsers": users}, world)
    assert (finding.option, finding.severity) == ("RegisteredUsers.long-account-name", Severity.REFUSE)
    assert not password or str(password) not in f"{finding.problem} {finding.remedy}"


@pytest.mark.parametrize(
    ("plugins", "words"),
    [
        (None, "isn't the first"),
        ([], "isn't the first"),
        (LIBRARIES[::-1], "isn't the first"),
        (["/usr/share/orthanc/plugins/"], "isn't the first"),
        ([*LIBRARIES, "/usr/share/orthanc/plugins/libServeFolders.so"], "libServeFolders.so"),
        ([*LIBRARIES, "/usr/share/orthanc/plugins"], "'plugins' would be loaded"),
    ],
)
def test_python_is_the_first_plugin_and_none_is_unknown(plugins: object, words: str, world: World) -> None:
    refused = found({**safe_configuration(), "Plugins": plugins}, world)
    assert {(each.option, each.severity) for each in refused} == {("Plugins", Severity.REFUSE)}
    assert any(words in each.problem for each in refused)


def test_remote_access_needs_tls_here_or_at_a_proxy(world: World) -> None:
    remote = {**safe_configuration(), "RemoteAccessAllowed": True}
    (finding,) = found(remote, world)
    assert (finding.option, finding.severity) == ("RemoteAccessAllowed", Severity.REFUSE)
    assert found({**remote, "SslEnabled": True}, world) == ()
    assert found(remote, world, Around(proxied=True)) == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "DicomTlsEnabled"),
        ({"DicomTlsEnabled": "true"}, "DicomTlsEnabled"),
        ({"DicomTlsEnabled": True, "DicomTlsRemoteCertificateRequired": False}, "DicomTlsRemoteCertificateRequired"),
        ({"DicomTlsEnabled": True}, None),
    ],
)
def test_dicom_in_clear_on_the_network_is_told(options: dict[str, object], expected: str | None, world: World) -> None:
    away = {"away": {**modality("AWAY"), "Host": "10.0.0.1"}}
    told = found({**safe_configuration(), "DicomModalities": away, **options}, world)
    assert [each.option for each in told if each.severity is Severity.WARN] == ([expected] if expected else [])


@pytest.mark.parametrize("environment", [{}, {"TCP_NODELAY": "0"}, {"TCP_NODELAY": ""}])
def test_a_slow_environment_is_a_warning(environment: dict[str, str], world: World) -> None:
    (finding,) = found(safe_configuration(), world, Around(environment=environment))
    assert (finding.severity, finding.option) == (Severity.WARN, "TCP_NODELAY")
    require_safe((finding,))


@pytest.mark.parametrize("argument", ["--verbose", "--trace", "--trace-dicom"])
def test_a_talkative_log_is_a_warning(argument: str, world: World) -> None:
    around = Around(environment=ENVIRONMENT, arguments=("/etc/orthanc", argument))
    (finding,) = found(safe_configuration(), world, around)
    assert (finding.severity, finding.option) == (Severity.WARN, argument)


def test_every_refusal_is_told_at_once_and_no_warning(world: World) -> None:
    refused = [each for each in found({}, world) if each.severity is Severity.REFUSE]
    with pytest.raises(OpenExitError) as caught:
        require_safe(found({}, world))
    assert caught.value.problems == tuple(str(each) for each in refused)
    assert all(each.remedy in str(caught.value) for each in refused)
    assert caught.value.remedy in str(caught.value)


def test_refusals_come_before_warnings(world: World) -> None:
    severities = [each.severity for each in found({}, world, Around(environment={}))]
    assert severities == sorted(severities)
    assert load_policy(world.folder / "policy.toml") == world.services.policy
