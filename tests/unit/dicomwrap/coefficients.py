"""A reader of a baseline JPEG's coefficients that shares nothing with the one that writes them (ITU-T T.81 annex F)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dicomwrap.bitstream.markers import DHT, SCAN_DATA, SOS, parse

Block = tuple[int, ...]
Codes = dict[tuple[int, int], int]


@dataclass
class Bits:
    """The bits of one restart interval."""

    data: bytes
    at: int = 0

    def __post_init__(self) -> None:
        self.data = self.data.replace(b"\xff\0", b"\xff")

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | (self.data[self.at >> 3] >> (7 - self.at % 8)) & 1
            self.at += 1
        return value

    def symbol(self, codes: Codes) -> int:
        code = 1
        for length in range(1, 17):
            code = code << 1 | self.take(1)
            if (length, code) in codes:
                return codes[length, code]
        raise ValueError("no such code")

    def number(self, size: int) -> int:
        value = self.take(size)
        return value if not size or value >> (size - 1) else value - (1 << size) + 1

    def block(self, before: int, direct: Codes, alternating: Codes) -> Block:
        found = [0] * 64
        found[0] = before + self.number(self.symbol(direct))
        at = 1
        while at < 64 and (said := self.symbol(alternating)):
            at += said >> 4
            found[at] = self.number(said & 15)
            at += 1
        return tuple(found)


def coefficients(stream: bytes) -> dict[tuple[int, int, int], Block]:
    """Return the blocks of a stream of one scan, by component, row and column of the block."""
    parsed = parse(stream)
    components = parsed.frame.components
    (scan,) = (stream[piece.start : piece.end] for piece in parsed.pieces if piece.marker == SCAN_DATA)
    (header,) = parsed.bodies(SOS)
    tables = dict(_tables(parsed.bodies(DHT)))
    codes = [(tables[0, header[2 + 2 * n] >> 4], tables[1, header[2 + 2 * n] & 15]) for n in range(header[0])]
    shapes = [(c.horizontal, c.vertical) for c in components] if len(components) > 1 else [(1, 1)]
    across = -(-parsed.frame.columns // (8 * max(h for h, _ in shapes)))
    down = -(-parsed.frame.rows // (8 * max(v for _, v in shapes)))
    interval = int.from_bytes((parsed.bodies(0xDD) or (b"\0\0",))[0], "big") or across * down
    found: dict[tuple[int, int, int], Block] = {}
    for number, piece in enumerate(_intervals(scan)):
        bits, before = Bits(piece), [0] * len(shapes)
        for unit in range(number * interval, min((number + 1) * interval, across * down)):
            for which, (wide, tall) in enumerate(shapes):
                for place in range(wide * tall):
                    block = bits.block(before[which], *codes[which])
                    before[which] = block[0]
                    row, column = unit // across * tall + place // wide, unit % across * wide + place % wide
                    found[which, row, column] = block
    return found


def _intervals(scan: bytes) -> Iterator[bytes]:
    start = 0
    for at in range(len(scan) - 1):
        if scan[at] == 0xFF and 0xD0 <= scan[at + 1] <= 0xD7:
            yield scan[start:at]
            start = at + 2
    yield scan[start:]


def _tables(bodies: tuple[bytes, ...]) -> Iterator[tuple[tuple[int, int], Codes]]:
    for body in bodies:
        at = 0
        while at < len(body):
            counts, symbol = body[at + 1 : at + 17], at + 17
            codes: Codes = {}
            code = 0
            for length, count in enumerate(counts, start=1):
                for _ in range(count):
                    codes[length, 1 << length | code] = body[symbol]
                    code, symbol = code + 1, symbol + 1
                code <<= 1
            yield (body[at] >> 4, body[at] & 15), codes
            at = symbol
