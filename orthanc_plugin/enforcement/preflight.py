"""Look at Orthanc's configuration before any door opens, and refuse to start on one that lets images out unasked.

Knows how options are checked; which, and what each must be, is in ``options``. Pure: the configuration is an argument,
so the same check runs from outside. What is in effect once Orthanc runs is in ``effective``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePath
from typing import Final

from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.config.storage import StorageSettings
from orthanc_plugin.enforcement.effective import modality_findings
from orthanc_plugin.enforcement.finding import Finding, in_order, refused, warned
from orthanc_plugin.enforcement.knownoptions import KNOWN
from orthanc_plugin.enforcement.options import REQUIRED, Required, Version
from orthanc_plugin.enforcement.recipients import recipient_findings
from orthanc_plugin.enforcement.storagechecks import storage_findings

Configuration = Mapping[str, object]

PYTHON_LIBRARY: Final = "libOrthancPython.so"
LIBRARIES: Final = frozenset(
    {PYTHON_LIBRARY, "libOrthancDicomWeb.so", "libOrthancPostgreSQLIndex.so", "libOrthancPostgreSQLStorage.so"}
)
LIST_PLUGINS: Final = 'List the Python and DICOMweb plugins by their files under "Plugins", Python first.'
SHORTEST_PASSWORD: Final = 12
WELL_KNOWN: Final = frozenset({"orthanc", "administrator", "changeme", "change-me-please", "password1234"})
LOOPBACK: Final = ("127.", "::1", "localhost")


def every_version(_version: Version) -> bool:
    """Stand for an Orthanc whose version is not known: every option counts."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What else is known of the Orthanc whose configuration it is.

    Attributes:
        proxied: whether settings.toml names a reverse proxy, which has the TLS.
        storage: whether settings.toml has Orthanc's files encrypted.
        environment: the one Orthanc runs in; None when it isn't known, as from outside.
        arguments: Orthanc's command line.
        today: at the hospital; None when nobody asks what is over.
        has: tells whether Orthanc is of this version or a later one.
    """

    proxied: bool = False
    storage: StorageSettings = field(default_factory=StorageSettings)
    environment: Mapping[str, str] | None = None
    arguments: tuple[str, ...] = ()
    today: date | None = None
    has: Callable[[Version], bool] = field(default=every_version, repr=False)


def _section(configuration: Configuration, option: str) -> Mapping[str, object]:
    value = configuration.get(option)
    return value if isinstance(value, dict) else {}


def _value(configuration: Configuration, required: Required) -> object:
    section, _, name = required.option.rpartition(".")
    return (_section(configuration, section) if section else configuration).get(name, required.default)


def option_findings(configuration: Configuration, has: Callable[[Version], bool]) -> Iterator[Finding]:
    """Check the options of the table one by one, and those that nobody knows."""
    for required in REQUIRED:
        applies = required.since is None or has(required.since)
        if applies and not required.accepts(_value(configuration, required)):
            remedy = required.remedy or f'Set "{required.option}" to {json.dumps(required.safe[0])} in orthanc.json.'
            yield Finding(severity=required.severity, option=required.option, problem=required.problem, remedy=remedy)
    for option in sorted(set(configuration) - KNOWN):
        yield warned(option, "Orthanc does not know this option, so it does nothing.", "Correct it, or take it out.")


def user_findings(configuration: Configuration) -> Iterator[Finding]:
    """Check that there are accounts, each with a password that isn't guessed; a password is never told."""
    users = _section(configuration, "RegisteredUsers")
    if not users:
        yield refused(
            "RegisteredUsers",
            "Without users Orthanc makes one with a well-known password.",
            'Name each user with a password of its own under "RegisteredUsers" in orthanc.json.',
        )
    for name, password in users.items():
        if _is_weak(name, password):
            yield refused(
                f"RegisteredUsers.{name}",
                "The password is well known, the account's name, or short.",
                f"Give it a random one of at least {SHORTEST_PASSWORD} characters.",
            )


