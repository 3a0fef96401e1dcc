"""Make the consent stamp of a call out of consent, purpose and device, and say what is doubtful about it.

Knows the words of the options. Must not know files or objects.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from dicomwrap.cli.details import Details
from dicomwrap.consentstamp import (
    DEVICE_CLASSES,
    DEVICE_REASONS,
    NORMAL,
    PERSONAL,
    RESTRICTED,
    ConsentStamp,
    permitted_purposes,
    stamp_of,
    stamp_without_consent,
)
from dicomwrap.errors import PatientDetailsError
from dicomwrap.iod.modules import View
from dicomwrap.terms import (
    PURPOSE_CODES,
    SECONDARY_CODES,
    SECONDARY_PURPOSES,
    SECONDARY_USE,
    ConsentState,
    Purpose,
)

if TYPE_CHECKING:
    from dicomwrap.consentrecord import ConsentRecord

CARE: Final = "care"
SECONDARY: Final = "secondary"


def stamp_for(record: ConsentRecord | None, details: Details, view: View) -> ConsentStamp:
    """Return what the objects say of their consent.

    Raises:
        PatientDetailsError: an unknown word, or words that contradict each other.
    """
    capture, purpose = _purpose(details)
    level = RESTRICTED if view.site.intimate else NORMAL
    if record is None:
        stamp = stamp_without_consent(purpose, confidentiality=level)
    else:
        stamp = stamp_of(record, purpose, confidentiality=level)
    device_class, device_reason = _device(details)
    return replace(stamp, capture_purpose=capture, device_class=device_class, device_reason=device_reason)


def stamp_warnings(record: ConsentRecord | None, consent: ConsentStamp, view: View, now: datetime) -> tuple[str, ...]:
    """Say what a person should know about the consent before the pictures go anywhere."""
    reason = next((purpose for purpose, code in PURPOSE_CODES.items() if code == consent.capture_purpose), None)
    warnings = list(_consent_warnings(record, reason, now))
    if consent.capture_purpose in SECONDARY_CODES and (record is None or reason not in permitted_purposes(record)):
        warnings.append("a picture made for another purpose than care needs explicit consent to that purpose")
    if consent.device_class == PERSONAL and view.site.intimate:
        warnings.append("an intimate picture must not be taken with a personal device")
    return tuple(warnings)


def _consent_warnings(record: ConsentRecord | None, purpose: Purpose | None, now: datetime) -> tuple[str, ...]:
    if record is None:
        return ("no consent was given; the object says so",)
    if record.state is not ConsentState.GIVEN:
        return (f"the consent's state is {record.state}; the object says so",)
    found = []
    if purpose is not None and purpose not in permitted_purposes(record):
        found.append(f"the consent doesn't permit {purpose}, the purpose of capture")
    if all(scope.valid_to is not None and scope.valid_to < now.date() for scope in record.scopes):
        found.append("the consent has expired")
    if all(scope.valid_from > now.date() for scope in record.scopes):
        found.append("the consent isn't in force yet")
    return tuple(found)


def _purpose(details: Details) -> tuple[str, Purpose]:
    """Return the code of why the picture was made, and the purpose; ``--made-for`` and ``--purpose`` must agree."""
    made_for = details.made_for.strip().lower()
    if made_for not in ("", CARE, SECONDARY):
        raise PatientDetailsError((f"--made-for: must be {CARE} or {SECONDARY}",))
    word = details.purpose.strip().upper()
    try:
        purpose = Purpose(word or Purpose.DIRECT_CARE)
    except ValueError:
        raise PatientDetailsError((f"--purpose: unknown; allowed are {', '.join(Purpose)}",)) from None
    if made_for == SECONDARY and not word:
        return SECONDARY_USE, purpose
    if made_for and (made_for == SECONDARY) != (purpose in SECONDARY_PURPOSES):
        raise PatientDetailsError((f"--made-for: {made_for} doesn't go with --purpose {purpose}",))
    return PURPOSE_CODES[purpose], purpose


def _device(details: Details) -> tuple[str, str]:
    """Return the device's class and, for a personal one, the reason (GMC, use of personal devices)."""
    device_class = details.device_class.strip().upper()
    reason = details.device_reason.strip().upper()
    if device_class not in ("", *DEVICE_CLASSES):
        raise PatientDetailsError((f"--device-class: must be one of {', '.join(DEVICE_CLASSES)}",))
    if reason not in ("", *DEVICE_REASONS):
        raise PatientDetailsError((f"--device-reason: must be one of {', '.join(DEVICE_REASONS)}",))
    if device_class == PERSONAL and not reason:
        raise PatientDetailsError((f"--device-reason: a personal device needs one of {', '.join(DEVICE_REASONS)}",))
    if reason and device_class != PERSONAL:
        raise PatientDetailsError(("--device-reason: goes with --device-class PERSONAL only",))
    return device_class, reason
