"""What follows from a withdrawal or a refusal, added up.

Knows ids and names of what is to be done or was done. Must not know how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain

from dicomwrap.consentrecord import ConsentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What a withdrawal came to.

    Attributes:
        recalls: ids of the disclosures that are recalled.
        not_recallable: ids of those that can't be.
        restricted: SOP Instance UIDs of filed pictures that are kept, but restricted.
        proposed: those of them that are proposed for disposal.
        deleted: SOP Instance UIDs of pictures that were never filed and are gone.
        held: SOP Instance UIDs of such pictures that a hold keeps; no door files or shows them.
        spool_names: what is to be dropped from the spool once the transaction is committed.
    """

    recalls: tuple[str, ...] = ()
    not_recallable: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()
    proposed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    spool_names: tuple[str, ...] = ()

    def __add__(self, other: Consequences) -> Consequences:
        return Consequences.together((self, other))

    @classmethod
    def together(cls, found: Sequence[Consequences]) -> Consequences:
        """Return what many came to."""
        names = (each.name for each in fields(cls))
        return cls(**{name: tuple(chain.from_iterable(getattr(each, name) for each in found)) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The consent's new version, and what followed from it."""

    record: ConsentRecord
    consequences: Consequences
