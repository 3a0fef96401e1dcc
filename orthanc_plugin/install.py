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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orthanc_plugin.archive import memory
from orthanc_plugin.archive.embedded import EmbeddedControl, EmbeddedCore
from orthanc_plugin.archive.peers import network, peers
from orthanc_plugin.archive.port import ArchiveControl, CoreApi, ImageArchive
from orthanc_plugin.archive.remote import Credentials, RemoteArchive
from orthanc_plugin.archive.sighting import HEALTH
from orthanc_plugin.clock import hospital_day, new_id, now
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.admission import Admission, Hook
from orthanc_plugin.enforcement.aheadcopies import AheadCopies
from orthanc_plugin.enforcement.announced import Announced
from orthanc_plugin.enforcement.approved import Approved
from orthanc_plugin.enforcement.cfind import FindScp
from orthanc_plugin.enforcement.cmove import MoveScp
from orthanc_plugin.enforcement.commitment import CommitmentScp
from orthanc_plugin.enforcement.effective import Standing
from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.exits import write_table
from orthanc_plugin.enforcement.finding import require_safe
from orthanc_plugin.enforcement.health import DECISIONS, PARTS, Examiner, free
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.enforcement.holdingcalls import endpoints as held
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.ingest import CStoreFilter, OnStored, Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.lifecycle import (
    CATCHING_UP,
    DELETED,
    STABLE,
    STARTED,
    STOPPED,
    Lifecycle,
    write_boot_file,
)
from orthanc_plugin.enforcement.opensessions import OpenSessions
from orthanc_plugin.enforcement.orthanclog import OrthancLog
from orthanc_plugin.enforcement.overrides import by_path, overrides, require_answered
from orthanc_plugin.enforcement.pace import Pace
from orthanc_plugin.enforcement.preflight import Around, findings
from orthanc_plugin.enforcement.refusals import LogWitness
from orthanc_plugin.enforcement.reply import BASE
from orthanc_plugin.enforcement.rest import Lane, RestDoor
from orthanc_plugin.enforcement.reviewcalls import CALLS, PROPOSALS, REVIEWS
from orthanc_plugin.enforcement.sdk import RestHook, Sdk, can_stream
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.enforcement.storage import StorageHooks, keep_files, open_storage
from orthanc_plugin.enforcement.switchboard import AT_ONCE, Switchboard, expression
from orthanc_plugin.enforcement.threadstates import keeping
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.sending.delivery import Courier
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services, build

