"""Look at Orthanc's configuration before any door opens, and refuse to start on one that lets images out unasked.

Knows the options that matter and their defaults (the configuration handed to a plugin has no defaults in it). Pure: the
configuration is an argument, so the same check runs from outside. Source: Orthanc's Configuration.json of 1.10.1,
1.12.7 and 1.13.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from orthanc_plugin.config.policyfile import Policy, Verb
from orthanc_plugin.errors import OpenExitError

Configuration = Mapping[str, object]


@unique
class Severity(StrEnum):
    """What a finding does to the start."""

    REFUSE = "REFUSE"
    WARN = "WARN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One option that is not as it must be."""

    severity: Severity
    option: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.option}: {self.problem} {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """An option, Orthanc's default, the values that are safe, and what goes wrong otherwise."""

    option: str
    default: object
    safe: tuple[object, ...]
    problem: str
    severity: Severity = Severity.REFUSE
    remedy: str = ""


REQUIRED: Final[tuple[Required, ...]] = (
    Required(
        option="AuthenticationEnabled",
        default=False,
        safe=(True,),
        problem="Without authentication anyone can claim any account.",
    ),
    Required(
        option="WebDavEnabled",
        default=True,
        safe=(False,),
        problem="WebDAV hands out whole files past the HTTP filter.",
    ),
    Required(
        option="ExecuteLuaEnabled",
        default=False,
        safe=(False,),
        problem="A posted script can read and send any image.",
    ),
    Required(option="LuaScripts", default=[], safe=([],), problem="Lua scripts can route images past the gate."),
    Required(
        option="RestApiWriteToFileSystemEnabled",
        default=False,
        safe=(False,),
        problem="Images could be written to any path of the server.",
    ),
    Required(
        option="SaveJobs",
        default=True,
        safe=(False,),
        problem="Unfinished sends go on after a restart without being asked again.",
    ),
    Required(
        option="MaximumStorageSize",
        default=0,
        safe=(0,),
        problem="At the limit Orthanc deletes the oldest patients by itself.",
    ),
    Required(
        option="MaximumPatientCount",
        default=0,
        safe=(0,),
        problem="At the limit Orthanc deletes the oldest patients by itself.",
    ),
    Required(
        option="StoreDicom",
        default=True,
        safe=(True,),
        problem="Photographs would be acknowledged and not kept.",
    ),
    Required(
        option="IngestTranscoding",
        default="",
        safe=("",),
        problem="Photographs would be stored otherwise than they were accepted.",
        remedy='Take "IngestTranscoding" out of orthanc.json.',
    ),
    Required(
        option="DicomCheckModalityHost",
        default=False,
        safe=(True,),
        problem="Any host can use a known AE title.",
    ),
    Required(
        option="StrictAetComparison",
        default=False,
        safe=(True,),
        problem="AE titles that differ only in case would count as the same node.",
    ),
    *(
        Required(
            option=f"DicomAlwaysAllow{service}",
            default=service == "Store",
            safe=(False,),
            problem=f"Any AE title could use {name}.",
        )
        for service, name in (
            ("Get", "C-GET, which no plugin can stop"),
            ("Move", "C-MOVE"),
            ("Find", "C-FIND"),
            ("FindWorklist", "the worklist"),
            ("Store", "C-STORE"),
        )
    ),
    Required(
        option="OverwriteInstances",
        default=False,
        safe=(False, "Never"),
        problem="A second object with the same UID would replace a photograph.",
    ),
    Required(
        option="DicomModalitiesInDatabase",
        default=False,
        safe=(False,),
        problem="Destinations could be changed while Orthanc runs.",
    ),
    Required(
        option="OrthancPeersInDatabase",
        default=False,
        safe=(False,),
        problem="Destinations could be changed while Orthanc runs.",
    ),
    Required(option="OrthancPeers", default={}, safe=({},), problem="Peers are sent images without being asked about."),
    Required(
        option="DeidentifyLogs",
        default=True,
        safe=(True,),
        problem="Logs would carry patients' identifiers.",
    ),
    Required(
        option="OrthancExplorerEnabled",
        default=True,
        safe=(False,),
        problem="Its pages call routes that are denied.",
        severity=Severity.WARN,
    ),
    Required(
        option="HttpDescribeErrors",
        default=True,
        safe=(False,),
        problem="Error texts can carry identifiers.",
        severity=Severity.WARN,
    ),
    Required(
        option="SynchronousCMove",
        default=True,
        safe=(True,),
        problem="C-MOVE would answer before its outcome is known.",
        severity=Severity.WARN,
    ),
)

SERVICES: Final = ("AllowGet", "AllowFind", "AllowMove", "AllowStore")
ALLOWED_PLUGINS: Final = frozenset({"python", "dicom-web", "postgresql-index", "postgresql-storage", "explorer.js"})


def _section(configuration: Configuration, option: str) -> Mapping[str, object]:
    value = configuration.get(option)
    return value if isinstance(value, dict) else {}


def option_findings(configuration: Configuration) -> Iterator[Finding]:
    """Check the options one by one."""
    for required in REQUIRED:
        value = configuration.get(required.option, required.default)
        if not any(value == safe and isinstance(value, type(safe)) for safe in required.safe):
            yield Finding(
                severity=required.severity,
                option=required.option,
                problem=required.problem,
                remedy=required.remedy or f'Set "{required.option}" to {_json(required.safe[0])} in orthanc.json.',
            )
    if not _section(configuration, "RegisteredUsers"):
        yield Finding(
            severity=Severity.REFUSE,
            option="RegisteredUsers",
            problem="Without users Orthanc makes one with a well-known password.",
            remedy='Name each user with a password of its own under "RegisteredUsers" in orthanc.json.',
        )


def _json(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def modality_findings(modalities: Mapping[str, object], policy: Policy) -> Iterator[Finding]:
    """Check each DICOM modality: written out in full, C-GET off, and the same node in policy.toml."""
    for name, modality in modalities.items():
        option = f"DicomModalities.{name}"
        if not isinstance(modality, dict):
            yield Finding(
                severity=Severity.REFUSE,
                option=option,
                problem="The short form allows every service, C-GET included, which no plugin can stop.",
                remedy='Write it as an object with "AET", "Host", "Port" and "AllowGet": false.',
            )
            continue
        yield from _modality_findings(option, modality, policy)


def _modality_findings(option: str, modality: Mapping[str, object], policy: Policy) -> Iterator[Finding]:
    if modality.get("AllowGet", True) is not False:
        yield Finding(
            severity=Severity.REFUSE,
            option=option,
            problem="C-GET is allowed, and no plugin can stop it.",
            remedy='Set "AllowGet": false.',
        )
    aet, host = str(modality.get("AET", "")), str(modality.get("Host", ""))
    node = policy.node(aet)
    if node is None or node.host != host:
        yield Finding(
            severity=Severity.REFUSE,
            option=option,
            problem="No node of policy.toml has this AE title and host, so nobody has said what it may have.",
            remedy="Add the node to policy.toml, or take the modality out of orthanc.json.",
        )
        return
    if Verb.STORE not in node.may and modality.get("AllowNAction", True) is not False:
        yield Finding(
            severity=Severity.REFUSE,
            option=option,
            problem="Storage commitment is allowed, and tells which pictures exist to a node that stored none.",
            remedy='Set "AllowNAction": false.',
        )
    if Verb.MOVE not in node.may and modality.get("AllowMove", True) is not False:
        yield Finding(
            severity=Severity.WARN,
            option=option,
            problem="C-MOVE is allowed here and refused by policy.toml.",
            remedy='Set "AllowMove": false.',
        )


def plugin_findings(plugins: tuple[str, ...]) -> Iterator[Finding]:
    """Check the plugins loaded: one that is not known could open a door of its own."""
    for name in plugins:
        if name not in ALLOWED_PLUGINS:
            yield Finding(
                severity=Severity.REFUSE,
                option="Plugins",
                problem=f"Plugin '{name}' is loaded, and its doors are not guarded.",
                remedy='List only the Python and DICOMweb plugins under "Plugins", Python first.',
            )


def environment_findings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the environment Orthanc runs in."""
    if environment.get("TCP_NODELAY") != "1":
        yield Finding(
            severity=Severity.WARN,
            option="TCP_NODELAY",
            problem="Each C-STORE stalls for about 45 ms.",
            remedy="Start Orthanc with TCP_NODELAY=1 in its environment.",
        )


def findings(
    configuration: Configuration, policy: Policy, environment: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Return everything that is not as it must be, refusals first.

    Args:
        configuration: Orthanc's, as its files say it.
        policy: policy.toml.
        environment: the one Orthanc runs in; None when it isn't known, as from outside.
    """
    found = (
        *option_findings(configuration),
        *modality_findings(_section(configuration, "DicomModalities"), policy),
        *(environment_findings(environment) if environment is not None else ()),
    )
    return tuple(sorted(found, key=lambda finding: (finding.severity is Severity.WARN, finding.option)))


def require_safe(found: tuple[Finding, ...]) -> None:
    """Refuse to go on while there is a refusal in ``found``.

    Raises:
        OpenExitError: with every refusal and its remedy.
    """
    refusals = tuple(str(finding) for finding in found if finding.severity is Severity.REFUSE)
    if refusals:
        raise OpenExitError("Consentgate does not start: images could leave unasked, or be lost.", problems=refusals)
