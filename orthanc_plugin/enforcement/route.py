"""What a row of the table of exits is: a (method, route), its kind, and by what it names pictures.

Knows how a path is matched. Must not know the rows (``routes``, ``dicomwebroutes``) nor who may use them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.registry.images import Subject


@unique
class Kind(StrEnum):
    """What passes through an exit, and so who decides on it.

    The filter decides on IMAGE by the one picture that the path names. It sees no body and no answer, and what a study
    holds can change before the answer is made. So it lets BODY pass to an override of ours (``overrides``), which
    decides on each picture; Orthanc's core never answers it.
    """

    ADMIN = "ADMIN"
    BODY = "BODY"
    IMAGE = "IMAGE"
    INTAKE = "INTAKE"
    OWN = "OWN"
    FORBIDDEN = "FORBIDDEN"


# What an account must have for an exit of this kind; BODY and OWN rows each say theirs, the rest has no role at all.
ROLES: Final[dict[Kind, Role]] = {Kind.ADMIN: Role.ADMIN, Kind.IMAGE: Role.VIEW, Kind.INTAKE: Role.STORE}


@dataclass(frozen=True, slots=True)
class Route:
    """One row.

    Attributes:
        method: HTTP method as the handler will see it.
        path: template; ``{name}`` stands for what ``PLACEHOLDERS`` says.
        kind: what passes.
        subject: placeholder (or ``?argument``) that names the picture of an IMAGE row, or the resource whose pictures
            a BODY row gives whole, or what an internal DELETE destroys.
        internal: Consentgate's own processes may use it too.
        role: what the account must have, where the kind alone doesn't say.
        unread: what is sent is read by another plugin before Consentgate sees it; the upload guard looks into it first.
        anybody: every account that policy.toml binds may use it, whatever its roles.
        unrecorded: the filter leaves no entry in the trail, because it shows nothing and must answer when the trail
            can't, or because its override leaves the one that says what was shown.
        reason: why a FORBIDDEN row is, and what to do instead.
    """

    method: str
    path: str
    kind: Kind
    subject: str = ""
    internal: bool = False
    role: Role | None = None
    reason: str = ""
    anybody: bool = False
    unread: bool = False
    unrecorded: bool = False

    @property
    def needs(self) -> Role | None:
        """Return the role that the account must have; None where every bound account will do."""
        return None if self.anybody else self.role or ROLES[self.kind]


_RESOURCE: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
_UID: Final = r"[0-9][0-9.]{0,63}"
_RECORD: Final = r"[A-Za-z0-9:._\-]{1,256}"
_WORD: Final = r"[A-Za-z0-9_.\-]{1,64}"
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
    "modality": _WORD,
    "name": _WORD,
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


def pattern(path: str) -> re.Pattern[str]:
    """Return what a path must match to fit the template ``path``."""
    parts = re.split(r"\{(\w+)\}", path)
    named = (re.escape(part) if at % 2 == 0 else f"(?P<{part}>{PLACEHOLDERS[part]})" for at, part in enumerate(parts))
    return re.compile("".join(named))


def images(subject: str, base: str, *tails: str) -> tuple[Route, ...]:
    """Return rows of GET that give one picture, which ``subject`` names."""
    return tuple(Route("GET", base + tail, Kind.IMAGE, subject=subject) for tail in tails)


def wholes(subject: str, base: str, *tails: str) -> tuple[Route, ...]:
    """Return rows of GET that tell of all pictures of what ``subject`` names, or of none."""
    return tuple(Route("GET", base + tail, Kind.BODY, subject=subject, role=Role.VIEW) for tail in tails)


def forbidden(reason: str, *routes: str) -> tuple[Route, ...]:
    """Return rows of what nobody may do, each written as METHOD[,METHOD] PATH."""
    return tuple(
        Route(method, path, Kind.FORBIDDEN, reason=reason)
        for methods, path in (route.split(" ") for route in routes)
        for method in methods.split(",")
    )
