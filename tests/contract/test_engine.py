"""What a copy looks like under one number of the engine stays so: people confirmed pictures of which such copies leave.

Where a test here fails because copies are meant to come out otherwise now, raise ``ENGINE`` in
``orthanc_plugin/deid/profile.py`` and put the new number and digest here: every picture is then looked at again.
"""

from __future__ import annotations

import hashlib
import json
from io import BytesIO

import pydicom

from dicomwrap.confidentiality import Option
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import ENGINE, Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import cover, region
from tests.fakes.pictures import encoded, photograph

PROFILE = Profile(
    name="teaching",
    pseudonym_domain="teaching",
    options=frozenset({Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_MODIFIED_DATES}),
)
REGIONS = ((3, 5, 17, 9), ((20, 20), (50, 22), (30, 44)))
COPY = "2f109e5b7fd402961e7a26ac6c4aca939f05f04d8fe26c60c23b0662dfcda323"


def test_a_copy_comes_out_as_it_did_under_this_number_of_the_engine() -> None:
    pseudonyms = Pseudonyms(key=b"k" * 32, domain="teaching")
    blanked = tuple(region(each) for each in REGIONS)
    made = deidentify(encoded(photograph()), PROFILE, pseudonyms, confirmed=True, regions=blanked)
    copy = pydicom.dcmread(BytesIO(made.content))
    del copy.PixelData  # how the test's JPEG was encoded is no affair of the engine; where it is blanked is
    placed = [str(cover(each, (16, 16), (64, 48))) for each in blanked]
    said = json.dumps([placed, copy.to_json_dict()], sort_keys=True)
    assert (ENGINE, hashlib.sha256(said.encode()).hexdigest()) == (1, COPY)
