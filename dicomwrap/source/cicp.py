"""Tell what becomes of colours that are described by numbers in place of a profile (ITU-T H.273).

Knows which of them are near enough to sRGB to be shown as they are. Must not know any format.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.errors import UnsupportedPhotographError

_NAMED: Final = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_LIKE_SRGB: Final = frozenset({1, 2, 5, 6, 7})  # BT.709, unspecified, and the two BT.601
_HIGH_RANGE: Final = {16: "PQ", 18: "HLG"}


def colour_warnings(name: str, said: tuple[int, int] | None, *, icc: bool) -> tuple[str, ...]:
    """Return a warning where the colours will not be shown as they were meant.

    Args:
        name: the format.
        said: colour primaries and transfer characteristics.
        icc: whether there is a profile, which then counts.

    Raises:
        UnsupportedPhotographError: brightness of a high dynamic range, which somebody has to map first.
    """
    if said is None:
        return ()
    primaries, transfer = said
    if transfer in _HIGH_RANGE:
        raise UnsupportedPhotographError(
            f"The {name} holds a high dynamic range ({_HIGH_RANGE[transfer]}); how it is made ordinary decides what a"
            " clinician sees",
            "Export it as JPEG in the camera's software, or switch HDR off in the camera, and wrap that file.",
        )
    if icc or primaries in _LIKE_SRGB:
        return ()
    named = _NAMED.get(primaries, f"number {primaries}")
    return (f"the colours are of another kind than sRGB ({named}), which could not be carried over",)
