"""Signed heads of the audit trail (Ed25519), so that a trail cut short is found out.

Knows how a head is signed and checked. Must not know files; the key is an argument.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from orthanc_plugin.errors import ConsentgateError


class CheckpointError(ConsentgateError):
    """A signed head can't be read or its signature doesn't hold."""

    remedy = "Treat the trail as tampered with: keep all files as they are and call information governance."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The digest of the trail's last entry at some moment."""

    seq: int
    digest: str
    at: str
    signature: str


def _message(seq: int, digest: str, at: str, previous: str) -> bytes:
    return f"consentgate trail head\n{seq}\n{digest}\n{at}\n{previous}".encode()


def sign(seq: int, digest: str, at: str, key: Ed25519PrivateKey, previous: str = "") -> Checkpoint:
    """Return the head signed with ``key``; ``previous`` is the signature before it, so that none can be left out."""
    signature = key.sign(_message(seq, digest, at, previous)).hex()
    return Checkpoint(seq=seq, digest=digest, at=at, signature=signature)


def last_signature(lines: list[str]) -> str:
    """Return the signature of the last line; '' when there is none."""
    return str(json.loads(lines[-1])["signature"]) if lines else ""


def to_line(checkpoint: Checkpoint) -> str:
    """Return the checkpoint as one line of JSON."""
    return json.dumps(
        {"seq": checkpoint.seq, "digest": checkpoint.digest, "at": checkpoint.at, "signature": checkpoint.signature}
    )


def heads(lines: list[str], key: Ed25519PublicKey, after: list[str] | None = None) -> dict[int, str]:
    """Return the signed digests by entry number, of the lines that stand ``after`` others.

    Raises:
        CheckpointError: a line can't be read or its signature doesn't hold.
    """
    found: dict[int, str] = {}
    before = after or []
    previous = last_signature(before)
    for number, line in enumerate(lines, start=len(before) + 1):
        try:
            fields = json.loads(line)
            signature = bytes.fromhex(fields["signature"])
            key.verify(signature, _message(fields["seq"], fields["digest"], fields["at"], previous))
            previous = fields["signature"]
        except (ValueError, KeyError, TypeError, InvalidSignature) as error:
            raise CheckpointError(f"Line {number} of the signed heads doesn't hold.") from error
        found[int(fields["seq"])] = str(fields["digest"])
    return found
