"""The table of HTTP exits: what each (method, route) is, and by what it names pictures. What isn't here is denied.

Knows routes of Orthanc's REST API and of DICOMweb (PS3.18). Must not decide who may use them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import cache
from typing import Final

from orthanc_plugin.config.policyfile import Role
from orthanc_plugin.registry.images import Subject


@unique
class Kind(StrEnum):
    """What passes through an exit."""

    ADMIN = "ADMIN"
    LISTING = "LISTING"
    IMAGE = "IMAGE"
    INTAKE = "INTAKE"
    INTERNAL = "INTERNAL"
    OWN = "OWN"
    FORBIDDEN = "FORBIDDEN"


# What an account must have for an exit of this kind; OWN rows each say theirs, and the rest has no role at all.
ROLES: Final[dict[Kind, Role]] = {
    Kind.ADMIN: Role.ADMIN,
    Kind.LISTING: Role.LIST,
    Kind.IMAGE: Role.VIEW,
    Kind.INTAKE: Role.STORE,
}


@dataclass(frozen=True, slots=True)
class Route:
    """One row.

    Attributes:
        method: HTTP method as the handler will see it.
        path: template; ``{name}`` stands for one segment.
        kind: what passes.
        subject: placeholder (or ``?argument``) that names the pictures of an IMAGE row.
        internal: Consentgate's own processes may use it too.
        role: what the account must have, where the kind alone doesn't say.
        reason: why a FORBIDDEN row is, and what to do instead.
    """

    method: str
    path: str
    kind: Kind
    subject: str = ""
    internal: bool = False
    role: Role | None = None
    reason: str = ""

    @property
    def needs(self) -> Role:
        """Return the role that the account must have."""
        return self.role or ROLES[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A request matched to its row, and what names the pictures."""

    route: Route
    subject: Subject | None = None
    names: tuple[str, ...] = ()

    @property
    def door(self) -> str:
        """Return the exit's name for the trail; it has no identifiers in it."""
        return f"{self.route.method} {self.route.path}"


_RESOURCE = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
_UID = r"[0-9][0-9.]{0,63}"
_RECORD = r"[A-Za-z0-9:._\-]{1,256}"
PLACEHOLDERS: Final[dict[str, str]] = {
    "instance": _RESOURCE,
    "series": _RESOURCE,
    "study": _RESOURCE,
    "patient": _RESOURCE,
    "study_uid": _UID,
    "series_uid": _UID,
    "instance_uid": _UID,
    "frame": r"[0-9]{1,6}",
    "frames": r"[0-9]{1,6}(?:,[0-9]{1,6})*",
    "modality": r"[A-Za-z0-9_.\-]{1,64}",
    "consent": _RECORD,
    "task": _RECORD,
    "approval": _RECORD,
    "rest": r".+",
}

SUBJECTS: Final[dict[str, Subject]] = {
    "instance": Subject.INSTANCE,
    "series": Subject.SERIES,
    "study": Subject.STUDY,
    "patient": Subject.PATIENT,
    "study_uid": Subject.STUDY_INSTANCE_UID,
    "series_uid": Subject.SERIES_INSTANCE_UID,
    "instance_uid": Subject.SOP_INSTANCE_UID,
    "?objectUID": Subject.SOP_INSTANCE_UID,
}

NO_DELETE: Final = "nothing is destroyed by a DELETE; disposition is planned, approved and certified"
NO_WEBDAV: Final = "WebDAV can be read past any filter; use DICOMweb"
NO_SCRIPT: Final = "a script could send any image anywhere"

_INSTANCE = "/instances/{instance}"
_DW_STUDY = "/dicom-web/studies/{study_uid}"
_DW_SERIES = f"{_DW_STUDY}/series/{{series_uid}}"
_DW_INSTANCE = f"{_DW_SERIES}/instances/{{instance_uid}}"


