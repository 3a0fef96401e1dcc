"""Our judgement against two others: ``dciodvfy``'s of required elements, and the faults of dcmtk's ``img2dcm``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap import iodtables, wrap
from dicomwrap.bitstream.clean import entropy_coded, hidden
from dicomwrap.unwrap import unwrap
from dicomwrap.verify import Severity, verify, verify_file
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import encoded, sound
from tests.unit.dicomwrap.objects import built

DCIODVFY = Path(sys.executable).parent / "dciodvfy"
# dciodvfy asks for a Frame of Reference module that the Dermoscopic Photography IOD hasn't (PS3.3 2024e, 2025b).
BEYOND_THE_STANDARD = frozenset({"FrameOfReferenceUID", "PositionReferenceIndicator"})
NEEDED_TO_WRITE = frozenset({"SOPClassUID", "PixelData"})
REQUIRED = {
    sop_class: [element.keyword for element in sound(sop_class=sop_class, stamped=False)]
    for sop_class in (iodtables.PHOTOGRAPHIC, iodtables.DERMOSCOPIC)
}
CASES = [
    pytest.param(sop_class, keyword, how, id=f"{keyword} {how}, {iodtables.SOP_CLASSES[sop_class].modality}")
    for sop_class, keywords in REQUIRED.items()
    for keyword in keywords
    for how in ("missing", "empty")
    if keyword not in BEYOND_THE_STANDARD | NEEDED_TO_WRITE
]


def broken(sop_class: str, keyword: str, how: str) -> Dataset:
    dataset = sound(sop_class=sop_class, stamped=False)
    if how == "missing":
        delattr(dataset, keyword)
    else:
        empty = {"SQ": [], "OB": b"", "US": None}
        dataset[keyword].value = empty.get(dataset[keyword].VR, "")
    return dataset


def complaints(path: Path) -> list[str]:
    run = subprocess.run([DCIODVFY, "-new", path], capture_output=True, check=False)
    lines = run.stderr.decode(errors="replace").splitlines()
    return [line for line in lines if line.startswith("Error") and ("Missing attribute" in line or "mpty" in line)]


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy isn't installed")
@pytest.mark.parametrize(("sop_class", "keyword", "how"), CASES)
def test_what_dciodvfy_misses_we_miss_too(sop_class: str, keyword: str, how: str, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(encoded(broken(sop_class, keyword, how)))
    ours = [finding for finding in verify_file(path).findings if finding.code.startswith("TYPE_")]
    assert bool(ours) >= bool(complaints(path))


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy isn't installed")
@pytest.mark.parametrize("sop_class", REQUIRED)
def test_what_we_call_sound_dciodvfy_calls_sound(sop_class: str, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(encoded(sound(sop_class=sop_class, stamped=False)))
    assert complaints(path) == []
    assert verify_file(path).ok


FOREIGN = {
    "as it comes": ((), {"TYPE_2_MISSING", "ANATOMIC_REGION", "CAPTURE_TIME", "IMAGE_TYPE", "HIDDEN_METADATA"}),
    "with -ka": (("-ka",), {"TYPE_2_MISSING", "HIDDEN_METADATA", "ORIENTATION"}),
    "with -rc": (("-rc",), {"TYPE_2_MISSING", "UNIDENTIFIED"}),
}


@pytest.mark.skipif(shutil.which("img2dcm") is None, reason="img2dcm isn't installed")
@pytest.mark.parametrize(("options", "expected"), FOREIGN.values(), ids=FOREIGN)
def test_what_img2dcm_gets_wrong_is_found(options: tuple[str, ...], expected: set[str], tmp_path: Path) -> None:
    findings = verify_file(foreign(tmp_path, photos.camera_photo(orientation=6), *options)).findings
    assert expected <= {finding.code for finding in findings if finding.severity is not Severity.NOTE}


@pytest.mark.skipif(shutil.which("img2dcm") is None, reason="img2dcm isn't installed")
def test_a_progressive_picture_of_img2dcm_is_in_a_retired_transfer_syntax(tmp_path: Path) -> None:
    findings = verify_file(foreign(tmp_path, photos.jpeg(progressive=True))).findings
    assert "RETIRED_TRANSFER_SYNTAX" in {finding.code for finding in findings}


@pytest.mark.skipif(shutil.which("img2dcm") is None, reason="img2dcm isn't installed")
def test_nothing_of_a_camera_is_told_about_a_foreign_object(tmp_path: Path) -> None:
    findings = verify_file(foreign(tmp_path, photos.camera_photo(), "-ka")).findings
    told = "".join(finding.message for finding in findings)
    assert not any(secret.decode(errors="replace") in told for secret in (*photos.SECRETS, photos.OWNER.encode()))


def foreign(folder: Path, photo: bytes, *options: str) -> Path:
    source, target = folder / "photo.jpg", folder / "photo.dcm"
    source.write_bytes(photo)
    subprocess.run(["img2dcm", "-i", "JPEG", "-vlp", *options, source, target], check=True)
    return target


@pytest.mark.skipif(shutil.which("dcmconv") is None, reason="dcmconv isn't installed")
@pytest.mark.parametrize("option", ["+ti", "+te", "+td"], ids=["implicit", "explicit", "deflated"])
def test_a_hop_through_another_encoding_changes_nothing(option: str, tmp_path: Path) -> None:
    first, second, raw = tmp_path / "a.dcm", tmp_path / "b.dcm", tmp_path / "raw.dcm"
    first.write_bytes(encoded(sound()))
    subprocess.run(["dcmdjpeg", first, raw], check=True)
    subprocess.run(["dcmconv", option, raw, second], check=True)
    assert verify_file(second).findings == verify(encoded(sound()))
    assert dcmread(second).PatientName == "Doe^Jane"


@pytest.mark.parametrize(
    "photo", [photos.camera_photo(orientation=6), photos.with_colour_profile()], ids=["nosy", "icc"]
)
@pytest.mark.parametrize("key", [b"a secret of sixteen bytes", None], ids=["keyed", "unkeyed"])
def test_what_we_wrap_has_nothing_wrong(photo: bytes, key: bytes | None) -> None:
    findings = verify(wrap.encoded(built(photo, key=key)), key=key)
    assert [each.code for each in findings if each.code != "ICC_MISSING"] == ([] if key else ["CONSENT_STAMP_UNPROVEN"])
    assert {each.severity for each in findings} <= {Severity.NOTE}


def test_what_we_wrap_and_unwrap_is_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    wrap.write(built(photos.camera_photo()), path)
    photo = Path(unwrap(path, tmp_path)[0].photo).read_bytes()
    assert entropy_coded(photo) == entropy_coded(photos.camera_photo())
    assert hidden(photo) == ()
