"""Build a Dermoscopic Photography Image.

Knows PS3.3 section C.8.12.13 and the Enhanced General Equipment module, whose elements must not be empty. Must not know
files, consents or the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from dicomwrap.elements import Elements
from dicomwrap.encoding import Part10, decimal
from dicomwrap.iod.modules import Circumstances
from dicomwrap.iod.vl_photographic import photographic
from dicomwrap.photograph import Photograph
from dicomwrap.uids import derived_uid

SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.77.1.7"
UNKNOWN: Final = "UNKNOWN"
IMMERSION_MEDIA: Final = ("ULTRASOUND_GEL", "ALCOHOL", "WATER", "MINERAL_OIL", "PLASTIC_CAP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dermoscopy:
    """How the lesion was looked at; None and "" mean that nobody said.

    Attributes:
        polarised: whether the light was polarised.
        contact: whether the dermatoscope touched the skin.
        immersion: terms of ImmersionMedia.
        magnification: optical magnification, times.
        colour_temperature: of the light, kelvin.
    """

    polarised: bool | None = None
    contact: bool | None = None
    immersion: tuple[str, ...] = ()
    magnification: float | None = None
    colour_temperature: float | None = None


def dermoscopic(photograph: Photograph, about: Circumstances, dermoscopy: Dermoscopy) -> Part10:
    """Return the object, without its consent stamp (PS3.3 section A.32.12 as added by Supplement 221).

    What the standard wants to be filled and the camera doesn't say is written as UNKNOWN.
    """
    built = photographic(photograph, about, SOP_CLASS_UID, "DMS", "Dermoscopy")
    elements = Elements(built.elements)
    for keyword in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
        elements[keyword] = elements.get(keyword) or UNKNOWN
    elements.update(_dermoscopic_image(dermoscopy))
    # YES until a person says NO: skin lines and prints identify too
    elements["RecognizableVisualFeatures"] = about.view.visual_features or "YES"
    # no module of the IOD, but validators ask for both
    elements["FrameOfReferenceUID"] = derived_uid("frame of reference", about.place.series_instance_uid)
    elements["PositionReferenceIndicator"] = ""
    return replace(built, elements=elements)


def _dermoscopic_image(dermoscopy: Dermoscopy) -> Elements:
    found = Elements(
        LightSourcePolarization=_said(dermoscopy.polarised, "POLARIZED", "NON_POLARIZED"),
        EmitterColorTemperature=_number(dermoscopy.colour_temperature),
        ContactMethod=_said(dermoscopy.contact, "CONTACT", "NON_CONTACT"),
        OpticalMagnificationFactor=_number(dermoscopy.magnification),
    )
    if dermoscopy.contact:
        found["ImmersionMedia"] = dermoscopy.immersion or ""
    return found


def _said(answer: bool | None, yes: str, no: str) -> str:
    return "" if answer is None else yes if answer else no


def _number(value: float | None) -> str:
    return "" if value is None else decimal(value)