SECTION: Final = "Consentgate"
DECISION_THREADS: Final = 8
HEALTH_THREADS: Final = 2
MOVE_THREADS: Final = 4
EXIT_THREADS: Final = 4
SEND_THREADS: Final = 4
LIST_THREADS: Final = 4
SEND_SECONDS: Final = 600.0  # for all that one call has sent; what is on its way then goes on, and is on record
EXIT_SECONDS: Final = 60.0  # for one list, or one picture, which may be a film that is anonymised


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the hooks are made of."""

    services: Services
    archive: ImageArchive
    core: CoreApi
    control: ArchiveControl
    internal: Credentials
    modalities: Mapping[str, str]
    decisions: Worker
    health: Worker
    moves: Worker
    exits: Worker
    finds: Worker
    lists: Worker
    sends: Worker
    pace: Pace
    streams: bool
    sdk: Sdk
    heartbeat: Heartbeat
    announced: Announced
    storage: StorageHooks | None
    at_stop: tuple[Callable[[], None], ...] = ()
    senders: Senders = field(default_factory=Senders)
    acceptances: Acceptances = field(default_factory=Acceptances)
    kept: list[RestHook] = field(default_factory=list)


Register = Callable[[Sdk, Parts], None]


def _http(sdk: Sdk, parts: Parts) -> None:
    parts.heartbeat.also.append(parts.announced.write)
    allow = HttpFilter(parts.services, parts.internal, parts.decisions, parts.announced).hook
    sdk.RegisterIncomingHttpRequestFilter(keeping(parts.senders.noted(parts.services, parts.acceptances.freed(allow))))


def _cmove(sdk: Sdk, parts: Parts) -> None:
    courier = Courier(parts.services, parts.archive, parts.modalities, parts.moves)
    MoveScp(parts.services, courier, parts.decisions, parts.moves).register(sdk)


def _commitment(sdk: Sdk, parts: Parts) -> None:
    CommitmentScp(parts.services, parts.archive, parts.decisions, parts.moves, sdk).register()


def _cfind(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterFindCallback(FindScp(parts.services, parts.core, parts.lists).hook)


def _worklist(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterWorklistCallback(FindScp(parts.services, parts.core, parts.decisions).refuse_worklist)


def _received(sdk: Sdk, parts: Parts) -> None:
    parts.heartbeat.also.append(Approved(parts.services, parts.archive, parts.heartbeat.stopping).file)
    received = Received(Intake(parts.services), parts.decisions, sdk, parts.senders, parts.acceptances, parts.announced)
    sdk.RegisterReceivedInstanceCallback(keeping(received.hook))


def _cstore(sdk: Sdk, parts: Parts) -> None:
    sdk.RegisterIncomingCStoreInstanceFilter(
        CStoreFilter(parts.services, Intake(parts.services), parts.decisions, parts.acceptances).hook
    )


def _stored(sdk: Sdk, parts: Parts) -> None:
    on_stored = OnStored(parts.services, Intake(parts.services), parts.decisions, parts.acceptances)
    parts.heartbeat.also.append(on_stored.settle)
    sdk.RegisterOnStoredInstanceCallback(on_stored.hook)


def _rest(sdk: Sdk, parts: Parts) -> None:
    examiner = Examiner(parts.services, {DECISIONS: free(parts.decisions), **PARTS})
    kept = tuple(replace(each, handler=examiner.health) for each in ENDPOINTS if each.path == HEALTH)
    # Orthanc asks hooks in the order in which they came, and this one must answer when those that decide are busy.
    _answer(sdk, parts, HEALTH, RestDoor(parts.services, kept, parts.health).hook)
    # A picture is read from Orthanc itself, whose filter asks those that decide. Detectors take minutes.
    drafting = tuple(each for each in CALLS if each.path == PROPOSALS)
    slow = Admission(1).before(RestDoor(parts.services, drafting, parts.sends))
    _answer(sdk, parts, f"{REVIEWS}/[0-9.]+/proposals", slow)
    _answer(sdk, parts, f"{REVIEWS}(/.*)?", RestDoor(parts.services, CALLS, parts.exits).hook)
    _answer(sdk, parts, f"{BASE}/(.*)", RestDoor(parts.services, (*ENDPOINTS, *held(parts.core)), parts.decisions).hook)


def _overrides(sdk: Sdk, parts: Parts) -> None:
    seen = parts.acceptances.settled
    every = overrides(parts.services, parts.archive, parts.core, parts.modalities, parts.moves, seen)
    require_answered(every)
    workers = {Lane.ARCHIVES: parts.exits, Lane.FINDS: parts.finds, Lane.LISTS: parts.lists, Lane.SENDS: parts.sends}
    admissions = {lane: Admission(most) for lane, most in AT_ONCE.items()}
    hooks: dict[str, RestHook] = {}
    for path, endpoints in by_path(every):
        (lane,) = {each.lane for each in endpoints}
        door = RestDoor(parts.services, endpoints, workers[lane], streams=parts.streams, pace=parts.pace)
        hooks[path] = admissions[lane].before(door) if lane in admissions else door.hook
    _answer(sdk, parts, expression(each.path for each in every), Switchboard(hooks).hook)


def _answer(sdk: Sdk, parts: Parts, path: str, hook: Hook) -> None:
    """Have ``hook`` answer at ``path``.

    At the stop orthanc-python 5.0 lets go of a REST hook without the interpreter's lock, and crashes when it was the
    last to hold it; so the parts hold it too, and the script that Orthanc runs holds the parts.
    """
    parts.kept.append(hook)
    sdk.RegisterRestCallback(path, hook)


def _change(sdk: Sdk, parts: Parts) -> None:
    kinds = {getattr(sdk.ChangeType, name): name for name in (STARTED, STOPPED, DELETED, STABLE)}
    standing = Standing(parts.services, parts.control)
    parts.heartbeat.also.append(standing.look_again)
    lifecycle = Lifecycle(
        parts.services, parts.control, standing, parts.moves, lambda change: kinds.get(change, ""), parts.at_stop
    )
    parts.heartbeat.also.append(AheadCopies(parts.services, parts.archive, parts.heartbeat.stopping).look)
    parts.heartbeat.also += [lifecycle.restored.look_again, lifecycle.queue_missed, OpenSessions(parts.services).look]
    sdk.RegisterOnChangeCallback(keeping(lifecycle.hook))


# Every hook Orthanc has for a way in or out; a test counts them, none is ever left out by an `if`. Files are no door.
HOOKS: Final[tuple[Register, ...]] = (
    _http,
    _rest,
    _overrides,
    _cmove,
    _commitment,
    _cfind,
    _worklist,
    _received,
    _cstore,
    _stored,
    _change,
    keep_files,
)


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


def storage_folder(configuration: Mapping[str, object]) -> str:
    """Return the folder of Orthanc's files, '' when they are elsewhere or nobody can tell where."""
    postgresql, folder = configuration.get("PostgreSQL"), configuration.get("StorageDirectory")
    elsewhere = isinstance(postgresql, dict) and postgresql.get("EnableStorage") is True
    return folder if isinstance(folder, str) and folder.startswith("/") and not elsewhere else ""


