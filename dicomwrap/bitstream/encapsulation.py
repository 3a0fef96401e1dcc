"""Take encapsulated pixel data apart: offset table, fragments, and whatever is wrong with them.

Knows PS3.5 section A.4. Must not know what a fragment holds. Works on any bytes in linear time and never raises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

ITEM: Final = b"\xfe\xff\x00\xe0"
DELIMITER: Final = b"\xfe\xff\xdd\xe0"
MOST_FRAGMENTS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Encapsulation:
    """Encapsulated pixel data taken apart.

    Attributes:
        offsets: the basic offset table, empty when it has no entry.
        fragments: start and end of each fragment's bytes in the value.
        problems: sentences about what breaks the rules.
    """

    offsets: tuple[int, ...]
    fragments: tuple[tuple[int, int], ...]
    problems: tuple[str, ...]

    def starts(self) -> tuple[int, ...]:
        """Return where each fragment's item begins, as offset tables count: from the first one."""
        return tuple(start - self.fragments[0][0] for start, _ in self.fragments)


def taken_apart(value: bytes) -> Encapsulation:
    """Take the value of an encapsulated (7FE0,0010) apart, without its sequence delimiter."""
    items, problems = _items(value)
    table = value[slice(*items[0])] if items else b""
    if len(table) % 4:
        problems.append("the offset table isn't made of 32 bit numbers")
    offsets = struct.unpack_from(f"<{len(table) // 4}I", table)
    fragments = tuple(items[1:])
    if not fragments:
        problems.append("there is no fragment")
    if any((end - start) % 2 for start, end in items):
        problems.append("a fragment has an odd length")
    if any(end == start for start, end in fragments):
        problems.append("a fragment is empty")
    found = Encapsulation(offsets=offsets, fragments=fragments, problems=())
    problems.extend(_offset_problems(found))
    return Encapsulation(offsets=offsets, fragments=fragments, problems=tuple(problems))


def _items(value: bytes) -> tuple[list[tuple[int, int]], list[str]]:
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(value):
        if value[at : at + 4] == DELIMITER:
            left = len(value) - at - 8
            return found, [f"{left} bytes follow the sequence delimiter"] if left > 0 else []
        if value[at : at + 4] != ITEM or len(value) < at + 8:
            return found, [f"at byte {at} there should be an item"]
        end = at + 8 + int.from_bytes(value[at + 4 : at + 8], "little")
        if end > len(value):
            return found, [f"the item at byte {at} is longer than what is left"]
        found.append((at + 8, end))
        if len(found) > MOST_FRAGMENTS:
            return found, [f"there are more than {MOST_FRAGMENTS} fragments"]
        at = end
    return found, []


def _offset_problems(found: Encapsulation) -> list[str]:
    if not found.offsets or not found.fragments:
        return []
    starts = set(found.starts())
    if found.offsets[0] != 0 or list(found.offsets) != sorted(set(found.offsets)):
        return ["the offset table doesn't begin with 0 and rise"]
    return [] if starts.issuperset(found.offsets) else ["the offset table points to no fragment"]
