"""Copies of pictures that were compressed more than once: the history stays true, and says nothing else."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicomwrap.bitstream.verify import contradictions
from dicomwrap.confidentiality import Option
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from tests.fakes.pictures import encoded, photograph
from tests.unit.dicomwrap import photos, rasterfiles

TEACH = Profile(name="teaching", pseudonym_domain="teaching", options=frozenset({Option.RETAIN_SAFE_PRIVATE}))
DOMAIN = Pseudonyms(key=bytes(range(32)), domain="teaching")
HEIC = rasterfiles.heic(photos.picture())


def copied(original: Dataset) -> Dataset:
    return pydicom.dcmread(BytesIO(deidentify(encoded(original), TEACH, DOMAIN).content))


def test_both_compressions_of_a_decoded_picture_are_still_told() -> None:
    original = photograph(data=HEIC)
    copy = copied(original)
    assert list(copy.LossyImageCompressionMethod) == ["ISO_23008_2", "ISO_10918_1"]
    first, last = copy.LossyImageCompressionRatio
    assert float(first) == pytest.approx(float(original.LossyImageCompressionRatio[0]), abs=0.01)
    assert float(last) > 1
    assert list(copy.ImageType) == ["DERIVED", "PRIMARY"]
    assert contradictions(copy) == ()


def test_one_compression_is_one_value() -> None:
    assert copied(photograph()).data_element("LossyImageCompressionRatio").VM == 1


def test_more_ratios_than_methods_leave_no_room_for_a_number() -> None:
    original = photograph(LossyImageCompressionRatio=["19800615", "4711", "2"])
    assert copied(original).data_element("LossyImageCompressionRatio").VM == 1
