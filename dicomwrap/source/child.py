"""The decoding child: one request on stdin, its answers on stdout. Run as ``python -I -m dicomwrap.source.child``.

Knows which module decodes which format. Must not be imported by the parent: it loads the decoders, and hostile bytes
run through them here. Its limits are set from outside.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final

from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from dicomwrap.source.answer import Decoded, packed, packed_refusal
from dicomwrap.source.rasters import Page, Wanted, finished

DECODERS: Final = {
    "PNG": "png", "TIFF": "tiff", "WebP": "webp", "BMP": "bmp", "AVIF": "avif", "HEIC": "heif", "JPEG": "decodedjpeg",
}  # fmt: skip
# What decoders raise when the bytes aren't what they should be.
_FAILURES: Final = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError,
    SystemError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
# What they say, in part; what it means; what we say.
_MEANT: Final = (
    (
        ("truncated", "end of file", "not enough image data"),
        TruncatedPhotographError,
        "ends before its picture is whole",
    ),
    (("unknown pixel mode", "unsupported"), UnsupportedPhotographError, "holds samples of a kind that isn't read"),
    (("too large", "too much memory"), UnsupportedPhotographError, "holds a text that is far too long when unpacked"),
)


def pictures(data: bytes, kind: str, wanted: Wanted) -> Iterator[Decoded]:
    """Decode the wanted pictures of a file, here and now.

    Raises:
        DicomwrapError: one of them can't be decoded.
    """
    try:
        pages: Callable[[bytes, Wanted], Iterator[Page]]
        pages = importlib.import_module(f"dicomwrap.source.{DECODERS[kind]}").pages
        found = False
        for page in pages(data, wanted):
            if wanted.has(page.number):
                found = True
                yield finished(page, wanted)
        if not found:
            raise UnsupportedPhotographError(f"The {kind} has no picture number {wanted.page}", "Choose another page.")
    except MemoryError as error:
        raise UnsupportedPhotographError(
            f"Decoding the {kind} needs more memory than the decoder may have",
            "Export the picture in a smaller size and wrap that file.",
        ) from error
    except _FAILURES as error:
        raise _meant(kind, str(error).lower()) from error


def _meant(kind: str, said: str) -> DicomwrapError:
    for words, meaning, told in _MEANT:
        if any(word in said for word in words):
            return meaning(f"The {kind} {told}")
    return DamagedPhotographError(f"The {kind} is damaged and can't be decoded")


def main(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer one request."""
    request = json.loads(source.readline())
    kind = request.pop("kind")
    try:
        for decoded in pictures(source.read(), kind, Wanted(**request)):
            for piece in packed(decoded):
                sink.write(piece)
    except DicomwrapError as error:
        sink.write(packed_refusal(error))
    sink.flush()


if __name__ == "__main__":
    # Libraries that print must not print into the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        main(sys.stdin.buffer, answers)
