"""The words of PS3.15 Annex E: its action codes and its options, with their codes of PS3.16 CID 7050.

Knows words only. Must not know which attribute has which action, nor objects.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final

BASIC_PROFILE: Final = ("113100", "Basic Application Confidentiality Profile")


@unique
class Action(StrEnum):
    """Action codes of PS3.15 Table E.1-1a."""

    D = "D"
    Z = "Z"
    X = "X"
    K = "K"
    C = "C"
    U = "U"


@unique
class Option(StrEnum):
    """The options of the Basic Application Level Confidentiality Profile, as CID 7050 names them."""

    CLEAN_PIXEL_DATA = "Clean Pixel Data"
    CLEAN_VISUAL_FEATURES = "Clean Recognizable Visual Features"
    CLEAN_GRAPHICS = "Clean Graphics"
    CLEAN_STRUCTURED_CONTENT = "Clean Structured Content"
    CLEAN_DESCRIPTORS = "Clean Descriptors"
    RETAIN_FULL_DATES = "Retain Longitudinal Temporal Information Full Dates"
    RETAIN_MODIFIED_DATES = "Retain Longitudinal Temporal Information Modified Dates"
    RETAIN_PATIENT_CHARACTERISTICS = "Retain Patient Characteristics"
    RETAIN_DEVICE_IDENTITY = "Retain Device Identity"
    RETAIN_UIDS = "Retain UIDs"
    RETAIN_SAFE_PRIVATE = "Retain Safe Private"
    RETAIN_INSTITUTION_IDENTITY = "Retain Institution Identity"

    @property
    def method(self) -> tuple[str, str]:
        """Return the option's code value and meaning in CID 7050."""
        return str(FIRST_OPTION + list(Option).index(self)), f"{self.value} Option"


FIRST_OPTION: Final = 113101  # CID 7050 numbers the options in the order above
OF_THE_PICTURE: Final = frozenset({Option.CLEAN_PIXEL_DATA, Option.CLEAN_VISUAL_FEATURES})


@unique
class PixelDuty(StrEnum):
    """What must have happened to the picture: a named person confirmed it, or nothing is asked and nothing claimed."""

    CONFIRMED = "confirmed"
    NONE = "none"
