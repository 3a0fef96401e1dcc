"""An anonymisation profile: which actions, which pseudonym domain, and how it says what it does.

Knows the table and PS3.16 CID 7050 (method codes). Must not know objects.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.deid.table import TABLE, WORDS

BASIC_PROFILE: Final = ("113100", "Basic Application Confidentiality Profile")
RETAIN_SAFE_PRIVATE: Final = ("113111", "Retain Safe Private Option")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile of policy.toml."""

    name: str
    pseudonym_domain: str
    retain_safe_private: bool = False

    @property
    def methods(self) -> tuple[tuple[str, str], ...]:
        """Return the CID 7050 codes that are true of a copy under this profile."""
        return (BASIC_PROFILE, RETAIN_SAFE_PRIVATE) if self.retain_safe_private else (BASIC_PROFILE,)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the copy."""
        parts = [self.name, self.pseudonym_domain, self.retain_safe_private, sorted(TABLE.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def describe(self) -> dict[str, str]:
        """Return, for each attribute with a row, what happens to it in words."""
        rows = {keyword: WORDS[action] for keyword, action in sorted(TABLE.items())}
        private = "safe half of the consent block kept" if self.retain_safe_private else "removed"
        return {**rows, "private attributes": private, "every other attribute": "removed"}
