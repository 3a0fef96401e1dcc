"""The composition root inside Orthanc: settings, policy, preflight, services, hooks.

Knows every part once. It raises rather than start half guarded: Orthanc refuses to start when its script raises.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orthanc_plugin.archive.embedded import EmbeddedControl
from orthanc_plugin.archive.port import ArchiveControl, ImageArchive
from orthanc_plugin.archive.remote import Credentials, RemoteArchive
from orthanc_plugin.clock import new_id, now
from orthanc_plugin.enforcement.approved import Approved
from orthanc_plugin.enforcement.cfind import FindScp
from orthanc_plugin.enforcement.cmove import MoveScp
from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.ingest import CStoreFilter, OnStored, Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.lifecycle import CATCHING_UP, Lifecycle, write_boot_file
from orthanc_plugin.enforcement.preflight import findings, require_safe
from orthanc_plugin.enforcement.refusals import LogWitness
from orthanc_plugin.enforcement.rest import BASE, RestDoor
from orthanc_plugin.enforcement.sdk import Sdk
from orthanc_plugin.enforcement.worker import Worker
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.services import Services, build

SECTION: Final = "Consentgate"
DECISION_THREADS: Final = 8
MOVE_THREADS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the hooks are made of."""

    services: Services
    archive: ImageArchive
    control: ArchiveControl
    internal: Credentials
    modalities: Mapping[str, str]
    decisions: Worker
    moves: Worker
    sdk: Sdk
    heartbeat: Heartbeat
    at_stop: tuple[Callable[[], None], ...] = ()


Register = Callable[[Sdk, Parts], None]


def _http(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterIncomingHttpRequestFilter(HttpFilter(parts.services, parts.internal, parts.decisions).hook)


def _cmove(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterMoveCallback(MoveScp(parts.services, parts.archive, parts.modalities, parts.moves).hook)


def _cfind(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterFindCallback(FindScp(parts.services, parts.decisions).hook)


def _worklist(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterWorklistCallback(FindScp(parts.services, parts.decisions).hook)


def _received(sdk: Sdk, parts: Parts) -> None:
    parts.heartbeat.also.append(Approved(parts.services, parts.archive).file)
    sdk.RegisterReceivedInstanceCallback(Received(Intake(parts.services), parts.decisions, sdk).hook)


def _cstore(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterIncomingCStoreInstanceFilter(CStoreFilter(parts.services, Intake(parts.services), parts.decisions).hook)


def _stored(sdk: Sdk, parts: Parts) -> None:
    on_stored = OnStored(parts.services, Intake(parts.services), parts.decisions)
    parts.heartbeat.also.append(on_stored.settle)
    sdk.RegisterOnStoredInstanceCallback(on_stored.hook)


def _rest(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterRestCallback(f"{BASE}/(.*)", RestDoor(parts.services, ENDPOINTS, parts.decisions).hook)


def _change(sdk: Sdk, parts: Parts) -> None:
    kinds = {getattr(sdk.ChangeType, name): name for name in ("ORTHANC_STARTED", "ORTHANC_STOPPED")}
    lifecycle = Lifecycle(
        parts.services, parts.control, parts.moves, lambda change: kinds.get(change, ""), parts.at_stop
    )
    sdk.RegisterOnChangeCallback(lifecycle.hook)


# Every hook Orthanc has for a way in or out; a test counts them, none is ever left out by an `if`.
HOOKS: Final[tuple[Register, ...]] = (_http, _rest, _cmove, _cfind, _worklist, _received, _cstore, _stored, _change)


class OrthancLog(logging.Handler):
    """Writes the plugin's warnings into Orthanc's log."""

    def __init__(self, sdk: Sdk) -> None:
        super().__init__(logging.WARNING)
        self.sdk = sdk

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; the kind of an exception, never its text, which could carry an identifier."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        self.sdk.LogWarning(f"Consentgate: {record.getMessage()}" + (f" ({kind})" if kind else ""))


def settings_path(configuration: Mapping[str, object], environment: Mapping[str, str]) -> Path:
    """Return where settings.toml is: the environment's CONSENTGATE_SETTINGS, else orthanc.json's.

    Raises:
        ConfigurationError: neither says so.
    """
    section = configuration.get(SECTION)
    named = environment.get("CONSENTGATE_SETTINGS") or (section.get("Settings") if isinstance(section, dict) else None)
    if not isinstance(named, str):
        raise ConfigurationError(
            "Consentgate does not know where its settings are.",
            remedy='Add "Consentgate": {"Settings": "/path/to/settings.toml"} to orthanc.json.',
        )
    return Path(named)


def internal_credentials(configuration: Mapping[str, object], user: str) -> Credentials:
    """Return how Consentgate's own requests are known in this run of Orthanc.

    Raises:
        ConfigurationError: Orthanc has no such user.
    """
    users = configuration.get("RegisteredUsers")
    password = users.get(user) if isinstance(users, dict) else None
    if not isinstance(password, str):
        raise ConfigurationError(
            f"Orthanc has no user '{user}' for Consentgate's own requests.",
            remedy=f'Add "{user}" with a long random password to "RegisteredUsers" in orthanc.json.',
        )
    return Credentials(user=user, password=password, secret=secrets.token_urlsafe(32))


def modalities_by_aet(configuration: Mapping[str, object]) -> dict[str, str]:
    """Return the name of each configured modality by its AE title."""
    section = configuration.get("DicomModalities")
    known = section if isinstance(section, dict) else {}
    return {str(modality["AET"]): name for name, modality in known.items() if isinstance(modality, dict)}


def parts_for(sdk: Sdk, environment: Mapping[str, str]) -> Parts:
    """Return the parts, once the configuration has passed.

    Raises:
        ConfigurationError: a file has faults, or an exit is open.
        RegistryError: the registry can't be used.
    """
    configuration: dict[str, object] = json.loads(sdk.GetConfiguration())
    services = build(settings_path(configuration, environment), environment, now, new_id)
    found = findings(configuration, services.policy, environment)
    require_safe(found)
    for finding in found:
        sdk.LogWarning(f"Consentgate: {finding}")
    settings = services.settings
    internal = internal_credentials(configuration, settings.orthanc.user)
    boot_file = settings.path(settings.orthanc.boot_secret)
    write_boot_file(boot_file, internal)
    services.gate.close(CATCHING_UP)
    heartbeat = Heartbeat(services)
    heartbeat.start()
    at_stop: list[Callable[[], None]] = [lambda: boot_file.unlink(missing_ok=True), heartbeat.stop]
    if settings.orthanc.log:
        witness = LogWitness(settings.path(settings.orthanc.log), services)
        witness.start()
        at_stop.append(witness.stop)
    return Parts(
        services=services,
        archive=RemoteArchive(settings.orthanc.url, internal),
        control=EmbeddedControl(),
        internal=internal,
        modalities=modalities_by_aet(configuration),
        decisions=Worker("decision", DECISION_THREADS),
        moves=Worker("move", MOVE_THREADS, seconds=None),
        sdk=sdk,
        heartbeat=heartbeat,
        at_stop=tuple(at_stop),
    )


def install(sdk: Sdk, environment: Mapping[str, str] = os.environ) -> Parts:
    """Guard every door of this Orthanc, or raise.

    Raises:
        ConsentgateError: it would not be guarded; Orthanc then refuses to start.
    """
    logging.getLogger("orthanc_plugin").addHandler(OrthancLog(sdk))
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # its warnings quote values of elements,
    warnings.filterwarnings("ignore", module="pydicom")  # by either way
    parts = parts_for(sdk, environment)
    for register in HOOKS:
        register(sdk, parts)
    return parts
