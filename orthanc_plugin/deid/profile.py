"""An anonymisation profile: which options, which exceptions, which pseudonym domain, and how it says what it does.

Knows the table and PS3.16 CID 7050 (method codes). Must not know objects, nor where profiles are kept.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from dicomwrap.confidentiality import BASIC_PROFILE, OF_THE_PICTURE, Action, Option, PixelDuty
from orthanc_plugin.deid.actions import decided
from orthanc_plugin.deid.closed import VOCABULARY
from orthanc_plugin.deid.table import OURS, PRIVATE, TABLE, TEXT

WORDS: Final[dict[str, str]] = {
    "D": "replaced by a dummy or pseudonym of the same kind",
    "Z": "emptied",
    "X": "removed",
    "K": "kept; a sequence is cleaned item by item",
    "C": "cleaned: dates are shifted by whole days, the same for all of a patient's dates in this domain",
    "U": "replaced by a UID made with the profile's key, the same for the same original",
    "Z/D": "emptied, or replaced by a dummy where the object must have a value",
    "X/Z": "removed, or emptied where the object must have the attribute",
    "X/D": "removed, or replaced by a dummy where the object must have a value",
    "X/Z/D": "removed, emptied or replaced by a dummy, by what the object must have",
    "X/Z/U*": "removed, emptied or its UIDs replaced, by what the object must have",
}
CLOSED: Final = "kept, when it says no more than its closed vocabulary"
NO_PRIVATE: Final = "removed"
SAFE_PRIVATE: Final = "safe half of the consent block kept; of others, numbers declared safe in (0008,0300)"
LOCKED: Final = "holds what re-identification needs, encrypted; only these can open it: {}"
# Raised by hand whenever a copy may come out otherwise than before for any other reason than a profile's own rows: how
# regions are placed and filled, what dummies are, which private blocks are known, what the engine does. Pictures are
# then looked at again before copies leave; tests/contract/test_engine.py notices when it was forgotten.
ENGINE: Final = 1
PICTURE: Final[dict[PixelDuty, str]] = {
    PixelDuty.CONFIRMED: "the stream is cleaned again; leaves only when a named person has confirmed the picture",
    PixelDuty.NONE: "the stream is cleaned again; nothing is claimed of the picture unless a named person confirmed it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile, with everything it extends already in it.

    Attributes:
        name: what the copy says it was made under.
        pseudonym_domain: recipients that share it can link a patient's pictures.
        options: of PS3.15.
        overrides: keyword and action, before anything the table says.
        pixels: what must have happened to the picture.
        custodians: who can open what is locked into the copy; nothing is when there are none.
    """

    name: str
    pseudonym_domain: str
    options: frozenset[Option] = frozenset()
    overrides: tuple[tuple[str, Action], ...] = ()
    pixels: PixelDuty = PixelDuty.CONFIRMED
    custodians: tuple[str, ...] = ()

    @property
    def retains_safe_private(self) -> bool:
        """Tell whether private attributes that are known to be safe stay."""
        return Option.RETAIN_SAFE_PRIVATE in self.options

    def methods(self, *, confirmed: bool) -> tuple[tuple[str, str], ...]:
        """Return the CID 7050 codes that are true of a copy: of the picture only when a person confirmed it."""
        options = sorted(self.options - OF_THE_PICTURE, key=list(Option).index)
        picture = sorted(self.options & OF_THE_PICTURE, key=list(Option).index) if confirmed else []
        return (BASIC_PROFILE, *(option.method for option in (*picture, *options)))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the copy."""
        ours = [(row.tag, row.basic, sorted(row.options.items())) for row in OURS.values()]
        closed = sorted((keyword, pattern.pattern) for keyword, pattern in VOCABULARY.items())
        parts = [
            self.name, self.pseudonym_domain, sorted(self.options), sorted(self.overrides), self.pixels, TEXT, ours,
            closed, self.custodians, ENGINE,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def describe(self) -> dict[str, str]:
        """Return, for each attribute with a row or an exception, what happens to it in words."""
        rows = {row.name: WORDS[decided(row, self.options).code] for row in TABLE.values() if row.tag != PRIVATE}
        kept = dict.fromkeys(sorted(set(VOCABULARY) - set(rows)), CLOSED)
        exceptions = {keyword: WORDS[action] for keyword, action in self.overrides}
        return {
            **dict(sorted(rows.items())),
            **kept,
            **exceptions,
            "PixelData": PICTURE[self.pixels],
            **({"EncryptedAttributesSequence": LOCKED.format(", ".join(self.custodians))} if self.custodians else {}),
            "private attributes": SAFE_PRIVATE if self.retains_safe_private else NO_PRIVATE,
            "every other attribute": NO_PRIVATE,
        }
