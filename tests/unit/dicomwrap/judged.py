"""Objects to be judged: sound ones made by hand, and the means to break them."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageCms
from pydicom import dcmread
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from dicomwrap import iodtables
from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.markers import parse
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import stamp
from dicomwrap.icc import colour_profile
from dicomwrap.verify import Finding, Severity, verify
from tests.unit.dicomwrap import photos

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
EXPLICIT = "1.2.840.10008.1.2.1"
ROOT = "1.2.840.10008.1.2"
PLACEHOLDER = f"{ROOT}.4.201"  # as long as those that it stands for
Break = Callable[[Dataset], None]


def srgb() -> bytes:
    """Return an sRGB profile as LittleCMS makes it: of the display class, with texts."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a coded entry."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def sound(frame: bytes | None = None, *, sop_class: str = iodtables.PHOTOGRAPHIC, stamped: bool = True) -> Dataset:
    """Return a photograph's object with nothing to complain of."""
    dataset = _header(sop_class)
    with_frame(dataset, cleaned(photos.jpeg()) if frame is None else frame)
    if sop_class == iodtables.DERMOSCOPIC:
        _dermoscopic(dataset)
    if stamped:
        stamp(dataset, ConsentStamp(permitted=("TREAT", "TRAIN"), status="active", record_id="urn:uuid:1"))
    return dataset


def with_frame(dataset: Dataset, frame: bytes, syntax: str = JPEG_BASELINE) -> None:
    """Put a JPEG in, and say of it what is true."""
    shape = parse(frame).frame
    samples = len(shape.components)
    describe(dataset, shape.rows, shape.columns, "YBR_FULL_422" if samples == 3 else "MONOCHROME2", shape.precision)
    encapsulated(dataset, [frame], syntax)
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "10.5"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    profile = colour_profile(srgb(), samples=samples)
    if profile is not None:
        dataset.ICCProfile = profile.icc


def describe(dataset: Dataset, rows: int, columns: int, photometric: str, bits: int = 8) -> None:
    """Write the Image Pixel module."""
    dataset.Rows, dataset.Columns, dataset.PhotometricInterpretation = rows, columns, photometric
    dataset.SamplesPerPixel = 1 if photometric.startswith("MONO") else 3
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (8 if bits <= 8 else 16), bits, bits - 1
    dataset.PixelRepresentation = 0
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0


def encapsulated(dataset: Dataset, frames: list[bytes], syntax: str) -> None:
    """Put frames in, a fragment each."""
    dataset.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in frames])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)


def uncompressed(image: Image.Image, photometric: str = "RGB") -> Dataset:
    """Return an object whose pixels are not compressed."""
    dataset = sound()
    describe(dataset, image.height, image.width, photometric)
    pixels = image.tobytes()
    del dataset["PixelData"]
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    return without_loss(dataset)


def without_loss(dataset: Dataset) -> Dataset:
    """Say that the picture was never compressed with loss."""
    dataset.LossyImageCompression = "00"
    del dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod
    return dataset


def jpeg_2000(image: Image.Image | None = None) -> bytes:
    """Return a lossless JPEG 2000 codestream as Pillow writes it."""
    buffer = io.BytesIO()
    (image or photos.picture()).save(buffer, "JPEG2000", no_jp2=True, irreversible=False, mct=1)
    return buffer.getvalue()


def encoded(dataset: Dataset) -> bytes:
    """Return an object as a file's bytes."""
    buffer, syntax = io.BytesIO(), dataset.file_meta.TransferSyntaxUID
    unknown = syntax not in UID_dictionary  # to pydicom, which writes none that it doesn't know
    dataset.file_meta.TransferSyntaxUID = UID(PLACEHOLDER) if unknown else syntax
    dataset.save_as(buffer, enforce_file_format=True)
    dataset.file_meta.TransferSyntaxUID = syntax
    return buffer.getvalue().replace(PLACEHOLDER.encode(), syntax.encode()) if unknown else buffer.getvalue()


def reread(dataset: Dataset) -> Dataset:
    """Return an object as somebody else reads it."""
    return dcmread(io.BytesIO(encoded(dataset)))


def found(dataset: Dataset, key: bytes | None = None) -> tuple[Finding, ...]:
    """Return what is found out about an object."""
    return verify(encoded(dataset), key=key)


def faults(dataset: Dataset) -> set[str]:
    """Return the codes of the errors and warnings, but for that which every object made here has."""
    codes = {finding.code for finding in found(dataset) if finding.severity is not Severity.NOTE}
    return codes - {"CONSENT_STAMP_UNPROVEN"}


def _header(sop_class: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("2.25.3")
    dataset.file_meta.TransferSyntaxUID = UID(JPEG_BASELINE)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(sop_class), "2.25.3"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.1", "2.25.2"
    dataset.Modality = "DMS" if sop_class == iodtables.DERMOSCOPIC else "XC"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    _names(dataset)
    _times(dataset)
    dataset.ImageLaterality, dataset.PatientOrientation = "L", ""
    dataset.AnatomicRegionSequence = [code("33712006", "SCT", "Skin of hand")]
    dataset.AcquisitionContextSequence = []
    return dataset


def _names(dataset: Dataset) -> None:
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = "Doe^Jane", "P1", "F"
    dataset.PatientBirthDate, dataset.StudyID, dataset.AccessionNumber = "19800615", "1", ""
    dataset.ReferringPhysicianName, dataset.Manufacturer, dataset.OperatorsName = "", "Acme", "Roe^Rick"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    equipment = Dataset()
    equipment.Manufacturer = "Consentgate"
    equipment.PurposeOfReferenceCodeSequence = [code("109103", "DCM", "Modifying Equipment")]
    dataset.ContributingEquipmentSequence = [equipment]


def _times(dataset: Dataset) -> None:
    dataset.StudyDate = dataset.ContentDate = "20250301"
    dataset.StudyTime = dataset.ContentTime = "101530"
    dataset.AcquisitionDateTime = "20250301101530.25+0100"


def _dermoscopic(dataset: Dataset) -> None:
    dataset.ManufacturerModelName, dataset.DeviceSerialNumber, dataset.SoftwareVersions = "M", "1", "1"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.LightSourcePolarization, dataset.EmitterColorTemperature = "POLARIZED", ""
    dataset.ContactMethod, dataset.ImmersionMedia = "CONTACT", "WATER"
    dataset.OpticalMagnificationFactor = "10"
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = "2.25.4", ""
