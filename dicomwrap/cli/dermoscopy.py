"""What was said about a dermoscopy: words, checked and turned into what the object needs.

Knows the fields that only dermoscopies have. Must not know anything else of a photograph.
"""

from __future__ import annotations

from dicomwrap.cli.details import Details
from dicomwrap.cli.orders import YES_NO, Faults
from dicomwrap.iod.dermoscopic import IMMERSION_MEDIA, Dermoscopy


def dermoscopy(faults: Faults, details: Details) -> Dermoscopy | None:
    """Return how the lesion was looked at; None for an ordinary photograph. What is wrong is told to ``faults``."""
    wanted = faults.choice("dermoscopy", details.dermoscopy, YES_NO, None)
    media = tuple(medium.strip().upper().replace("-", "_") for medium in details.immersion.split(",") if medium.strip())
    contact = faults.choice("contact", details.contact, YES_NO, None)
    found = Dermoscopy(
        polarised=faults.choice("polarised", details.polarised, YES_NO, None),
        contact=True if media and contact is None else contact,
        immersion=media,
        magnification=faults.number("magnification", details.magnification),
        colour_temperature=faults.number("colour_temperature", details.colour_temperature),
    )
    if not set(media) <= set(IMMERSION_MEDIA):
        faults.text("immersion", f"must be of {', '.join(IMMERSION_MEDIA)}")
    if media and contact is False:
        faults.text("immersion", "goes with contact only")
    if not wanted and found != Dermoscopy():
        faults.text("dermoscopy", "is needed with what you say of light, contact, immersion or magnification")
    return found if wanted else None
