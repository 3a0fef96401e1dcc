"""QIDO-RS: what is found, what of it is told, and what isn't offered."""

from __future__ import annotations

import pytest
from pydicom.datadict import tag_for_keyword

from orthanc_plugin.enforcement.attributes import Header, Item, Level, answered
from orthanc_plugin.registry.listed import Listed
from tests.unit.enforcement.listing import HIDDEN, HIDDEN_SERIES, SECRET, SEEN, SERIES, STUDY, Ward, leaks


def search(ward: Ward, path: str, **headers: str) -> list[dict[str, dict[str, list[object]]]]:
    answer = ward.call("GET", f"/dicom-web/{path}", **headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/dicom+json")
    assert isinstance(answer.body, list)
    assert leaks(answer.body) == []
    return answer.body


UIDS = {"studies": ("0020000D", STUDY), "series": ("0020000E", SERIES), "instances": ("00080018", SEEN)}
FOUND = (
    ("studies", True),
    ("series", True),
    ("instances", True),
    (f"studies/{STUDY}/series", True),
    (f"studies/{STUDY}/instances", True),
    (f"studies/{STUDY}/series/{SERIES}/instances", True),
    (f"studies/{STUDY}/series/{HIDDEN_SERIES}/instances", False),
    ("studies/2.25.404/series", False),
    (f"studies/2.25.404/instances?StudyInstanceUID={STUDY}", False),
    ("studies?PatientName=doe*", True),
    ("studies?00100020=P1", True),
    ("studies?PatientName=Doe%5EJ%2A&0010%30020=P1", True),
    ("studies?PatientID=P2", False),
    ("studies?PatientName=Doe,Jane", False),
    ("studies?ModalitiesInStudy=XC,ES", True),
    ("studies?ModalitiesInStudy=ES", False),
    (f"studies?StudyInstanceUID=2.25.404,{STUDY}", True),
    (f"series?SeriesDescription={SECRET}", False),
    (f"instances?SOPInstanceUID={HIDDEN}", False),
    ("instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.77.1.4", True),
    ("instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.7", False),
    ("studies?limit=0", False),
    ("studies?offset=1", False),
    ("studies?limit=5&offset=0&fuzzymatching=false", True),
)


@pytest.mark.parametrize(("path", "there"), FOUND)
def test_what_may_be_seen_is_found_and_nothing_else(ward: Ward, path: str, there: bool) -> None:
    tag, uid = UIDS[path.partition("?")[0].rpartition("/")[2]]
    assert [match[tag]["Value"] for match in search(ward, path)] == ([[uid]] if there else [])


def test_a_study_counts_what_may_be_seen(ward: Ward) -> None:
    (match,) = search(ward, "studies?includefield=SOPClassesInStudy")
    assert (match["00201206"]["Value"], match["00201208"]["Value"]) == ([1], [1])
    assert match["00080061"]["Value"] == ["XC"]
    assert match["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.77.1.4"]
    assert match["00081190"] == {"vr": "UR", "Value": [f"/dicom-web/studies/{STUDY}"]}
    assert match["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]


def test_levels_above_that_the_path_names_are_left_out(ward: Ward) -> None:
    (alone,) = search(ward, "instances")
    (below,) = search(ward, f"studies/{STUDY}/series/{SERIES}/instances")
    assert {"00100020", "00080060", "0020000D", "0020000E"} <= set(alone)
    assert not {"00100020", "00080060"} & set(below)
    assert {"0020000D", "0020000E", "00080018"} <= set(below)
    assert isinstance(below["00280010"]["Value"][0], int)
    assert below["00081190"]["Value"] == [f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{SEEN}"]


MORE = (
    ("studies", "PatientComments", "00104000", False),
    ("studies", "all", "00081030", False),
    ("studies", "all", "00080080", False),
    ("instances", "AnatomicRegionSequence", "00082218", True),
    ("instances", "00082218,LossyImageCompression", "00282110", True),
    ("instances", "all", "00080012", True),
    ("instances", "PixelData", "7FE00010", False),
)


@pytest.mark.parametrize(("path", "fields", "tag", "there"), MORE)
def test_more_attributes_can_be_asked_for(ward: Ward, path: str, fields: str, tag: str, there: bool) -> None:
    (match,) = search(ward, f"{path}?includefield={fields}")
    assert ("Value" in match.get(tag, {})) is there


def test_a_sequence_is_told_whole_but_for_what_is_private(ward: Ward) -> None:
    (match,) = search(ward, "instances?includefield=AnatomicRegionSequence")
    (item,) = match["00082218"]["Value"]
    assert isinstance(item, dict)
    assert item["00080104"]["Value"] == ["Skin of hand"]


@pytest.mark.parametrize("accept", ["application/dicom+json", "application/json", "*/*", "text/html, */*;q=0.1"])
def test_dicom_json_is_offered(ward: Ward, accept: str) -> None:
    assert search(ward, "studies", accept=accept)


REFUSED = (
    ("studies", 'multipart/related; type="application/dicom+xml"', 406),
    ("studies", "application/dicom+xml", 406),
    ("studies?fuzzymatching=true", "*/*", 400),
    ("studies?Rows=5", "*/*", 400),
    ("studies?00991001=x", "*/*", 400),
    ("studies?NoSuchAttribute=x", "*/*", 400),
    ("studies?limit=-1", "*/*", 400),
    ("studies?offset=x", "*/*", 400),
    ("studies?includefield=00991001", "*/*", 400),
    ("studies?includefield=Nonsense", "*/*", 400),
)


@pytest.mark.parametrize(("path", "accept", "status"), REFUSED)
def test_what_is_not_offered_is_refused_before_anything_is_looked_for(
    ward: Ward, path: str, accept: str, status: int
) -> None:
    before = len(ward.core.asked)
    answer = ward.call("GET", f"/dicom-web/{path}", accept=accept)
    assert (answer.status, len(ward.core.asked)) == (status, before)


NOT_NUMBERS = (("PatientSize", "tall"), ("Rows", "many"), ("AnatomicRegionSequence", "none"), ("PatientName", ["Doe"]))


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(("keyword", "value"), NOT_NUMBERS)
def test_a_value_that_isn_t_what_its_attribute_takes_is_left_out(ward: Ward, keyword: str, value: object) -> None:
    picture = Listed("2.25.9", "1", "2", "3", "4", "5", "6", "7", "")
    head = Header({int(tag_for_keyword(keyword) or 0): {"Value": value}})
    assert keyword not in answered(ward.core, Item(Level.INSTANCE, "4", (picture,)), head, [keyword])