def _images(subject: str, base: str, *tails: str) -> tuple[Route, ...]:
    return tuple(Route("GET", base + tail, Kind.IMAGE, subject=subject) for tail in tails)


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/system", Kind.ADMIN),
    Route("GET", "/statistics", Kind.ADMIN),
    Route("GET", "/plugins", Kind.ADMIN),
    Route("GET", "/modalities", Kind.ADMIN),
    Route("GET", "/patients", Kind.LISTING),
    Route("GET", "/studies", Kind.LISTING),
    Route("GET", "/series", Kind.LISTING),
    Route("GET", "/instances", Kind.LISTING),
    Route("GET", "/dicom-web/studies", Kind.LISTING),
    Route("GET", "/dicom-web/series", Kind.LISTING),
    Route("GET", "/dicom-web/instances", Kind.LISTING),
    Route("GET", f"{_INSTANCE}/file", Kind.IMAGE, subject="instance", internal=True),
    *_images(
        "instance",
        _INSTANCE,
        "",
        "/tags",
        "/simplified-tags",
        "/header",
        "/preview",
        "/rendered",
        "/image-uint8",
        "/frames",
        "/frames/{frame}/preview",
        "/frames/{frame}/rendered",
        "/frames/{frame}/image-uint8",
        "/frames/{frame}/raw",
        "/attachments/dicom/data",
    ),
    *_images("series", "/series/{series}", "", "/instances", "/archive"),
    *_images("study", "/studies/{study}", "", "/series", "/instances", "/archive"),
    *_images("patient", "/patients/{patient}", "", "/studies", "/archive"),
    *_images("study_uid", _DW_STUDY, "", "/metadata", "/rendered", "/series", "/instances"),
    *_images("series_uid", _DW_SERIES, "", "/metadata", "/rendered", "/instances"),
    *_images(
        "instance_uid", _DW_INSTANCE, "", "/metadata", "/rendered", "/frames/{frames}", "/frames/{frames}/rendered"
    ),
    Route("GET", "/wado", Kind.IMAGE, subject="?objectUID"),
    Route("POST", "/instances", Kind.INTAKE, internal=True),
    Route("POST", "/dicom-web/studies", Kind.INTAKE),
    Route("POST", _DW_STUDY, Kind.INTAKE),
    *(
        Route(method, f"/consentgate/{tail}", Kind.OWN, role=role)
        for method, tail, role in (
            ("GET", "openapi.json", Role.CONSENT),
            ("POST", "consents", Role.CONSENT),
            ("POST", "consents/search", Role.CONSENT),
            ("POST", "consents/get", Role.CONSENT),
            ("POST", "consents/history", Role.CONSENT),
            ("POST", "consents/withdrawal", Role.CONSENT),
            ("GET", "consents/{consent}", Role.CONSENT),
            ("GET", "consents/{consent}/history", Role.CONSENT),
            ("POST", "consents/{consent}/withdrawal", Role.CONSENT),
            ("POST", "decisions", Role.CONSENT),
            ("GET", "approvals", Role.CONSENT),
            ("POST", "approvals/{approval}", Role.CONSENT),
            ("GET", "tasks", Role.TASKS),
            ("POST", "tasks/{task}/closure", Role.TASKS),
            ("POST", "break-glass", Role.BREAK_GLASS),
        )
    ),
    Route("POST", "/modalities/{modality}/store-straight", Kind.INTERNAL, internal=True),
    *(
        Route("DELETE", f"/{level}/{{{name}}}", Kind.FORBIDDEN, reason=NO_DELETE)
        for level, name in (
            ("instances", "instance"),
            ("series", "series"),
            ("studies", "study"),
            ("patients", "patient"),
        )
    ),
    Route("POST", "/tools/bulk-delete", Kind.FORBIDDEN, reason=NO_DELETE),
    Route("POST", "/tools/reset", Kind.FORBIDDEN, reason=NO_DELETE),
    Route("POST", "/tools/execute-script", Kind.FORBIDDEN, reason=NO_SCRIPT),
    Route("GET", "/webdav", Kind.FORBIDDEN, reason=NO_WEBDAV),
    Route("GET", "/webdav/{rest}", Kind.FORBIDDEN, reason=NO_WEBDAV),
    Route("PUT", "/webdav/{rest}", Kind.FORBIDDEN, reason=NO_WEBDAV),
    Route("DELETE", "/webdav/{rest}", Kind.FORBIDDEN, reason=NO_WEBDAV),
)

METHODS: Final[dict[int, str]] = {1: "GET", 2: "POST", 3: "PUT", 4: "DELETE"}


def pattern(path: str) -> re.Pattern[str]:
    """Return what a path must match to fit the template ``path``."""
    parts = re.split(r"\{(\w+)\}", path)
    named = (re.escape(part) if at % 2 == 0 else f"(?P<{part}>{PLACEHOLDERS[part]})" for at, part in enumerate(parts))
    return re.compile("".join(named))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Route], ...]:
    return tuple((pattern(route.path), route) for route in ROUTES)


def normalised(uri: str) -> str | None:
    """Return the path as Orthanc's router will read it, or None when it is not in canonical form."""
    if not uri.startswith("/") or any(part in uri for part in ("//", "/./", "/../", "\0", "\\", "%")):
        return None
    return uri.rstrip("/") or "/"


def classify(method: str, uri: str, arguments: Mapping[str, str]) -> Match | None:
    """Return the row for a request; None, which means no, when there is none.

    Args:
        method: HTTP method as the handler will see it.
        uri: path as the filter is given it.
        arguments: GET arguments.
    """
    path = normalised(uri)
    if path is None:
        return None
    for regex, route in _patterns():
        found = regex.fullmatch(path) if route.method == method else None
        if found is None:
            continue
        if not route.subject:
            return Match(route=route)
        key = route.subject
        name = arguments.get(key[1:], "") if key.startswith("?") else found[key]
        return Match(route=route, subject=SUBJECTS[key], names=(name,))
    return None
