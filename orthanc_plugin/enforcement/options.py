"""The options of Orthanc that preflight looks at: what each must be, what it is when left out, and why.

Data only; how it is checked is in ``preflight``. docs/preflight.md has the same table, and a contract test compares
them. Source: Orthanc's Configuration.json of 1.10.1, 1.12.7 and 1.13.0, and its NEWS for when an option came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

Version = tuple[int, int, int]


@unique
class Severity(StrEnum):
    """What a finding does to the start."""

    REFUSE = "REFUSE"
    WARN = "WARN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """An option, Orthanc's default, the values that are safe (the first is advised), and what goes wrong otherwise.

    Attributes:
        option: its name; ``Section.Name`` for one of a section.
        most: where given, any whole number from 1 to this is safe too.
        since: the first version of Orthanc that has it; older ones are not asked.
    """

    option: str
    default: object
    safe: tuple[object, ...]
    problem: str
    severity: Severity = Severity.REFUSE
    remedy: str = ""
    most: int = 0
    since: Version | None = None

    def accepts(self, value: object) -> bool:
        """Tell whether ``value`` is safe; 1 is not true, and "false" is not false."""
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= self.most:
            return True
        return any(value == safe and isinstance(value, type(safe)) for safe in self.safe)


def _warned(
    option: str, default: object, *safe: object, problem: str, most: int = 0, since: Version | None = None
) -> Required:
    return Required(
        option=option,
        default=default,
        safe=safe,
        problem=problem,
        severity=Severity.WARN,
        most=most,
        since=since,
    )


def _refused(option: str, default: object, *safe: object, problem: str, since: Version | None = None) -> Required:
    return Required(option=option, default=default, safe=safe, problem=problem, since=since)


def _anybody() -> Iterator[Required]:
    """Give the options that open a DICOM service to every AE title."""
    for service, default, name in (
        ("Get", False, "C-GET, which no plugin can stop"),
        ("Move", False, "C-MOVE"),
        ("Find", False, "C-FIND"),
        ("FindWorklist", False, "the worklist"),
        ("Store", True, "C-STORE"),
    ):
        yield _refused(f"DicomAlwaysAllow{service}", default, False, problem=f"Any AE title could use {name}.")
    yield _warned("DicomAlwaysAllowEcho", True, False, problem="Any AE title could find out that the archive is there.")


_AT_THE_LIMIT: Final = "At the limit Orthanc deletes the oldest patients by itself."
_AT_RUN_TIME: Final = "Destinations could be changed while Orthanc runs."

_HTTP: Final = (
    _refused("AuthenticationEnabled", False, True, problem="Without authentication anyone can claim any account."),
    _refused("WebDavEnabled", True, False, problem="WebDAV hands out whole files past the HTTP filter."),
    _warned("WebDavDeleteAllowed", False, False, problem="WebDAV, were it switched on, could delete photographs."),
    _warned("WebDavUploadAllowed", True, False, problem="WebDAV, were it switched on, could bring objects in."),
    _refused("ExecuteLuaEnabled", False, False, problem="A posted script can read and send any image."),
    _refused("LuaScripts", [], [], problem="Lua scripts can route images past the gate."),
    _refused(
        "RestApiWriteToFileSystemEnabled",
        False,
        False,
        problem="Images could be written to any path of the server.",
    ),
    _refused("HttpsVerifyPeers", True, True, problem="Images could be sent to whoever pretends to be a known server."),
    _warned("OrthancExplorerEnabled", True, False, problem="Its pages call routes that are denied."),
    _warned("HttpDescribeErrors", True, False, problem="Error texts can carry identifiers."),
    _warned(
        "HttpCompressionEnabled", True, False, problem="Photographs don't get smaller, and each answer takes longer."
    ),
    _warned(
        "MaximumRequestBodySizeMB",
        8192,
        512,
        most=4096,
        since=(1, 13, 0),
        problem="One request could fill the server's memory.",
    ),
    _refused(
        "DicomWeb.Servers", {}, {}, problem="The DICOMweb plugin sends images to its servers without being asked about."
    ),
)

_KEEPING: Final = (
    _refused("SaveJobs", True, False, problem="Unfinished sends go on after a restart without being asked again."),
    _warned("JobsHistorySize", 10, 10, 0, most=10, problem="Old jobs, which hold identifiers, are kept for no use."),
    _refused("MaximumStorageSize", 0, 0, problem=_AT_THE_LIMIT),
    _warned("MaximumStorageMode", "Recycle", "Reject", since=(1, 11, 2), problem=_AT_THE_LIMIT),
    _refused("MaximumPatientCount", 0, 0, problem=_AT_THE_LIMIT),
    _refused("StoreDicom", True, True, problem="Photographs would be acknowledged and not kept."),
    _refused(
        "ReadOnly", False, False, since=(1, 12, 5), problem="Nothing could be filed, and every sender would be refused."
    ),
    Required(
        option="IngestTranscoding",
        default="",
        safe=("",),
        problem="Photographs would be stored otherwise than they were accepted.",
        remedy='Take "IngestTranscoding" out of orthanc.json.',
    ),
    _refused(
        "OverwriteInstances",
        False,
        False,
        "Never",
        problem="A second object with the same UID would replace a photograph.",
    ),
    _refused("DeidentifyLogs", True, True, problem="Logs would carry patients' identifiers."),
    _warned("UserMetadata", {}, {}, problem="Metadata of one's own is tied to no consent, and no door shows it."),
    _warned("UserContentType", {}, {}, problem="Attachments of one's own are tied to no consent; no door shows them."),
)

_DICOM: Final = (
    _refused("DicomCheckModalityHost", False, True, problem="Any host can use a known AE title."),
    _warned("DicomCheckCalledAet", False, True, problem="Nodes that mean another archive would be taken in."),
    _refused(
        "StrictAetComparison",
        False,
        True,
        problem="AE titles that differ only in case would count as the same node.",
    ),
    *_anybody(),
    _refused("DicomModalitiesInDatabase", False, False, problem=_AT_RUN_TIME),
    _refused("OrthancPeersInDatabase", False, False, problem=_AT_RUN_TIME),
    _refused("OrthancPeers", {}, {}, problem="Peers are sent images without being asked about."),
    _warned("SynchronousCMove", True, True, problem="C-MOVE would answer before its outcome is known."),
    _warned("LimitFindResults", 0, 1000, most=10_000, problem="One query could list every patient of the hospital."),
    # One more than the pictures that are decided on for one query (visible.MOST), which is refused when there are more.
    _refused("LimitFindInstances", 0, 10_001, 0, problem="Lists would leave pictures out without saying so."),
    _warned("StorageAccessOnFind", "Always", "Never", problem="A query would open the file of every picture it finds."),
)

_PYTHON: Final = (
    _refused(
        "Python.AllowThreads",
        False,
        True,
        since=(1, 12, 4),
        problem="A send that comes back to the plugin would hang the whole server.",
    ),
    _warned("Python.DisplayMemoryUsage", False, False, problem="The log would fill up."),
    _warned("PythonVerbose", False, False, problem="The log would fill up."),
)

REQUIRED: Final[tuple[Required, ...]] = (*_HTTP, *_KEEPING, *_DICOM, *_PYTHON)
