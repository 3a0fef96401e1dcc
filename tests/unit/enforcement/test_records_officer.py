"""Whoever manages records is told what is kept and where, at every door, and nothing else that the headers say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.fakes.core import CoreSimulator
from tests.fakes.pictures import CARE, UID, consent, encoded, photograph
from tests.fakes.world import POLICY, make_world
from tests.unit.enforcement.listing import Ward
from tests.unit.enforcement.test_cfind import Scu

BOUND = 'purpose = "RECORDS_MANAGEMENT"\naudience = "RECORDS_OFFICER"\n'
KEEPER = f"""
[[users]]
name = "keeper"
roles = ["list"]
{BOUND}
[[dicom_nodes]]
name = "keeping-node"
aet = "KEEPING"
host = "127.0.0.1"
may = ["find"]
{BOUND}
"""
SAID = {
    "PatientComments": "said in confidence",
    "AdditionalPatientHistory": "history of it",
    "ContentSequence": [Dataset()],
}
FIELDS = ("SeriesDescription", *SAID)
Door = Callable[[Ward], str]


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    world = make_world(tmp_path, policy=POLICY + KEEPER)
    world.record(consent(CARE))
    SAID["ContentSequence"][0].TextValue = "written about it"  # type: ignore[union-attr]
    assert world.receive(encoded(photograph(SeriesDescription="left forearm", **SAID))).reasons == ()
    yield Ward(world=world, core=CoreSimulator(archive=world.archive))
    world.close()


def found(ward: Ward) -> str:
    return json.dumps(ward.find("Series", {}, "keeper", Expand=True, RequestedTags=list(FIELDS)).body)


def listed(ward: Ward) -> str:
    return json.dumps(ward.call("GET", f"/series?expand=true&requested-tags={';'.join(FIELDS)}", account="keeper").body)


def searched(ward: Ward) -> str:
    return json.dumps(ward.call("GET", f"/dicom-web/series?includefield={','.join(FIELDS)}", account="keeper").body)


def asked(ward: Ward) -> str:
    (match,) = Scu(ward=ward, aet="KEEPING").find("SERIES", **dict.fromkeys(FIELDS, ""))
    return str(match)


@pytest.mark.parametrize("door", [found, listed, searched, asked])
def test_a_records_officer_is_told_the_main_attributes_and_nothing_else(door: Door, ward: Ward) -> None:
    answer = door(ward)
    assert "left forearm" in answer
    assert [word for word in ("confidence", "history of", "written about") if word in answer] == []


def test_a_picture_is_still_named_with_what_it_is(ward: Ward) -> None:
    (match,) = json.loads(json.dumps(ward.call("GET", "/dicom-web/instances", account="keeper").body))
    assert (match["00080018"]["Value"], match["00080016"]["Value"]) == ([UID], ["1.2.840.10008.5.1.4.1.1.77.1.4"])
