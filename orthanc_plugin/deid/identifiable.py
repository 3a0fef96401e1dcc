"""The identifiable form in which a picture leaves: the original, or the copy that its release demands.

Knows which copies there are. Must not decide, nor know who agreed on what is hidden. Others are hidden first: what is
said of the purpose is then said of the picture that leaves.
"""

from __future__ import annotations

import hashlib

from dicomwrap.consentcopy import stamped_copy
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.errors import DicomwrapError
from orthanc_plugin.deid.apply import Derived
from orthanc_plugin.deid.hidden import Hidden
from orthanc_plugin.deid.hiding import without_others
from orthanc_plugin.deid.pixeldigest import pixels_of
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.policy.reviewing import Review


def identifiable(original: bytes, sop_instance_uid: str, others: Review | None, tag: ConsentStamp | None) -> Derived:
    """Return the picture as it leaves.

    Args:
        original: the stored bytes.
        sop_instance_uid: of the original.
        others: what is hidden of other people; None for nothing.
        tag: what the copy says it was released for, to whom and under which consent; None where it needn't say so.

    Raises:
        ReleaseRefusedError: a copy can't be made, or isn't of the picture that was looked at.
    """
    made = Derived(content=original, sop_instance_uid=sop_instance_uid)
    if others is not None:
        require_looked_at(original, others)
        made = without_others(original, Hidden(others.regions).blanked())
    return made if tag is None else _tagged(made.content, tag)


def require_looked_at(original: bytes, found: Review) -> None:
    """Refuse an object that isn't the one that was looked at, or has other pixels.

    Raises:
        ReleaseRefusedError: it isn't, or has.
    """
    if found.sha256 != hashlib.sha256(original).hexdigest():
        raise ReleaseRefusedError("The object is not the one that was looked at.")
    if found.pixels and found.pixels != pixels_of(original):
        raise ReleaseRefusedError("The pixels are not those that were looked at.")


def _tagged(original: bytes, tag: ConsentStamp) -> Derived:
    """Return the copy that says what it was released for; its pixels are the same."""
    try:
        made = stamped_copy(original, tag)
    except (DicomwrapError, ValueError) as error:
        raise ReleaseRefusedError(f"The copy can't be marked with its purpose ({type(error).__name__}).") from error
    return Derived(content=made.content, sop_instance_uid=made.sop_instance_uid)
