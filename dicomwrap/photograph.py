"""A photograph as it will stand in the object: its stream, its shape and what the camera said of the capture.

Knows no file and no DICOM object. Must never hold where a photograph was taken, who owns the camera, or free text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What took the photograph, as the camera names itself. Photographs of one device form one series."""

    manufacturer: str = ""
    model: str = ""
    software: str = ""
    serial_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How the photograph was exposed (PS3.3 sections C.8.12.10 and C.8.12.11).

    Attributes:
        exposure_time: seconds.
        f_number: focal length divided by aperture.
        sensitivity: ISO speed.
        focal_length: millimetres.
        focal_length_35mm: millimetres on 35 mm film.
        flash_fired: whether the flash fired.
        lens_make: who made the lens.
        lens_model: which lens.
    """

    exposure_time: float | None = None
    f_number: float | None = None
    sensitivity: int | None = None
    focal_length: float | None = None
    focal_length_35mm: int | None = None
    flash_fired: bool | None = None
    lens_make: str = ""
    lens_model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFacts:
    """What the camera said of the capture.

    Attributes:
        taken_at: local time by the camera's clock, without a time zone.
        offset: the camera's distance from UTC, when it said so.
        device: what took it.
        exposure: how.
        orientation: EXIF orientation, 1 to 8.
        warnings: sentences for a person about what couldn't be read.
    """

    taken_at: datetime | None = None
    offset: timedelta | None = None
    device: Device = field(default_factory=Device)
    exposure: Exposure = field(default_factory=Exposure)
    orientation: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """One photograph, cleaned and proven to decode.

    Attributes:
        stream: the JPEG stream without hidden metadata.
        rows: height in pixels, as encoded.
        columns: width in pixels, as encoded.
        samples: samples per pixel, 1 or 3.
        photometric: PhotometricInterpretation of the stream (PS3.3 section C.7.6.3.1.2).
        facts: what the camera said.
        sha256: digest of the file as it came, hexadecimal.
        warnings: sentences for a person.
    """

    stream: bytes
    rows: int
    columns: int
    samples: int
    photometric: str
    facts: CaptureFacts
    sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Uncompressed bytes divided by compressed bytes (PS3.3 section C.7.6.1.1.5)."""
        return self.rows * self.columns * self.samples / len(self.stream)
