"""How programs that put pictures on the internet, or back them up there, give themselves away in a photograph's file.

Knows the words by which they sign, and where a file of whatever format keeps its XMP. Must not know what becomes of
such a photograph. Most of them leave no trace, so nothing found is not nothing there.

Sources: requirements 000-31, 004-24; XMP specification part 3 (the packet's wrapper).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

# In EXIF, XMP, IPTC or a comment; FBMD is what Facebook writes into IPTC.
SHARING: Final = (
    "whatsapp", "telegram", "facebook", "fbmd0", "instagram", "messenger", "snapchat", "tiktok", "wechat", "viber",
    "twitter", "pinterest", "tumblr", "flickr", "imgur", "picasa", "google photos", "google drive", "photos.google",
    "icloud", "dropbox", "onedrive", "skydrive", "amazon photos", "samsung cloud", "mega.nz", "pcloud", "photobucket",
)  # fmt: skip
BEARS: Final = "it bears the mark of a sharing or back-up program"
_PACKET: Final = re.compile(rb"<x:x[am]pmeta\b.*?</x:x[am]pmeta", re.DOTALL)


def mark(pieces: Iterable[bytes], told: str = "") -> str:
    """Return the word of the program that signs in what a file holds beside its picture, or in what is ``told``."""
    hidden = b" ".join(pieces).replace(b"\0", b"").lower()  # EXIF's own text may be UTF-16
    return next((word for word in SHARING if word in told or word.encode() in hidden), "")


def packets(data: bytes) -> Iterator[bytes]:
    """Give the XMP packets of a file of any format, where they aren't compressed."""
    return (found.group() for found in _PACKET.finditer(data))


def warning(word: str) -> str:
    """Return the sentence for a person."""
    return f"{BEARS} ({word}); the archive will hold it until somebody has looked into that"