def _is_weak(name: str, password: object) -> bool:
    if not isinstance(password, str) or len(password) < SHORTEST_PASSWORD:
        return True
    return password.lower() in WELL_KNOWN or password.lower() == name.lower()


def plugin_file_findings(configuration: Configuration) -> Iterator[Finding]:
    """Check the plugins that shall be loaded, and that Python is the first: the first one's routes are asked first."""
    listed = configuration.get("Plugins")
    names = [PurePath(str(each)).name for each in listed] if isinstance(listed, list) else []
    if PYTHON_LIBRARY not in names or names.index(PYTHON_LIBRARY) != 0:
        yield refused(
            "Plugins", "The Python plugin isn't the first, so another's routes are asked first.", LIST_PLUGINS
        )
    for name in names:
        if name not in LIBRARIES:
            yield refused("Plugins", f"'{name}' would be loaded, and its doors are not guarded.", LIST_PLUGINS)


def transport_findings(configuration: Configuration, *, proxied: bool) -> Iterator[Finding]:
    """Check that nothing crosses the network in clear; on this machine it may."""
    if configuration.get("RemoteAccessAllowed") is True and configuration.get("SslEnabled") is not True and not proxied:
        yield refused(
            "RemoteAccessAllowed",
            "Passwords and photographs would cross the network in clear.",
            'Set it to false and put a TLS proxy on this machine, or set "SslEnabled" and "SslCertificate",'
            " or name the proxy under [proxy] in settings.toml.",
        )
    hosts = [str(each.get("Host", "")) for each in _modalities(configuration)]
    if all(host.startswith(LOOPBACK) for host in hosts):
        return
    if configuration.get("DicomTlsEnabled") is not True:
        yield warned(
            "DicomTlsEnabled",
            "DICOM goes over the network in clear, and a node is known by its AE title and address only.",
            'Set it to true with "DicomTlsCertificate", "DicomTlsPrivateKey" and "DicomTlsTrustedCertificates".',
        )
    elif configuration.get("DicomTlsRemoteCertificateRequired", True) is not True:
        yield warned(
            "DicomTlsRemoteCertificateRequired",
            "A node need not show a certificate, so it is known by its AE title and address only.",
            "Set it to true.",
        )


def _modalities(configuration: Configuration) -> tuple[Mapping[str, object], ...]:
    known = _section(configuration, "DicomModalities")
    return tuple(each for each in known.values() if isinstance(each, dict))


def surrounding_findings(environment: Mapping[str, str], arguments: tuple[str, ...]) -> Iterator[Finding]:
    """Check the environment and the command line that Orthanc was started with."""
    if environment.get("TCP_NODELAY") != "1":
        yield warned(
            "TCP_NODELAY",
            "Each C-STORE stalls for about 45 ms.",
            "Start Orthanc with TCP_NODELAY=1 in its environment.",
        )
    for argument in arguments:
        if argument.startswith(("--verbose", "--trace")):
            yield warned(argument, "Logs could carry patients' identifiers.", "Start Orthanc without it.")


def findings(configuration: Configuration, policy: Policy, around: Around) -> tuple[Finding, ...]:
    """Return everything that is not as it must be, refusals first.

    Args:
        configuration: Orthanc's, as its files say it.
        policy: policy.toml.
        around: what else is known.
    """
    return in_order(
        (
            *option_findings(configuration, around.has),
            *user_findings(configuration),
            *plugin_file_findings(configuration),
            *transport_findings(configuration, proxied=around.proxied),
            *modality_findings(_section(configuration, "DicomModalities"), policy),
            *storage_findings(configuration, around.storage, around.has),
            *recipient_findings(policy, _section(configuration, "DicomModalities"), around.today),
            *(surrounding_findings(around.environment, around.arguments) if around.environment is not None else ()),
        )
    )
