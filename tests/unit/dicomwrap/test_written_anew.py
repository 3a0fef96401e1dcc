"""Why a stream that a decoder reads without a complaint is written anew: what can hide in it, and is gone (ADR 30)."""

from __future__ import annotations

import pytest
from PIL import Image

from dicomwrap.bitstream.markers import DHT, SCAN_DATA, parse
from dicomwrap.bitstream.rewrite import proven, rewritten
from tests.unit.dicomwrap import photos

PLAIN = photos.jpeg(Image.new("L", (8, 8), 128))
SILENT = 7  # bytes, which the decoder has read ahead and says nothing of


def codes() -> dict[tuple[int, int], str]:
    """Return the bits of each symbol of the stream's tables, by class and symbol (ITU-T T.81 annex C)."""
    found = {}
    for body in parse(PLAIN).bodies(DHT):
        symbols, code = iter(body[17:]), 0
        for length, count in enumerate(body[1:17], start=1):
            for _ in range(count):
                found[body[0] >> 4, next(symbols)] = f"{code:0{length}b}"
                code += 1
            code <<= 1
    return found


CODES = codes()
SAME, END, ZEROS = CODES[0, 0], CODES[1, 0], CODES[1, 0xF0]


def having(bits: str, *, fill: str = "1", more: bytes = b"") -> bytes:
    """Return the stream with other picture data."""
    whole = bits + fill * (-len(bits) % 8)
    data = bytes(int(whole[at : at + 8], 2) for at in range(0, len(whole), 8)).replace(b"\xff", b"\xff\0")
    (scan,) = (piece for piece in parse(PLAIN).pieces if piece.marker == SCAN_DATA)
    return PLAIN[: scan.start] + data + more + PLAIN[scan.end :]


HIDING = {
    "in the bits that fill a byte": having(SAME + END, fill="0"),
    "in zeros before the end of a block": having(SAME + ZEROS + ZEROS + END),
    "in a run beyond the last coefficient": having(SAME + ZEROS * 4),
    "after the last block": having(SAME + END, more=b"JaneDoe"[:SILENT]),
}


@pytest.mark.parametrize("where", HIDING)
def test_what_no_decoder_complains_of_is_not_in_what_is_written_anew(where: str) -> None:
    assert HIDING[where] != having(SAME + END)
    assert proven(HIDING[where]) == HIDING[where]
    assert rewritten(HIDING[where]) == rewritten(having(SAME + END))
