"""Pseudonyms, UIDs and days by keyed HMAC: stable for one domain, unlinkable across domains, one-way without the key.

Knows the key it is given. Must not know where keys are kept. Recipients in different domains can't link a patient.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

PSEUDONYM_CHARACTERS: Final = 16
FEWEST_DAYS: Final = 30
MOST_DAYS: Final = 5 * 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonyms:
    """One domain's pseudonyms.

    Attributes:
        key: at least 32 bytes; kept out of every repr.
        domain: name of the domain, from the profile.
    """

    key: bytes = field(repr=False)
    domain: str

    def _digest(self, kind: str, *parts: str) -> bytes:
        message = "\x1f".join((self.domain, kind, *parts)).encode()
        return hmac.new(self.key, message, hashlib.sha256).digest()

    def patient_id(self, patient_id: str, issuer: str) -> str:
        """Return the patient's pseudonym in this domain."""
        return base64.b32encode(self._digest("patient", issuer, patient_id)).decode()[:PSEUDONYM_CHARACTERS]

    def uid(self, uid: str) -> str:
        """Return the UID that stands for ``uid`` in this domain (PS3.5 B.2, root 2.25)."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16], 'big')}"

    def days(self, patient_id: str, issuer: str) -> int:
        """Return by how many whole days all dates of the patient are moved in this domain, always into the past."""
        number = int.from_bytes(self._digest("days", issuer, patient_id)[:8], "big")
        return -(FEWEST_DAYS + number % (MOST_DAYS - FEWEST_DAYS + 1))
