"""Which action an attribute gets: the table's code under the options, resolved by what the object must have.

Knows action codes and the types of PS3.5 section 7.4. Must not know values. Where two options disagree, the one that
removes more has its way. "Clean" of free text is removal: no word of it could be proven harmless. Where nobody knows
whether an attribute is required, the last of a compound's codes is taken: an empty or a dummy value says as little as
none, and the object stays whole.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, unique
from typing import Final, NamedTuple

from dicomwrap.confidentiality import Action, Option
from dicomwrap.iodtables import ITEMS, SOP_CLASSES, Required, required_of
from orthanc_plugin.deid.table import Row


@unique
class Need(Enum):
    """Whether an object must have an attribute: types 1, 2 and 3 of PS3.5, or nobody here knows."""

    FILLED = 1
    PRESENT = 2
    OPTIONAL = 3
    UNKNOWN = 0


class Decided(NamedTuple):
    """An action code, simple or compound, and whether an option has brought it about."""

    code: str
    by_option: bool = False


# What each compound becomes for types 1, 2 and 3, and where the type isn't known (PS3.15 Table E.1-1a).
COMPOUND: Final[dict[str, dict[Need, Action]]] = {
    "Z/D": {Need.FILLED: Action.D, Need.PRESENT: Action.Z, Need.OPTIONAL: Action.Z, Need.UNKNOWN: Action.D},
    "X/Z": {Need.FILLED: Action.Z, Need.PRESENT: Action.Z, Need.OPTIONAL: Action.X, Need.UNKNOWN: Action.Z},
    "X/D": {Need.FILLED: Action.D, Need.PRESENT: Action.X, Need.OPTIONAL: Action.X, Need.UNKNOWN: Action.D},
    "X/Z/D": {Need.FILLED: Action.D, Need.PRESENT: Action.Z, Need.OPTIONAL: Action.X, Need.UNKNOWN: Action.D},
    "X/Z/U*": {Need.FILLED: Action.U, Need.PRESENT: Action.Z, Need.OPTIONAL: Action.X, Need.UNKNOWN: Action.U},
}


def decided(row: Row, options: Collection[Option]) -> Decided:
    """Return the row's code under ``options``."""
    said = {action for option, action in row.options.items() if option in options}
    if Action.C in said:
        shifts = Option.RETAIN_MODIFIED_DATES in options and Option.RETAIN_MODIFIED_DATES in row.options
        return Decided(Action.C, by_option=True) if shifts else Decided(row.basic)
    return Decided(Action.K, by_option=True) if Action.K in said else Decided(row.basic)


def resolved(code: str, need: Need) -> Action:
    """Return the one action that ``code`` means for an attribute that the object needs so much."""
    action = COMPOUND[code][need] if code in COMPOUND else Action(code)
    return Action.D if action is Action.Z and need is Need.FILLED else action  # Z may be a dummy, and here must


class Needs:
    """What a data set must have: an object of a SOP class, or an item of a sequence.

    Args:
        required: its attributes of type 1 and 2; None when they aren't known.
    """

    def __init__(self, required: Required | None) -> None:
        self.required = required

    @classmethod
    def of_object(cls, sop_class_uid: str) -> Needs:
        """Return what an object of this class must have."""
        known = SOP_CLASSES.get(sop_class_uid)
        return cls(None if known is None else required_of(known))

    @classmethod
    def of_item(cls, keyword: str) -> Needs:
        """Return what an item of this sequence must have."""
        return cls(ITEMS.get(keyword))

    def of(self, keyword: str) -> Need:
        """Return how much the attribute is needed."""
        if self.required is None:
            return Need.UNKNOWN
        if keyword in self.required.filled:
            return Need.FILLED
        return Need.PRESENT if keyword in self.required.present else Need.OPTIONAL
