"""What each transfer syntax promises of a picture's bits.

Knows PS3.5 sections 8.2 and 10 and PS3.6 table A-1 as far as photographs and films of patients go. Must not know
objects or files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final


@unique
class Coding(Enum):
    """How the picture is coded, whatever the variant."""

    NATIVE = "uncompressed"
    JPEG = "JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    JPEG_XL = "JPEG XL"
    RLE = "RLE"
    VIDEO = "video"


@unique
class Loss(Enum):
    """Whether what the coding gives back is what went in."""

    NEVER = "lossless"
    MAYBE = "lossless or lossy"
    ALWAYS = "lossy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSyntax:
    """One transfer syntax.

    Attributes:
        uid: its UID.
        words: its name for a person.
        coding: how the picture is coded.
        loss: whether something is lost.
        frame_headers: for JPEG the frame headers (T.81 table B.1) that its streams may have.
        colours: PhotometricInterpretation of colour pictures that readers expect (PS3.5 section 8.2; what ``dciodvfy``
            takes in a VL Photographic Image); empty where any will do.
        retired: whether it is retired.
    """

    uid: str
    words: str
    coding: Coding
    loss: Loss = Loss.NEVER
    frame_headers: frozenset[int] = field(default_factory=frozenset)
    colours: frozenset[str] = field(default_factory=frozenset)
    retired: bool = False

    @property
    def encapsulated(self) -> bool:
        """Tell whether pixel data come in fragments (PS3.5 section A.4)."""
        return self.coding is not Coding.NATIVE


_ROOT: Final = "1.2.840.10008.1.2"
_YCBCR: Final = frozenset({"YBR_FULL_422"})
_RGB: Final = frozenset({"RGB"})
_J2K: Final = frozenset({"YBR_RCT", "YBR_ICT"})
_HTJ2K: Final = frozenset({"RGB", "YBR_RCT", "YBR_ICT", "YBR_FULL_422"})


def _native(suffix: str, words: str, *, retired: bool = False) -> TransferSyntax:
    return TransferSyntax(uid=_ROOT + suffix, words=words, coding=Coding.NATIVE, retired=retired)


def _jpeg(
    suffix: int, words: str, markers: Iterable[int], loss: Loss = Loss.ALWAYS, *, retired: bool = False
) -> TransferSyntax:
    return TransferSyntax(
        uid=f"{_ROOT}.4.{suffix}",
        words=words,
        coding=Coding.JPEG,
        loss=loss,
        frame_headers=frozenset(markers),
        colours=_YCBCR if loss is Loss.ALWAYS else _RGB,
        retired=retired,
    )


def _coded(
    suffix: str, words: str, coding: Coding, loss: Loss, colours: frozenset[str] = frozenset()
) -> TransferSyntax:
    return TransferSyntax(uid=f"{_ROOT}.{suffix}", words=words, coding=coding, loss=loss, colours=colours)


_EVERY: Final = (
    _native("", "Implicit VR Little Endian, uncompressed"),
    _native(".1", "Explicit VR Little Endian, uncompressed"),
    _native(".1.99", "Deflated Explicit VR Little Endian"),
    _native(".2", "Explicit VR Big Endian, uncompressed (retired)", retired=True),
    _jpeg(50, "JPEG baseline", (0xC0,)),
    _jpeg(51, "JPEG extended", (0xC0, 0xC1)),
    _jpeg(52, "JPEG extended, arithmetic (retired)", (0xC9,), retired=True),
    _jpeg(53, "JPEG spectral selection (retired)", (0xC2,), retired=True),
    _jpeg(54, "JPEG spectral selection, arithmetic (retired)", (0xCA,), retired=True),
    _jpeg(55, "JPEG progressive (retired)", (0xC2,), retired=True),
    _jpeg(56, "JPEG progressive, arithmetic (retired)", (0xCA,), retired=True),
    _jpeg(57, "JPEG lossless", (0xC3,), Loss.NEVER),
    _jpeg(58, "JPEG lossless, arithmetic (retired)", (0xCB,), Loss.NEVER, retired=True),
    *(_jpeg(suffix, "JPEG hierarchical (retired)", (), retired=True) for suffix in range(59, 65)),
    *(_jpeg(suffix, "JPEG hierarchical lossless (retired)", (), Loss.NEVER, retired=True) for suffix in (65, 66)),
    _jpeg(70, "JPEG lossless, first order", (0xC3,), Loss.NEVER),
    _coded("4.80", "JPEG-LS lossless", Coding.JPEG_LS, Loss.NEVER, _RGB),
    _coded("4.81", "JPEG-LS near-lossless", Coding.JPEG_LS, Loss.MAYBE, _RGB),
    _coded("4.90", "JPEG 2000 lossless", Coding.JPEG_2000, Loss.NEVER, frozenset({"YBR_RCT", "RGB"})),
    _coded("4.91", "JPEG 2000", Coding.JPEG_2000, Loss.MAYBE, _J2K | {"RGB", "YBR_FULL_422"}),
    _coded("4.201", "High-Throughput JPEG 2000 lossless", Coding.JPEG_2000, Loss.NEVER, _HTJ2K),
    _coded("4.202", "High-Throughput JPEG 2000 lossless, RPCL", Coding.JPEG_2000, Loss.NEVER, _HTJ2K),
    _coded("4.203", "High-Throughput JPEG 2000", Coding.JPEG_2000, Loss.MAYBE, _HTJ2K),
    _coded("4.110", "JPEG XL lossless", Coding.JPEG_XL, Loss.NEVER),
    _coded("4.111", "JPEG XL, recompressed JPEG", Coding.JPEG_XL, Loss.ALWAYS),
    _coded("4.112", "JPEG XL", Coding.JPEG_XL, Loss.MAYBE),
    _coded("5", "RLE lossless", Coding.RLE, Loss.NEVER),
    *(
        _coded(f"4.{suffix}{fragmentable}", f"{words} video", Coding.VIDEO, Loss.ALWAYS)
        for suffix, words in (
            (100, "MPEG-2 Main Profile"), (101, "MPEG-2 High Profile"), (102, "H.264 High Profile"),
            (103, "H.264 Blu-ray"), (104, "H.264 High Profile 4.2, 2D"), (105, "H.264 High Profile 4.2, 3D"),
            (106, "H.264 Stereo High Profile"), (107, "HEVC Main Profile"), (108, "HEVC Main 10 Profile"),
        )
        for fragmentable in ("", ".1")
    ),
)  # fmt: skip
TRANSFER_SYNTAXES: Final[dict[str, TransferSyntax]] = {each.uid: each for each in _EVERY}
