"""Grey pictures of any transfer syntax, and their copies."""

from __future__ import annotations

from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from tests.fakes.pictures import encoded, photograph

PROFILE = Profile(name="p", pseudonym_domain="p")
PSEUDONYMS = Pseudonyms(key=bytes(range(32)), domain="p")
COLUMNS, ROWS = 32, 16
SAMPLES = bytes((number * 7) % 251 for number in range(COLUMNS * ROWS))


def grey(syntax: str, pixels: bytes, *, fragments: bool = True, **elements: object) -> Dataset:
    """Return a grey picture of a transfer syntax."""
    values = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "LossyImageCompression": "00",
        "LossyImageCompressionRatio": None,
        "LossyImageCompressionMethod": None,
        "PlanarConfiguration": None,
        **elements,
    }
    made = photograph(**values)
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([pixels]) if fragments else pixels
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = fragments
    return made


def copied(original: Dataset) -> Dataset:
    """Return the copy of a picture that somebody has looked at."""
    return dcmread(BytesIO(deidentify(encoded(original), PROFILE, PSEUDONYMS, confirmed=True).content))
