"""Build a Video Photographic Image.

Knows PS3.3 sections A.32.7, C.7.6.5 and C.7.6.6, and what PS3.5 section 8.2.7 asks of the header of an H.264 film. Must
not know files, consents or the clock.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.elements import DICTIONARY, Elements
from dicomwrap.encoding import Part10, decimal
from dicomwrap.iod import modules
from dicomwrap.iod.modules import Circumstances
from dicomwrap.source.film import Film

SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
KEPT: Final = "Wrapped the camera's film in a new container; its slices and parameter sets are unchanged"


def video_photographic(film: Film, about: Circumstances) -> Part10:
    """Return the object, without its consent stamp (PS3.3 section A.32.7)."""
    taken = modules.capture_moment(film.facts, about.wrapping.at)
    description = f"Films: {about.view.site.meaning}"
    elements = Elements(modules.sop_common(SOP_CLASS_UID, about.wrapping, taken, KEPT))
    elements.update(modules.patient(about.patient))
    elements.update(modules.study(about.visit))
    elements.update(modules.series("XC", description, about.place, about.visit))
    elements.update(modules.equipment(film.facts.device, about.visit.encounter))
    elements.update(modules.image(about, taken, film.facts))
    elements.update(_time(film))
    elements.update(_pixels(film))
    return Part10(
        meta=modules.meta(SOP_CLASS_UID, about.wrapping.sop_instance_uid, film.transfer_syntax),
        elements=elements,
        frame=(film.stream,),
    )


def _time(film: Film) -> Elements:
    """Return the Cine and Multi-frame modules (PS3.3 sections C.7.6.5 and C.7.6.6)."""
    return Elements(
        FrameTime=decimal(film.frame_time_ms),
        CineRate=film.cine_rate,
        RecommendedDisplayFrameRate=film.cine_rate,
        EffectiveDuration=decimal(round(film.duration, 6)),
        NumberOfFrames=film.frames,
        FrameIncrementPointer=DICTIONARY["FrameTime"][0],
    )


def _pixels(film: Film) -> Elements:
    """Return the Image Pixel module, and what was lost (PS3.5 section 8.2.7, PS3.3 section C.7.6.1.1.5)."""
    return Elements(
        ImageType=("ORIGINAL", "PRIMARY"),
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_PARTIAL_420",
        PlanarConfiguration=0,
        Rows=film.rows,
        Columns=film.columns,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        LossyImageCompression="01",
        LossyImageCompressionRatio=tuple(f"{step.ratio:.6g}" for step in film.lossy),
        LossyImageCompressionMethod=tuple(step.method for step in film.lossy),
    )
