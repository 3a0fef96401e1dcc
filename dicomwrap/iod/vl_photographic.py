"""Build a VL Photographic Image.

Knows PS3.3 section A.32.4 and where EXIF facts belong (PS3.17 Annex NNNN). Must not know files, consents or the clock.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.elements import Elements, code
from dicomwrap.encoding import Part10
from dicomwrap.iod import modules
from dicomwrap.iod.modules import Circumstances
from dicomwrap.photograph import JPEG_BASELINE, Photograph
from dicomwrap.sharing import BEARS

SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.77.1.4"
_LONGEST_ST: Final = 1024
KEPT: Final = "Wrapped the camera's picture; its entropy-coded data are unchanged"
TURNED: Final = "Wrapped the camera's picture; its coefficients are unchanged"
DERIVED: Final = "Decoded the camera's picture and wrapped the result"


def vl_photographic(photograph: Photograph, about: Circumstances) -> Part10:
    """Return the object, without its consent stamp (PS3.3 section A.32.4)."""
    return photographic(photograph, about, SOP_CLASS_UID, "XC", "Photographs")


def photographic(
    photograph: Photograph, about: Circumstances, sop_class_uid: str, modality: str, series_of: str
) -> Part10:
    """Return an object with the modules that all still photographs share."""
    taken = modules.capture_moment(photograph.facts, about.wrapping.at)
    description = f"{series_of}: {about.view.site.meaning}"
    elements = Elements(modules.sop_common(sop_class_uid, about.wrapping, taken, _done(photograph)))
    elements.update(modules.patient(about.patient))
    elements.update(modules.study(about.visit))
    elements.update(modules.series(modality, description, about.place, about.visit))
    elements.update(modules.equipment(photograph.facts.device, about.visit.encounter))
    elements.update(modules.image(about, taken, photograph.facts))
    elements.update(photograph.facts.exposure)
    elements.update(_pixels(photograph))
    elements.update(_history(photograph))
    return Part10(
        meta=modules.meta(sop_class_uid, about.wrapping.sop_instance_uid, photograph.transfer_syntax),
        elements=elements,
        frame=photograph.frame,
        encapsulated=photograph.transfer_syntax == JPEG_BASELINE,
    )


def _done(photograph: Photograph) -> str:
    """Return what was done; with the mark of a sharing program, which is left out with the rest, but must be known."""
    done = DERIVED if photograph.derivation else KEPT if photograph.untouched else TURNED
    return f"{done}; {BEARS} ({photograph.through})" if photograph.through else done


def _pixels(photograph: Photograph) -> Elements:
    """Return the Image Pixel and ICC Profile modules (PS3.3 sections C.7.6.3 and C.11.15)."""
    found = Elements(
        SamplesPerPixel=photograph.samples,
        PhotometricInterpretation=photograph.photometric,
        Rows=photograph.rows,
        Columns=photograph.columns,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
    )
    if photograph.samples > 1:
        found["PlanarConfiguration"] = 0
    if photograph.profile is not None:
        found["ICCProfile"] = photograph.profile.icc
        found.known(ColorSpace=photograph.profile.color_space)
    return found


def _history(photograph: Photograph) -> Elements:
    """Return what was lost, and what was done to the pixels (PS3.3 section C.7.6.1.1.5)."""
    found = Elements(
        ImageType=("DERIVED" if photograph.derivation else "ORIGINAL", "PRIMARY"),
        LossyImageCompression="01" if photograph.lossy else "00",
    )
    if photograph.lossy:
        found["LossyImageCompressionRatio"] = tuple(f"{step.ratio:.6g}" for step in photograph.lossy)
    if photograph.lossy and all(step.method for step in photograph.lossy):
        found["LossyImageCompressionMethod"] = tuple(step.method for step in photograph.lossy)
    if photograph.derivation:
        found["DerivationDescription"] = ". ".join(photograph.derivation)[:_LONGEST_ST]
    if photograph.derivation and photograph.added_loss and photograph.transfer_syntax == JPEG_BASELINE:
        found["DerivationCodeSequence"] = [code("113040", "DCM", "Lossy Compression")]
    return found
