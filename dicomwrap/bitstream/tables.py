"""Hold the small segments of a JPEG stream against their own layout, so that nothing else can stand in them.

Knows ITU-T T.81 B.2.3 and B.2.4: scan headers, quantisation tables, Huffman tables, restart intervals. Must not know
what a decoder does with them.
"""

from __future__ import annotations

from functools import lru_cache

from dicomwrap.errors import DamagedPhotographError

_DHT, _DAC, _DQT, _DRI = 0xC4, 0xCC, 0xDB, 0xDD
_QUANTISERS, _LENGTHS = 64, 16
_MOST_CODES = 256
_LARGEST_DC = 16


@lru_cache(maxsize=256)  # cameras write the same tables into every picture
def check_table(marker: int, body: bytes) -> None:
    """Hold a table segment against its layout.

    Raises:
        DamagedPhotographError: it holds something else, or more.
    """
    if marker == _DQT:
        fits = _are_quantisation_tables(body)
    elif marker == _DHT:
        fits = _are_huffman_tables(body)
    elif marker == _DRI:
        fits = len(body) == 2
    elif marker == _DAC:
        fits = len(body) % 2 == 0 and len(body) <= 2 * 32
    else:
        return
    if not fits:
        raise DamagedPhotographError(f"The JPEG's table FF{marker:02X} holds something else than a table")


def check_baseline_scan(body: bytes) -> None:
    """Hold the end of a scan header against what a sequential picture has: all coefficients at once.

    Raises:
        DamagedPhotographError: it says something else.
    """
    if body[-3:] != b"\x00\x3f\x00":
        raise DamagedPhotographError("A scan header of the JPEG doesn't fit a baseline picture")


def _are_quantisation_tables(body: bytes) -> bool:
    at = 0
    while at < len(body):
        precision, number = divmod(body[at], 16)
        if precision > 1 or number > 3:
            return False
        if 0 in body[at + 1 : at + 1 + _QUANTISERS] and not precision:
            return False
        at += 1 + _QUANTISERS * (1 + precision)
    return at == len(body) and at > 0


def _are_huffman_tables(body: bytes) -> bool:
    at = 0
    while at < len(body):
        kind, number = divmod(body[at], 16)
        counts = body[at + 1 : at + 1 + _LENGTHS]
        codes = sum(counts)
        symbols = body[at + 1 + _LENGTHS : at + 1 + _LENGTHS + codes]
        if kind > 1 or number > 3 or codes > _MOST_CODES or not _is_a_tree(counts) or not _are_symbols(kind, symbols):
            return False
        at += 1 + _LENGTHS + codes
    return at == len(body) and at > 0


def _are_symbols(kind: int, symbols: bytes) -> bool:
    """Tell whether each symbol stands once, and is a size (T.81 F.1.2.1) or a run and a size (T.81 F.1.2.2).

    A text would repeat a letter before long.
    """
    if len(set(symbols)) != len(symbols):
        return False
    return all(symbol <= _LARGEST_DC for symbol in symbols) if kind == 0 else 0xF not in {s & 0xF for s in symbols}


def _is_a_tree(counts: bytes) -> bool:
    """Tell whether so many codes of each length can be told apart (T.81 annex C)."""
    room = 1
    for count in counts:
        room = 2 * room - count
        if room < 0:
            return False
    return True
