"""A photograph as it will stand in the object: its frame, its shape and what the camera said of the capture.

Knows no file and no DICOM object. Must never hold where a photograph was taken, who owns the camera, or free text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final, TypeAlias

JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
MOST_PIXELS: Final = 200_000_000
UNTOLD_COLOURS: Final = "the camera says that the colours aren't sRGB, and gives no profile; they may look dull"
UPRIGHT: Final = 1  # EXIF orientation of a picture that needs no turn

ExposureValue: TypeAlias = int | float | str | tuple[int, ...] | tuple[float, ...]


@unique
class Orienting(StrEnum):
    """What to do when the orientation tag asks for a turn that isn't possible without loss."""

    LOSSLESS = "lossless"
    REENCODE = "reencode"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How photographs are to be read.

    Attributes:
        most_pixels: a picture with more pixels is refused.
        orienting: what to do where a turn costs a second compression; KEEP never turns.
        orientation: EXIF orientation to believe in place of the camera's, 1 to 8; None believes the camera.
        prove: decode every picture to its end, to find picture data that ends early behind a whole frame.
    """

    most_pixels: int = MOST_PIXELS
    orienting: Orienting = Orienting.REENCODE
    orientation: int | None = None
    prove: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What took the photograph, as the camera names itself. Photographs of one device form one series."""

    manufacturer: str = ""
    model: str = ""
    software: str = ""
    serial_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFacts:
    """What the camera said of the capture.

    Attributes:
        taken_at: local time by the camera's clock, without a time zone.
        offset: the camera's distance from UTC, when it said so.
        device: what took it.
        exposure: how, by keyword of group 0016 (PS3.3 sections C.8.12.10 and C.8.12.11); only what is known.
        orientation: EXIF orientation, 1 to 8.
        other_colours: whether the camera said another colour space than sRGB; a profile then tells which.
        warnings: sentences for a person about what couldn't be read.
    """

    taken_at: datetime | None = None
    offset: timedelta | None = None
    device: Device = field(default_factory=Device)
    exposure: Mapping[str, ExposureValue] = field(default_factory=dict)
    orientation: int | None = None
    other_colours: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LossyStep:
    """One lossy compression that the picture went through, in order (PS3.3 section C.7.6.1.1.5).

    Attributes:
        ratio: uncompressed bytes divided by compressed bytes.
        method: defined term of LossyImageCompressionMethod, such as ``ISO_10918_1``; "" where there is none.
    """

    ratio: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourProfile:
    """An ICC profile fit for (0028,2000): class ``scnr``, nothing but numbers of the camera's.

    Attributes:
        icc: the profile.
        color_space: term of ColorSpace (0028,2002) where the colours are known: SRGB, ADOBERGB, ROMMRGB, DISPLAYP3.
    """

    icc: bytes
    color_space: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """One picture, upright unless ``warnings`` say otherwise, and clean of everything but the picture.

    Attributes:
        frame: the value of the frame in pieces: a JPEG stream, or samples pixel by pixel, row by row.
        transfer_syntax: ``JPEG_BASELINE`` or ``EXPLICIT_VR_LITTLE_ENDIAN``.
        rows: height in pixels.
        columns: width in pixels.
        samples: samples per pixel, 1 or 3; each has 8 bits.
        photometric: PhotometricInterpretation of the frame (PS3.3 section C.7.6.3.1.2).
        facts: what the camera said.
        sha256: digest of the file as it came, hexadecimal.
        lossy: every lossy compression, the camera's own first; empty when there was none.
        added_loss: whether one of them, or a loss of bits, is ours.
        untouched: whether the entropy-coded data, or the samples, are the file's own, bit for bit.
        derivation: what was done to the pixels, a sentence each; empty when they are the camera's (turned or not).
        profile: the colour profile.
        left_out: what the file holds besides this picture, a sentence; "" when that is nothing of a picture.
        through: the sharing or back-up program whose mark the file bears; "" when none is seen.
        page: which picture of the file, from 1.
        warnings: sentences for a person.
    """

    frame: tuple[bytes | memoryview, ...]
    transfer_syntax: str
    rows: int
    columns: int
    samples: int
    photometric: str
    facts: CaptureFacts
    sha256: str
    lossy: tuple[LossyStep, ...] = ()
    added_loss: bool = False
    untouched: bool = False
    derivation: tuple[str, ...] = ()
    profile: ColourProfile | None = None
    left_out: str = ""
    through: str = ""
    page: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def stream(self) -> bytes:
        """The frame in one piece."""
        return b"".join(self.frame)

    @property
    def length(self) -> int:
        """Bytes of the frame."""
        return sum(len(piece) for piece in self.frame)