def modalities_by_aet(configuration: Mapping[str, object]) -> dict[str, str]:
    """Return the name of each configured modality by its AE title."""
    section = configuration.get("DicomModalities")
    known = section if isinstance(section, dict) else {}
    return {str(modality["AET"]): name for name, modality in known.items() if isinstance(modality, dict)}


def around(sdk: Sdk, services: Services, environment: Mapping[str, str]) -> Around:
    """Return what is known beside the configuration files."""
    return Around(
        proxied=services.proxy is not None,
        storage=services.settings.storage,
        environment=environment,
        today=hospital_day(services.clock()),
        arguments=tuple(sdk.GetCommandLineArgument(at) for at in range(sdk.GetCommandLineArgumentsCount())),
        has=lambda version: bool(sdk.CheckVersionAdvanced(*version)),
    )


def parts_for(sdk: Sdk, environment: Mapping[str, str]) -> Parts:
    """Return the parts, once the configuration has passed.

    Raises:
        ConfigurationError: a file has faults, or an exit is open.
        RegistryError: the registry can't be used.
    """
    configuration: dict[str, object] = json.loads(sdk.GetConfiguration())
    services = build(settings_path(configuration, environment), environment, now, new_id)
    found = findings(configuration, services.policy, around(sdk, services, environment))
    require_safe(found)
    for finding in found:
        sdk.LogWarning(f"Consentgate: {finding}")
    settings = services.settings
    internal = internal_credentials(configuration, settings.orthanc.user)
    storage = open_storage(services, environment, storage_folder(configuration))
    boot_file = settings.path(settings.orthanc.boot_secret)
    write_boot_file(boot_file, internal, storage_folder(configuration), network(configuration))
    table_file = write_table(settings)
    services.gate.close(CATCHING_UP)
    heartbeat = Heartbeat(services)
    heartbeat.start()
    announced = Announced(services.gate)
    at_stop: list[Callable[[], None]] = [
        announced.stop,
        lambda: boot_file.unlink(missing_ok=True),
        lambda: table_file.unlink(missing_ok=True),
        heartbeat.stop,
    ]
    if settings.orthanc.log:
        witness = LogWitness(settings.path(settings.orthanc.log), services)
        witness.start()
        at_stop.append(witness.stop)
    return Parts(
        services=services,
        archive=RemoteArchive(settings.orthanc.url, internal, peers(configuration)),
        core=EmbeddedCore(),
        control=EmbeddedControl(),
        internal=internal,
        modalities=modalities_by_aet(configuration),
        decisions=Worker("decision", DECISION_THREADS),
        health=Worker("health", HEALTH_THREADS),
        moves=Worker("move", MOVE_THREADS, seconds=None),
        exits=Worker("exit", EXIT_THREADS, EXIT_SECONDS),
        finds=Worker("find", LIST_THREADS, EXIT_SECONDS),
        lists=Worker("list", LIST_THREADS, EXIT_SECONDS),
        sends=Worker("send", SEND_THREADS, SEND_SECONDS),
        pace=Pace(services.ticks),
        streams=can_stream(sdk, configuration),
        sdk=sdk,
        heartbeat=heartbeat,
        announced=announced,
        storage=storage,
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
    memory.keep(environment)
    parts = parts_for(sdk, environment)
    for register in HOOKS:
        register(sdk, parts)
    return parts
