"""The options that say whose photographs these are, of what and why: shared by ``wrap`` and ``watch``.

Knows click and the fields of ``Details``. Must not know what the words mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import click

from dicomwrap.cli.details import FIELDS, Details

Command = TypeVar("Command", bound=Callable[..., object])

_TEXTS: Final = (
    ("patient-id", "The patient's number. Taken from the consent file when left out."),
    ("issuer", "Who issued that number."),
    ("patient-name", "The patient's name as Family^Given."),
    ("birth-date", "The patient's date of birth as YYYY-MM-DD."),
    ("sex", "M, F or O."),
    ("body-site", "A site of CID 4029 by code, meaning or plain word, such as 'hand'."),
    ("laterality", "R, L, U (unpaired) or B (both)."),
    ("recognisable", "yes or no: whether the picture shows who the patient is. Only a person can say no."),
    ("lesion", "The lesion that is followed over the years: the same word each time gives the same TrackingUID."),
    ("consent", "The consent, a JSON file."),
    ("consent-form", "The signed form, a PDF; it goes into the same study."),
    ("purpose", "Why the photographs were taken, such as DIRECT_CARE or TEACHING."),
    ("made-for", "care or secondary."),
    ("device-class", "Whose device: ORGANISATION, PERSONAL or PATIENT."),
    ("device-reason", "Why a personal device: URGENT_CARE, NO_ORGANISATION_DEVICE, COMMUNITY_VISIT or DEVICE_FAILURE."),
    ("operator", "Who took them, as Family^Given."),
    ("study-uid", "The study to wrap into; a new one when left out."),
    ("study-description", "What the visit was about."),
    ("accession", "The order's accession number."),
    ("admission-id", "The visit's or admission's number."),
    ("admission-issuer", "Who issued that number."),
    ("institution", "The hospital."),
    ("department", "Its department."),
    ("service", "Who asked for the pictures."),
    ("reason", "Why the patient was seen."),
    ("referrer", "The referring clinician, as Family^Given."),
    ("procedure-id", "The requested procedure, as the worklist has it."),
    ("procedure", "Its description."),
    ("step-id", "The scheduled procedure step."),
    ("step", "Its description."),
    ("manufacturer", "Who made the camera, where it doesn't say so itself."),
    ("model", "Which camera."),
    ("serial-number", "The camera's serial number."),
    ("software", "The camera's software version."),
    ("immersion", "ULTRASOUND_GEL, ALCOHOL, WATER, MINERAL_OIL or PLASTIC_CAP, several with commas."),
    ("magnification", "The dermatoscope's optical magnification, times."),
    ("colour-temperature", "The dermatoscope's light, kelvin."),
    ("exif-orientation", "Believe this in place of the camera's orientation tag: 1 (upright already) to 8."),
)  # fmt: skip
_FLAGS: Final = (
    ("dermoscopy", "--dermoscopy", "Dermoscopic Photography Image in place of VL Photographic Image."),
    ("polarised", "--polarised/--non-polarised", "The dermatoscope's light."),
    ("contact", "--contact/--non-contact", "Whether the dermatoscope touched the skin."),
)


def detail_options(command: Command) -> Command:
    """Give a command an option for each field of ``Details``."""
    orientation = click.option(
        "--orientation",
        default="",
        type=click.Choice(("", "lossless", "reencode", "keep")),
        metavar="lossless|reencode|keep",
        help="When a turn isn't possible without loss: refuse, compress again (the default, recorded), or don't turn.",
    )
    command = orientation(command)
    for name, switch, text in reversed(_FLAGS):
        command = click.option(switch, name, is_flag=True, default=None, help=text)(command)
    for name, text in reversed(_TEXTS):
        command = click.option(f"--{name}", default="", help=text)(command)
    return command


def details(options: dict[str, object]) -> Details:
    """Take the fields of ``Details`` out of a command's options."""
    said = {name: _word(options.pop(name)) for name in tuple(options) if name in FIELDS}
    return Details().overridden(said)


def _word(value: object) -> str:
    if value is None:
        return ""
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
