"""What every file we write must hold, beyond what validators ask; checked on the written bytes.

Knows the elements that must be filled (type 1) or there (type 2) by PS3.3, those that we require of ourselves, and that
header and bitstream say the same. Must not know how an object was built. ``dicomwrap verify`` judges any object and
knows more; this is the quick check of our own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from dicomwrap.bitstream.clean import head_carriers
from dicomwrap.bitstream.markers import SOF0, ColourModel, parse_head
from dicomwrap.elements import DICTIONARY
from dicomwrap.encoding import Beginning, read_beginning
from dicomwrap.errors import ConformanceError, DicomwrapError
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE

_COMMON: Final = (
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "StudyDate", "StudyTime", "StudyID", "SeriesNumber", "InstanceNumber", "ContentDate", "ContentTime",
    # required of ourselves:
    "InstanceOriginStatus", "ContributingEquipmentSequence",
)  # fmt: skip
FILLED: Final = (
    *_COMMON,
    "ImageType", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "HighBit", "LossyImageCompression",
    # required of ourselves:
    "ImageLaterality", "AnatomicRegionSequence", "PrivateDataElementCharacteristicsSequence",
)  # fmt: skip
_COMMON_PRESENT: Final = (
    "AccessionNumber", "Manufacturer", "ReferringPhysicianName", "PatientName", "PatientID", "PatientBirthDate",
    "PatientSex",
)  # fmt: skip
PRESENT: Final = (*_COMMON_PRESENT, "PatientOrientation", "AcquisitionContextSequence", "PixelRepresentation")
_DERMOSCOPIC: Final = (
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "RecognizableVisualFeatures",
)  # fmt: skip
_PDF: Final = ("BurnedInAnnotation", "EncapsulatedDocument", "MIMETypeOfEncapsulatedDocument", "ConversionType")
_DERMOSCOPIC_PHOTOGRAPHY: Final = "1.2.840.10008.5.1.4.1.1.77.1.7"
_ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
# Where and whose: never written by the wrapper (PS3.3 section C.8.12.12).
_LOCATION: Final = range(0x00160070, 0x0016008F)
_NEVER: Final = {0x0016004D: "CameraOwnerName", 0x0016002B: "MakerNote", 0x00160003: "BatteryLevel"}
_STILL: Final = (EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE)
_UNCOMPRESSED: Final = (("MONOCHROME2", 1), ("RGB", 3))
_PHOTOMETRIC: Final = {ColourModel.GREY: "MONOCHROME2", ColourModel.YCBCR: "YBR_FULL_422"}


def shortcomings(data: bytes, total: int | None = None) -> tuple[str, ...]:
    """Name everything a file lacks, says wrongly or must not say; empty means that it may be published.

    Args:
        data: the file, or its beginning with the first segments of the frame.
        total: how many bytes the whole file has; all that is in ``data`` when left out.
    """
    try:
        beginning = read_beginning(data)
    except ValueError as error:
        return (f"can't be read back ({error})",)
    return tuple(_shortcomings(beginning, data, len(data) if total is None else total))


def check(data: bytes, total: int | None = None) -> None:
    """Hold a written file against ``shortcomings``.

    Raises:
        ConformanceError: it has some.
    """
    found = shortcomings(data, total)
    if found:
        raise ConformanceError(found)


def _shortcomings(beginning: Beginning, data: bytes, total: int) -> Iterator[str]:
    values = beginning.values
    sop_class = _text(values, "SOPClassUID")
    document = sop_class == _ENCAPSULATED_PDF
    filled = (*_COMMON, *_PDF) if document else FILLED
    if sop_class == _DERMOSCOPIC_PHOTOGRAPHY:
        filled = (*filled, *_DERMOSCOPIC)
    yield from (f"{keyword}: is missing or empty" for keyword in filled if not _is_filled(values, keyword))
    yield from (f"{keyword}: is missing" for keyword in _present(document) if DICTIONARY[keyword][0] not in values)
    yield from (f"({tag >> 16:04X},{tag & 0xFFFF:04X}): must never be written" for tag in values if tag in _LOCATION)
    yield from (f"{name}: must never be written" for tag, name in _NEVER.items() if tag in values)
    if not document:
        yield from _pixel_problems(beginning, data, total)


def _present(document: bool) -> tuple[str, ...]:
    return _COMMON_PRESENT if document else PRESENT


def _pixel_problems(beginning: Beginning, data: bytes, total: int) -> Iterator[str]:
    values = beginning.values
    at = beginning.pixels_at
    if at is None:
        yield "PixelData: is missing"
        return
    rows, columns, samples = (_number(values, name) for name in ("Rows", "Columns", "SamplesPerPixel"))
    photometric, syntax = _text(values, "PhotometricInterpretation"), _transfer_syntax(values)
    yield from _layout_problems(values, samples)
    yield from _history_problems(values)
    if syntax == EXPLICIT_VR_LITTLE_ENDIAN:
        length = rows * columns * samples
        if total - at != length + length % 2:
            yield "PixelData: has another length than the header says"
        if (photometric, samples) not in _UNCOMPRESSED:
            yield "PhotometricInterpretation: doesn't fit samples that aren't compressed"
    elif syntax == JPEG_BASELINE:
        yield from _stream_problems(data[at:], rows, columns, samples, photometric)


def _layout_problems(values: Mapping[int, bytes], samples: int) -> Iterator[str]:
    expected = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    if samples > 1:
        expected["PlanarConfiguration"] = 0
    if _text(values, "NumberOfFrames") not in ("", "1") and _transfer_syntax(values) in _STILL:
        yield "NumberOfFrames: must be 1"
    for keyword, value in expected.items():
        if len(values.get(DICTIONARY[keyword][0], b"")) != 2 or _number(values, keyword) != value:
            yield f"{keyword}: must be {value}"


def _history_problems(values: Mapping[int, bytes]) -> Iterator[str]:
    """Name what is missing of the history of a picture that was compressed with loss (PS3.3 section C.7.6.1.1.5)."""
    if _text(values, "LossyImageCompression") != "01":
        return
    if not _is_filled(values, "LossyImageCompressionRatio"):
        yield "LossyImageCompressionRatio: is missing or empty"
    told = _is_filled(values, "DerivationDescription")  # some methods have no defined term
    if not told and not _is_filled(values, "LossyImageCompressionMethod"):
        yield "LossyImageCompressionMethod: is missing or empty"


def _stream_problems(stream: bytes, rows: int, columns: int, samples: int, photometric: str) -> Iterator[str]:
    try:
        head = parse_head(stream)
    except DicomwrapError as error:
        yield f"PixelData: {error.reason}"
        return
    frame = head.frame
    said, true = (rows, columns, samples), (frame.rows, frame.columns, len(frame.components))
    if said != true:
        yield f"Rows, Columns, SamplesPerPixel: say {said}, the stream says {true}"
    if frame.marker != SOF0 or frame.precision != 8:
        yield "TransferSyntaxUID: says JPEG Baseline, the stream is another"
    if photometric != _PHOTOMETRIC.get(head.colour):
        yield f"PhotometricInterpretation: doesn't fit the stream, whose components are {head.colour}"
    yield from (f"PixelData: hidden metadata in the stream ({name})" for name in head_carriers(head))


def _transfer_syntax(values: Mapping[int, bytes]) -> str:
    return values.get(0x00020010, b"").rstrip(b"\0").decode("ascii", "replace")


def _is_filled(values: Mapping[int, bytes], keyword: str) -> bool:
    tag, vr = DICTIONARY[keyword]
    value = values.get(tag, b"")
    return bool(value if vr == "US" else value.strip(b" \0"))


def _text(values: Mapping[int, bytes], keyword: str) -> str:
    return values.get(DICTIONARY[keyword][0], b"").strip(b" \0").decode("utf-8", "replace")


def _number(values: Mapping[int, bytes], keyword: str) -> int:
    value = values.get(DICTIONARY[keyword][0], b"")
    return int(struct.unpack("<H", value)[0]) if len(value) == 2 else 0
