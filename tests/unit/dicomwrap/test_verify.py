"""What ``dicomwrap verify`` finds out about single elements."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

import dicomwrap.judging
from dicomwrap import iodtables
from dicomwrap.verify import FINDINGS, Severity, verify, verify_file
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import Break, code, encoded, found, sound, srgb

SECRET = "Prying Eyes"


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def put(**values: object) -> Break:
    return lambda dataset: [setattr(dataset, keyword, value) for keyword, value in values.items()] and None


def drop(*keywords: str) -> Break:
    return lambda dataset: [delattr(dataset, keyword) for keyword in keywords] and None


def in_item(sequence: str, change: Break) -> Break:
    return lambda dataset: change(dataset[sequence].value[0])


def private(group: int, creator: str, value: str = "x") -> Break:
    return lambda dataset: dataset.private_block(group, creator, create=True).add_new(1, "LO", value)


def nested(change: Break) -> Break:
    def breaking(dataset: Dataset) -> None:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = iodtables.PHOTOGRAPHIC, "2.25.9"
        change(item)
        dataset.SourceImageSequence = [item]

    return breaking


def undeclared(dataset: Dataset) -> None:
    del dataset.PrivateDataElementCharacteristicsSequence


def unstamped(dataset: Dataset) -> None:
    undeclared(dataset)
    for element in list(dataset.group_dataset(0x0077)):
        del dataset[element.tag]


def ours_unstamped(dataset: Dataset) -> None:
    unstamped(dataset)
    dataset.ContributingEquipmentSequence[0].ManufacturerModelName = "dicomwrap"


def distribution(**values: str) -> Break:
    def breaking(dataset: Dataset) -> None:
        item = Dataset()
        put(**values)(item)
        dataset.ConsentForClinicalTrialUseSequence = [item]

    return breaking


def profile(at: int, replacement: bytes) -> Break:
    return lambda dataset: setattr(dataset, "ICCProfile", photos.patched(dataset.ICCProfile, at, replacement))


@pytest.mark.parametrize("sop_class", [iodtables.PHOTOGRAPHIC, iodtables.DERMOSCOPIC])
def test_a_sound_object_has_nothing_wrong_but_that_its_stamp_isnt_sealed(sop_class: str) -> None:
    findings = found(sound(sop_class=sop_class))
    assert [(finding.code, finding.severity) for finding in findings] == [("CONSENT_STAMP_UNPROVEN", Severity.WARNING)]


BROKEN: dict[str, tuple[Break, str, Severity]] = {
    "type 1 missing": (drop("ImageType"), "TYPE_1_MISSING", Severity.ERROR),
    "type 1 empty": (put(Modality=""), "TYPE_1_EMPTY", Severity.ERROR),
    "type 1 blank": (put(Modality=" "), "TYPE_1_EMPTY", Severity.ERROR),
    "type 2 missing": (drop("PatientBirthDate"), "TYPE_2_MISSING", Severity.ERROR),
    "no side": (drop("ImageLaterality"), "TYPE_2_MISSING", Severity.ERROR),
    "no patient orientation": (drop("PatientOrientation"), "TYPE_2_MISSING", Severity.ERROR),
    "no planar configuration": (drop("PlanarConfiguration"), "TYPE_1_MISSING", Severity.ERROR),
    "no pixels": (drop("PixelData"), "TYPE_1_MISSING", Severity.ERROR),
    "tracking id alone": (put(TrackingID="mole 1"), "TYPE_1_MISSING", Severity.ERROR),
    "tracking uid alone": (put(TrackingUID="2.25.7"), "TYPE_1_MISSING", Severity.ERROR),
    "identity removed by nobody": (put(PatientIdentityRemoved="YES"), "TYPE_1_MISSING", Severity.ERROR),
    "no equipment's maker": (
        in_item("ContributingEquipmentSequence", drop("Manufacturer")), "TYPE_1_MISSING", Severity.ERROR,
    ),
    "no equipment's purpose": (
        in_item("ContributingEquipmentSequence", put(PurposeOfReferenceCodeSequence=[])), "TYPE_1_EMPTY",
        Severity.ERROR,
    ),
    "a code without meaning": (
        in_item("AnatomicRegionSequence", drop("CodeMeaning")), "TYPE_1_MISSING", Severity.ERROR,
    ),
    "a code without scheme": (
        in_item("AnatomicRegionSequence", drop("CodingSchemeDesignator")), "TYPE_1_MISSING", Severity.ERROR,
    ),
    "distribution of no type": (distribution(ConsentForDistributionFlag="YES"), "TYPE_1_MISSING", Severity.ERROR),
    "distribution without flag": (distribution(DistributionType="PUBLIC_RELEASE"), "TYPE_1_MISSING", Severity.ERROR),
    "no patient": (put(PatientID=""), "UNIDENTIFIED", Severity.WARNING),
    "no time": (put(AcquisitionDateTime="", ContentDate=""), "CAPTURE_TIME", Severity.WARNING),
    "no site": (drop("AnatomicRegionSequence"), "ANATOMIC_REGION", Severity.WARNING),
    "site of no skin": (
        put(AnatomicRegionSequence=[code("80891009", "SCT", "Heart")]), "ANATOMIC_REGION", Severity.WARNING,
    ),
    "site of another scheme": (
        put(AnatomicRegionSequence=[code("33712006", "99X", "Skin of hand")]), "ANATOMIC_REGION", Severity.WARNING,
    ),
    "modality": (put(Modality="CT"), "ENUMERATED_VALUE", Severity.ERROR),
    "sex": (put(PatientSex="X"), "ENUMERATED_VALUE", Severity.ERROR),
    "side": (put(ImageLaterality="M"), "ENUMERATED_VALUE", Severity.ERROR),
    "image type": (put(ImageType=["ORIGINAL", "TERTIARY"]), "ENUMERATED_VALUE", Severity.ERROR),
    "recognisable": (put(RecognizableVisualFeatures="PERHAPS"), "ENUMERATED_VALUE", Severity.ERROR),
    "distribution flag": (distribution(ConsentForDistributionFlag="MAYBE"), "ENUMERATED_VALUE", Severity.ERROR),
    "uid": (put(StudyInstanceUID="1.02.3"), "UID_FORM", Severity.ERROR),
    "long uid": (put(StudyInstanceUID="1." + "2" * 64), "UID_FORM", Severity.ERROR),
    "bad date": (put(StudyDate="20251399"), "VALUE_REPRESENTATION", Severity.WARNING),
    "orientation": (put(PatientOrientation=["UP", "DOWN"]), "ORIENTATION", Severity.WARNING),
    "derived from nothing": (put(ImageType=["DERIVED", "PRIMARY"]), "IMAGE_TYPE", Severity.WARNING),
    "loss denied": (put(LossyImageCompression="00"), "LOSSY_HISTORY", Severity.ERROR),
    "no ratio": (drop("LossyImageCompressionRatio"), "LOSSY_HISTORY", Severity.WARNING),
    "ratio of nothing": (put(LossyImageCompressionRatio="0"), "LOSSY_HISTORY", Severity.ERROR),
    "two methods, one ratio": (
        put(LossyImageCompressionMethod=["ISO_10918_1", "ISO_10918_1"]), "LOSSY_HISTORY", Severity.ERROR,
    ),
    "frames": (put(NumberOfFrames=2), "SINGLE_FRAME", Severity.ERROR),
    "not a photograph": (put(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), "NOT_A_PHOTOGRAPH", Severity.ERROR),
    "place": (put(GPSLatitude=[51, 30, 2]), "GPS_ATTRIBUTE", Severity.ERROR),
    "place in an item": (nested(put(GPSMapDatum="WGS-84")), "GPS_ATTRIBUTE", Severity.ERROR),
    "owner": (put(CameraOwnerName=SECRET), "OWNER_ATTRIBUTE", Severity.ERROR),
    "maker's note": (put(MakerNote=b"Nikon\0\2\0"), "HIDDEN_METADATA", Severity.ERROR),
    "exif in an element": (nested(put(EncapsulatedDocument=b"", MakerNote=b"Exif\0\0II")), "HIDDEN_METADATA",
                           Severity.ERROR),
    "xmp in a text": (nested(put(DerivationDescription="<?xpacket begin")), "HIDDEN_METADATA", Severity.ERROR),
    "thumbnail": (put(IconImageSequence=[Dataset()]), "THUMBNAIL", Severity.WARNING),
    "foreign private elements": (private(0x0099, "ACME 1.0", SECRET), "PRIVATE_ELEMENTS", Severity.NOTE),
    "stranger in our group": (private(0x0077, "ACME 1.0", SECRET), "PRIVATE_ELEMENTS", Severity.NOTE),
    "profile of a display": (profile(12, b"mntr"), "ICC_CLASS", Severity.WARNING),
    "profile of ink": (profile(16, b"CMYK"), "ICC_PROFILE", Severity.ERROR),
    "no profile at all": (put(ICCProfile=b"x" * 200), "ICC_PROFILE", Severity.ERROR),
    "profile with more": (lambda d: put(ICCProfile=d.ICCProfile + b"more")(d), "TRAILING_DATA", Severity.ERROR),
    "profile left out": (drop("ICCProfile"), "ICC_MISSING", Severity.NOTE),
    "profile of one's own": (
        put(ICCProfile=srgb().replace(b"\0s\0R\0G\0B", "Jane".encode("utf-16-be"))), "ICC_TEXT", Severity.WARNING,
    ),
    "profile of one's own, nearly sRGB": (
        put(ICCProfile=srgb().replace(b"u\0s\0e", b"J\0a\0n")), "ICC_TEXT", Severity.WARNING,
    ),
    "no stamp": (unstamped, "CONSENT_STAMP_MISSING", Severity.NOTE),
    "no stamp any more": (ours_unstamped, "CONSENT_STAMP_MISSING", Severity.WARNING),
    "undeclared stamp": (undeclared, "CONSENT_STAMP_UNDECLARED", Severity.ERROR),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected", "severity"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_found_and_its_value_never_told(change: Break, expected: str, severity: Severity) -> None:
    dataset = sound()
    change(dataset)
    findings = [finding for finding in found(dataset) if finding.code == expected]
    assert findings
    assert {finding.severity for finding in findings} == {severity}
    assert not any(SECRET in finding.message or "Doe" in finding.message for finding in findings)


def test_every_code_that_is_used_has_a_meaning_and_every_meaning_is_used() -> None:
    folder = Path(dicomwrap.judging.__file__).parent
    paths = [path for path in (*folder.glob("*.py"), folder.parent / "verify.py") if path.name != "findings.py"]
    source = "".join(path.read_text() for path in paths)
    assert set(re.findall(r'(?:error|warning|note)\(\s*"(\w+)"', source)) <= set(FINDINGS)
    assert [code for code in FINDINGS if f'"{code}"' not in source] == []


def test_text_that_isnt_ascii_needs_a_character_set() -> None:
    dataset = sound()
    dataset.PatientName = "Müller^Jörg"
    data = encoded(dataset).replace(b"ISO_IR 192", b"ISO_IR 100")
    assert "TYPE_1_MISSING" not in {finding.code for finding in verify(data)}
    with_none = data.replace(b"\x08\0\x05\0CS", b"\x08\0\x01\0CS")
    assert "TYPE_1_MISSING" in {finding.code for finding in verify(with_none)}


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "empty", "text"])
def test_what_is_no_dicom_file_is_a_finding(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    make = {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "empty": path.touch,
        "text": lambda: path.write_text("no object at all " * 100),
    }
    make.get(kind, lambda: None)()
    verdict = verify_file(path)
    assert not verdict.ok
    expected = "NOT_DICOM" if kind in ("empty", "text") else "CANT_READ"
    assert [finding.code for finding in verdict.findings] == [expected]


@pytest.mark.parametrize(("preamble", "expected"), [(b"II*\0", Severity.NOTE), (b"MZ\x90\0", Severity.WARNING)])
def test_a_file_that_is_two_things_at_once_is_told(preamble: bytes, expected: Severity) -> None:
    findings = {finding.code: finding.severity for finding in verify(preamble + encoded(sound())[4:])}
    assert findings["PREAMBLE"] is expected


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
def test_a_file_that_ends_early_is_never_fit(part: float) -> None:
    data = encoded(sound())
    assert any(finding.severity is Severity.ERROR for finding in verify(data[: int(len(data) * part)]))


@pytest.mark.parametrize(("tag", "digit"), [(b"\x02\0\x03\0UI", b"1"), (b"\x02\0\x02\0UI", b"2")])
def test_a_file_that_announces_another_object_is_found(tag: bytes, digit: bytes) -> None:
    data = encoded(sound())
    changed = photos.patched(data, data.index(tag) + 8, digit)
    assert {"FILE_META"} <= {finding.code for finding in verify(changed)}


@pytest.mark.parametrize("tag", [b"\x10\0\x10\0PN", b"\x10\0\x01\x10PN"], ids=["there twice", "out of order"])
def test_elements_where_no_program_looks_for_them_are_found(tag: bytes) -> None:
    late = tag + b"\x04\0X^Y "
    assert {"ELEMENT_ORDER"} <= {finding.code for finding in verify(encoded(sound()) + late)}


def test_data_after_the_object_are_found() -> None:
    padding = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0junk"
    assert {"TRAILING_DATA"} <= {finding.code for finding in verify(encoded(sound()) + padding)}
