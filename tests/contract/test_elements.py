"""Our own tables say what the standard's say, as pydicom has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.sr.codedict import codes
from pydicom.uid import UID

import dicomwrap
from dicomwrap.conformance import FILLED, PRESENT
from dicomwrap.elements import DICTIONARY
from dicomwrap.exif import EXPOSURE_KEYWORDS, PIXEL_COORDINATES
from dicomwrap.iod import dermoscopic, encapsulated_pdf, video_photographic, vl_photographic
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE

TABLE = Path(dicomwrap.__file__).with_name("cid4029.txt")
# pydicom names two: ours is the one that Explicit VR Little Endian always has for compressed and 8 bit samples
VR_BY_CIRCUMSTANCE = {"PixelData": "OB or OW"}


@pytest.mark.parametrize("keyword", DICTIONARY)
def test_an_element_has_the_tag_and_vr_of_the_standard(keyword: str) -> None:
    tag, vr = DICTIONARY[keyword]
    assert tag_for_keyword(keyword) == tag
    assert dictionary_VR(tag) == VR_BY_CIRCUMSTANCE.get(keyword, vr)


def test_no_two_keywords_share_a_tag() -> None:
    assert len({tag for tag, _ in DICTIONARY.values()}) == len(DICTIONARY)


def test_everything_that_a_camera_may_say_of_the_exposure_can_be_written() -> None:
    assert set(DICTIONARY) >= EXPOSURE_KEYWORDS >= PIXEL_COORDINATES
    assert {DICTIONARY[keyword][0] >> 16 for keyword in EXPOSURE_KEYWORDS} == {0x0016}


@pytest.mark.parametrize("keyword", sorted(EXPOSURE_KEYWORDS))
def test_nothing_of_the_exposure_tells_a_place_a_person_or_a_maker_s_secrets(keyword: str) -> None:
    tag, _ = DICTIONARY[keyword]
    assert tag not in range(0x00160070, 0x0016008F)
    assert keyword not in ("CameraOwnerName", "MakerNote", "DeviceSettingDescription", "BatteryLevel")


def test_what_an_object_must_hold_is_in_the_dictionary() -> None:
    assert {*FILLED, *PRESENT} <= set(DICTIONARY)


@pytest.mark.parametrize("keyword", ["LensSpecification", "SubjectArea", "SubjectLocation", "FlashEnergy"])
def test_several_values_go_only_where_the_standard_has_room_for_them(keyword: str) -> None:
    assert dictionary_VM(DICTIONARY[keyword][0]) != "1"


def test_the_body_sites_are_those_of_the_standard() -> None:
    ours = [tuple(line.split("\t")) for line in TABLE.read_text(encoding="utf-8").splitlines()]
    theirs = {keyword: getattr(codes.cid4029, keyword) for keyword in codes.cid4029.dir()}
    assert len(ours) == len(set(ours))
    assert set(ours) == {
        (code.scheme_designator, code.value, keyword, code.meaning) for keyword, code in theirs.items()
    }


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        (vl_photographic.SOP_CLASS_UID, "VL Photographic Image Storage"),
        (dermoscopic.SOP_CLASS_UID, "Dermoscopic Photography Image Storage"),
        (video_photographic.SOP_CLASS_UID, "Video Photographic Image Storage"),
        (encapsulated_pdf.SOP_CLASS_UID, "Encapsulated PDF Storage"),
        (JPEG_BASELINE, "JPEG Baseline (Process 1)"),
        (EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian"),
    ],
)
def test_a_uid_is_what_it_is_taken_for(uid: str, name: str) -> None:
    assert UID(uid).name == name
