"""From what a request names to pictures: identifiers of Orthanc, of any level, and the options beside them.

Knows the shapes of Orthanc's bodies for store and create-archive, and the registry. Must not decide. An option that is
not honoured is refused, never passed over: whoever asks for it would think it was done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.enforcement.reply import CallError
from orthanc_plugin.enforcement.rest import Call
from orthanc_plugin.enforcement.route import PLACEHOLDERS
from orthanc_plugin.registry import images
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.images import ImageRow, Subject

BODY_BYTES: Final = 64 * 1024
MOST_RESOURCES: Final = 1000
LEVELS: Final = (Subject.INSTANCE, Subject.SERIES, Subject.STUDY, Subject.PATIENT)
RESOURCES: Final = "Resources"
# What says whether the caller waits for the answer, and the one value that is honoured.
WAITING: Final[dict[str, bool]] = {"Synchronous": True, "Asynchronous": False}
_IDENTIFIER: Final = re.compile(PLACEHOLDERS["instance"])

_DESTINATION: Final = "the destination is the one that policy.toml and orthanc.json bind, as they bind it"
_AS_STORED: Final = "pictures leave as they were filed, or anonymised where policy.toml says so"
WHY_NOT: Final[dict[str, str]] = {
    **dict.fromkeys(("Host", "Port", "CalledAet", "LocalAet", "Timeout", "StorageCommitment"), _DESTINATION),
    **dict.fromkeys(("MoveOriginatorAet", "MoveOriginatorID"), _DESTINATION),
    **dict.fromkeys(("Transcode", "LossyQuality", "transcode", "lossy-quality"), _AS_STORED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One resource that a request names, and the pictures behind it; none when the registry knows no such resource.

    ``position`` is its place among those named, from 1.
    """

    resource: str
    position: int
    subject: Subject | None
    rows: tuple[ImageRow, ...] = ()

    @property
    def guessable(self) -> bool:
        """Tell whether the name can be made up from a patient's number, so that an answer would say who is a patient.

        Of all of Orthanc's identifiers only a patient's has no UID in it. What is unknown is answered like a patient.
        """
        return self.subject in (None, Subject.PATIENT)


def body(call: Call, *known: str) -> Mapping[str, object]:
    """Return the fields of the body; a list or a bare identifier are its resources, as they are for Orthanc.

    Raises:
        CallError: it is none of these, or has fields that are not ``known``.
    """
    try:
        said: object = json.loads(call.body or b"{}")
    except (ValueError, RecursionError):
        said = call.body.decode("ascii", "replace").strip()
    if isinstance(said, str):
        said = [said]
    fields = {RESOURCES: said} if isinstance(said, list) else said
    if not isinstance(fields, dict):
        raise CallError("The body must be an identifier, a list of them, or a JSON object.")
    require_known(fields, *known)
    return fields


def require_known(options: Mapping[str, object], *known: str) -> None:
    """Refuse options that are not honoured.

    Raises:
        CallError: there is one.
    """
    for name in options:
        if name not in (*known, *WAITING):
            why = WHY_NOT.get(name, f"known are: {', '.join((*known, *WAITING))}")
            raise CallError(f"{name[:64]} is refused: {why}.", remedy=f"Leave {name[:64]} out.")
    for name, honoured in WAITING.items():
        if options.get(name, honoured) is not honoured:
            raise CallError(
                f"{name} is refused: no job is run for a user, because nothing would decide when its turn comes.",
                remedy=f"Leave {name} out, and wait for the answer.",
            )


def listed(value: object) -> tuple[str, ...]:
    """Return the identifiers in ``value``, each once.

    Raises:
        CallError: it is no list of identifiers, or has none or too many.
    """
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise CallError(f"{RESOURCES}: expected a list of Orthanc's identifiers, not an empty one.")
    if len(value) > MOST_RESOURCES:
        raise CallError(f"{RESOURCES}: more than {MOST_RESOURCES} are named.", remedy="Ask for less at a time.")
    if not all(_IDENTIFIER.fullmatch(each) for each in value):
        raise CallError(f"{RESOURCES}: one is no identifier of Orthanc's.")
    return tuple(dict.fromkeys(value))


def found(database: Database, names: Sequence[str], levels: Sequence[Subject] = LEVELS) -> tuple[Named, ...]:
    """Return the pictures behind each name, in the order of the names; one that is behind two is given once."""
    behind: dict[str, tuple[Subject, list[ImageRow]]] = {}
    with database.reading() as connection:
        for level in levels:
            for row in images.find(connection, level, tuple(names)):
                behind.setdefault(str(getattr(row, level.value)), (level, []))[1].append(row)
    taken: set[str] = set()
    return tuple(_named(name, at, behind.get(name), taken) for at, name in enumerate(names, start=1))


def _named(name: str, position: int, behind: tuple[Subject, list[ImageRow]] | None, taken: set[str]) -> Named:
    level, rows = behind or (None, [])
    if level is Subject.PATIENT and len({row.issuer for row in rows}) > 1:
        level, rows = None, []  # one number, several patients: nobody can tell which is meant
    fresh = tuple(row for row in rows if row.sop_instance_uid not in taken)
    taken |= {row.sop_instance_uid for row in fresh}
    return Named(resource=name, position=position, subject=level, rows=fresh)
