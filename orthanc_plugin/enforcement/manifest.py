"""The manifest of an archive: what is in it, and what was left out and why; for programs and for people.

Knows no pictures. Holds nothing that ties an anonymised copy to its original: files bear the identifiers that are in
them, and what was left out is told by its place in the request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Self

from dicomwrap.version import VERSION
from orthanc_plugin.enforcement.withheld import Withheld
from orthanc_plugin.gate import Requester
from orthanc_plugin.sending.packing import Packed

FOR_PROGRAMS: Final = "MANIFEST.json"
FOR_PEOPLE: Final = "MANIFEST.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One picture in the archive; the UID and the digest are those of the copy.

    ``purpose`` is what it was released for, which emergency access changes.
    """

    file: str
    sop_instance_uid: str
    sha256: str
    form: str
    purpose: str
    decision: str
    disclosure: str

    @classmethod
    def of(cls, packed: Packed, file: str) -> Self:
        """Return the entry for the picture that the archive has as ``file``."""
        return cls(
            file=file,
            sop_instance_uid=packed.released.sop_instance_uid,
            sha256=packed.released.sha256,
            form=packed.answer.decision.effect.removeprefix("PERMIT_"),
            purpose=packed.answer.purpose,
            decision=packed.answer.decision_id,
            disclosure=packed.disclosure,
        )


def files(
    requester: Requester, at: datetime, entries: Sequence[Entry], stays: Sequence[Withheld]
) -> Iterator[tuple[str, bytes]]:
    """Give the manifest's files by name."""
    told = {
        "made_by": f"Consentgate {VERSION}",
        "made_at": at.isoformat(),
        "recipient": requester.recipient,
        "purpose": requester.purpose,
        "complete": not stays,
        "files": [asdict(entry) for entry in entries],
        "left_out": [each.told() for each in stays],
    }
    yield FOR_PROGRAMS, (json.dumps(told, indent=2) + "\n").encode()
    yield FOR_PEOPLE, "".join(f"{line}\n" for line in _lines(requester, at, entries, stays)).encode()


def _lines(requester: Requester, at: datetime, entries: Sequence[Entry], stays: Sequence[Withheld]) -> Iterator[str]:
    yield f"Pictures for {requester.recipient}, for {requester.purpose}, made on {at:%d %B %Y at %H:%M} UTC."
    yield f"This archive holds {len(entries)} file{'' if len(entries) == 1 else 's'}."
    if not stays:
        yield "Nothing that was asked for was left out."
        return
    yield "Some of what was asked for was left out:"
    for each in stays:
        number = "" if each.pictures is None else f"{each.pictures} of it, because "
        yield f"- item {each.named.position} of the request: {number}{'; '.join(each.reasons)}."
        yield f"  Decisions: {', '.join(each.decisions)}"
    yield "Whoever reads the audit trail can explain each decision: consentgate explain DECISION"
