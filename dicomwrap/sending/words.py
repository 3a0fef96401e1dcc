"""What the numbers of other systems mean, in words.

Knows C-STORE and C-FIND statuses (PS3.4 sections B.2.3 and C.4.1.1.4, PS3.7 Annex C), failure reasons (PS3.3 section
C.14.1.1) and HTTP's for STOW-RS (PS3.18 section 10.5.3). Must not know who said them.
"""

from __future__ import annotations

from typing import Final

SUCCESS: Final = 0x0000
_GENERAL: Final = {
    0x0105: "no such attribute", 0x0106: "an attribute's value is invalid", 0x0107: "some attributes are unknown",
    0x0110: "processing failure", 0x0111: "duplicate SOP instance", 0x0112: "no such object instance",
    0x0113: "no such event type", 0x0114: "no such argument", 0x0115: "an argument's value is invalid",
    0x0117: "invalid object instance", 0x0118: "no such SOP class", 0x0119: "class and instance conflict",
    0x0120: "an attribute is missing", 0x0121: "an attribute's value is missing",
    0x0122: "SOP class not supported", 0x0123: "no such action type", 0x0124: "not authorised",
    0x0131: "duplicate transaction UID", 0x0210: "duplicate invocation", 0x0211: "unrecognised operation",
    0x0212: "mistyped argument", 0x0213: "resource limitation",
}  # fmt: skip
_STORE_WARNINGS: Final = {
    0xB000: "stored, but data elements were coerced",
    0xB006: "stored, but elements were discarded",
    0xB007: "stored, but the object doesn't match its SOP class",
}
_FAMILIES: Final = {
    0xA7: "out of resources",
    0xA8: "the object isn't what the archive takes",
    0xA9: "the object doesn't match its SOP class",
    0xFE: "cancelled",
}
_COERCION: Final = 0x0001
_HTTP: Final = {
    400: "the archive doesn't understand the request",
    401: "the archive doesn't know the user, or the password or token is wrong",
    403: "the archive doesn't let this user store here",
    404: "there is no STOW-RS service at this address",
    405: "there is no STOW-RS service at this address",
    406: "the archive can't answer in DICOM JSON",
    409: "the archive took none of it",
    411: "the archive wants the length beforehand",
    413: "the object is larger than the archive takes",
    415: "the archive doesn't take this kind of object",
    429: "the archive is asked too often",
    500: "the archive failed inside",
    502: "the gateway can't reach the archive",
    503: "the archive is busy or out of resources",
    504: "the archive didn't answer its gateway in time",
    507: "the archive's storage is full",
}
_REJECTED: Final = {
    (1, 1): "it gives no reason",
    (1, 2): "it doesn't speak DICOM's application context",
    (1, 3): "it doesn't know our AE title",
    (1, 7): "the AE title that we call is not its own",
    (2, 1): "it gives no reason",
    (2, 2): "it speaks another version of the protocol",
    (3, 1): "it is congested for now",
    (3, 2): "it has too many associations for now",
}


def is_warning(status: int) -> bool:
    """Tell whether a C-STORE status is a warning, so that the object was stored (PS3.7 section C.4)."""
    return status >> 12 == 0xB or status in (_COERCION, 0x0107, 0x0116)


def is_not_whole(status: int | None) -> bool:
    """Tell whether a C-STORE status says that the archive holds something else than was sent (PS3.4 table B.2-1).

    Elements discarded (B006), or a data set that doesn't match its SOP class (B007).
    """
    return status in (0xB006, 0xB007)


def status_words(status: int) -> str:
    """Say what a DIMSE status means, with its number."""
    if status == SUCCESS:
        return "stored"
    if is_warning(status):
        meaning = _STORE_WARNINGS.get(status, "stored with a warning")
    elif status >> 12 == 0xC:
        meaning = "the archive can't understand the object"
    else:
        meaning = _GENERAL.get(status) or _FAMILIES.get(status >> 8, "a failure of its own kind")
    return f"{meaning} ({status:04X}H)"


def failure_words(reason: int | None) -> str:
    """Say what a FailureReason (0008,1197) means, with its number."""
    if reason is None:
        return "the archive gives no reason"
    return status_words(reason)


def http_words(status: int) -> str:
    """Say what an HTTP status means, with its number."""
    if 300 <= status < 400:
        return f"the address redirects to another; give the final one (HTTP {status})"
    return f"{_HTTP.get(status, 'an answer that STOW-RS does not know')} (HTTP {status})"


def rejection_words(source: int | None, reason: int | None) -> str:
    """Say why an association was rejected (PS3.8 section 9.3.4)."""
    return _REJECTED.get((source or 0, reason or 0), "it gives no reason that DICOM knows")
