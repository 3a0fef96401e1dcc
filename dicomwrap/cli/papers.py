"""The papers of a call: consents, and the forms that were signed.

Knows files and how they are refused. Must not know what a consent means.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dicomwrap.cli.details import Details
from dicomwrap.cli.plainfiles import read_plain
from dicomwrap.errors import PatientDetailsError, ProblemsError

if TYPE_CHECKING:
    from dicomwrap.consentrecord import ConsentRecord

LARGEST_CONSENT: Final = 1 << 20
LARGEST_FORM: Final = 64 << 20


@dataclass(slots=True)
class Papers:
    """Consents and consent forms, read once each. Paths are relative to ``folder``."""

    folder: Path = field(default_factory=Path)
    _consents: dict[str, ConsentRecord] = field(default_factory=dict)
    _forms: dict[str, bytes] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def consent(self, name: str) -> ConsentRecord | None:
        """Return the consent in a file; None when no file is named.

        Raises:
            PatientDetailsError: it can't be read, or isn't one.
        """
        if name and name not in self._consents:
            self._consents[name] = _consent(self.folder / name)
        return self._consents.get(name)

    def digest(self, details: Details) -> str:
        """Return a digest of what the named papers hold, so that another paper is another saying."""
        return " ".join(self._digest(name) for name in (details.consent, details.consent_form))

    def _digest(self, name: str) -> str:
        if name and name not in self._digests:
            self._digests[name] = _digest(self.folder / name)
        return self._digests.get(name, "")

    def form(self, name: str) -> bytes:
        """Return the bytes of a signed form; b"" when no file is named.

        Raises:
            PatientDetailsError: it can't be read, or is no PDF.
        """
        if name and name not in self._forms:
            self._forms[name] = _form(self.folder / name)
        return self._forms.get(name, b"")


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(read_plain(path, LARGEST_FORM)).hexdigest()
    except (OSError, ValueError):
        return ""


def _read(path: Path, option: str, largest: int) -> bytes:
    try:
        return read_plain(path, largest)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise PatientDetailsError((f"{option}: can't be read ({reason})",)) from error


def _consent(path: Path) -> ConsentRecord:
    from dicomwrap.consentfile import read_consent  # needed with a consent only

    try:
        text = _read(path, "--consent", LARGEST_CONSENT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PatientDetailsError(("--consent: is no text in UTF-8",)) from error
    try:
        return read_consent(text)
    except PatientDetailsError:
        raise
    except ProblemsError as error:
        raise PatientDetailsError(tuple(f"--consent: {problem}" for problem in error.problems)) from error


def _form(path: Path) -> bytes:
    data = _read(path, "--consent-form", LARGEST_FORM)
    if not data.startswith(b"%PDF-") or b"%%EOF" not in data[-2048:]:
        raise PatientDetailsError(("--consent-form: is no whole PDF; give the signed form as a PDF",))
    return data
