"""Build the signed consent form as an Encapsulated PDF.

Knows PS3.3 sections A.45.1 and C.24. Must not know files, or what the form says: it is kept as it was signed.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.elements import Elements, code
from dicomwrap.encoding import Part10
from dicomwrap.iod import modules
from dicomwrap.iod.modules import Circumstances, Moment
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN, Device

SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.104.1"


def consent_form(pdf: bytes, about: Circumstances) -> Part10:
    """Return the object; the photographs of the study point at it (PS3.3 section A.45.1)."""
    wrapping = about.wrapping
    made = Moment(local=wrapping.at.replace(tzinfo=None), offset=wrapping.at.utcoffset())
    elements = Elements(
        modules.sop_common(SOP_CLASS_UID, wrapping, made, "Wrapped the consent form; its bytes are kept")
    )
    elements.update(modules.patient(about.patient))
    elements.update(modules.study(about.visit))
    elements.update(modules.series("DOC", "Consent form", about.place, about.visit))
    elements.update(modules.equipment(Device(), about.visit.encounter))
    elements.update(
        ConversionType="SD",
        InstanceNumber=about.place.instance_number,
        ContentDate=modules.da(made.local),
        ContentTime=modules.tm(made.local),
        AcquisitionDateTime="",
        BurnedInAnnotation="YES",  # the patient's name is on it
        DocumentTitle="Consent form",
        ConceptNameCodeSequence=[code("59284-0", "LN", "Consent Document")],
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=pdf,
        EncapsulatedDocumentLength=len(pdf),
    )
    return Part10(
        meta=modules.meta(SOP_CLASS_UID, wrapping.sop_instance_uid, EXPLICIT_VR_LITTLE_ENDIAN), elements=elements
    )
