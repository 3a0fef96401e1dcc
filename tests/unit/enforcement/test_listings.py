"""The core's lists and searches: what is told of a study with hidden pictures, what is refused, what stays unsaid."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement import listings, qido
from orthanc_plugin.enforcement.attributes import Level
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.enforcement.searching import MOST_TOLD
from tests.fakes.pictures import photograph
from tests.unit.enforcement.listing import (
    HIDDEN,
    HIDDEN_SERIES,
    HIDDEN_TOO,
    SECRET,
    SEEN,
    SERIES,
    STUDY,
    Ward,
    crowd,
    leaks,
)


def names(ward: Ward, uid: str = SEEN) -> dict[str, str]:
    """Return Orthanc's identifiers of a picture and of what it is in, by level."""
    row = ward.world.row(uid)
    return {
        Level.PATIENT: row.orthanc_patient,
        Level.STUDY: row.orthanc_study,
        Level.SERIES: row.orthanc_series,
        Level.INSTANCE: row.orthanc_instance,
    }


FOUND = (
    ("Patient", {}, True),
    ("Study", {"PatientName": "doe*"}, True),
    ("study", {"0010,0020": "P1", "StudyDate": ""}, True),
    ("Study", {"00100020": "P2"}, False),
    ("Study", {"ModalitiesInStudy": "XC"}, True),
    ("Study", {"ModalitiesInStudy": "ES"}, False),
    ("Study", {"SeriesDescription": SECRET}, False),
    ("Study", {"SOPInstanceUID": HIDDEN}, False),
    ("Study", {"SOPClassesInStudy": "1.2.840.10008.5.1.4.1.1.77.1.4"}, True),
    ("Study", {"SOPClassesInStudy": "1.2.840.10008.5.1.4.1.1.7"}, False),
    ("Series", {"SeriesInstanceUID": HIDDEN_SERIES}, False),
    ("Series", {"SeriesInstanceUID": f"{SERIES}\\{HIDDEN_SERIES}"}, True),
    ("Instance", {"SOPInstanceUID": "*"}, True),
    ("Instance", {"SOPInstanceUID": HIDDEN_TOO}, False),
)


@pytest.mark.parametrize(("level", "query", "there"), FOUND)
def test_a_resource_is_found_by_a_picture_that_may_be_seen(
    ward: Ward, level: str, query: dict[str, str], there: bool
) -> None:
    expected = [names(ward)[level.capitalize()]] if there else []
    assert ward.find(level, query).body == expected
    counted = ward.call("POST", "/tools/count-resources", {"Level": level, "Query": query})
    assert counted.body == {"Count": len(expected)}


@pytest.mark.parametrize(("level", "children"), [("Patient", "Studies"), ("Study", "Series"), ("Series", "Instances")])
def test_a_resource_is_described_as_if_nothing_hidden_were_in_it(ward: Ward, level: str, children: str) -> None:
    (told,) = ward.find(level, Expand=True).body  # type: ignore[misc]
    order = ["Patient", "Study", "Series", "Instance"]
    assert told[children] == [names(ward)[order[order.index(level) + 1]]]
    assert (told["ID"], told["Type"]) == (names(ward)[level], level)
    assert leaks(told) == []
    unsaid = {"LastUpdate", "IsStable", "Status", "ExpectedNumberOfInstances", "Metadata", "Attachments", "Labels"}
    assert not unsaid & set(told)


@pytest.mark.parametrize("level", ["Patient", "Study", "Series", "Instance"])
def test_orthanc_s_dicomweb_plugin_finds_what_may_be_seen_and_how_it_is_encoded(ward: Ward, level: str) -> None:
    (told,) = ward.find(level, ResponseContent=["Metadata"]).body  # type: ignore[misc]
    encoded = {"TransferSyntax": "1.2.840.10008.1.2.4.50", "SopClassUid": "1.2.840.10008.5.1.4.1.1.77.1.4"}
    metadata = encoded if level == "Instance" else {}
    assert told == {"ID": names(ward)[level], "Type": level, "Metadata": metadata}


def test_attributes_are_those_of_a_picture_that_may_be_seen(ward: Ward) -> None:
    (told,) = ward.find("Series", Expand=True).body  # type: ignore[misc]
    assert told["MainDicomTags"]["SeriesDescription"] == "Photographs: Skin of hand"
    assert told["ParentStudy"] == names(ward)["Study"]


REQUESTED = (
    ("Patient", "NumberOfPatientRelatedInstances", "1"),
    ("Patient", "NumberOfPatientRelatedSeries", "1"),
    ("Patient", "NumberOfPatientRelatedStudies", "1"),
    ("Study", "NumberOfStudyRelatedInstances", "1"),
    ("Study", "NumberOfStudyRelatedSeries", "1"),
    ("Study", "ModalitiesInStudy", "XC"),
    ("Study", "SOPClassesInStudy", "1.2.840.10008.5.1.4.1.1.77.1.4"),
    ("Study", "NumberOfPatientRelatedStudies", ""),
    ("Series", "NumberOfSeriesRelatedInstances", "1"),
    ("Series", "0008,103e", "Photographs: Skin of hand"),
    ("Instance", "InstanceAvailability", "ONLINE"),
    ("Instance", "PixelData", ""),
)


@pytest.mark.parametrize(("level", "asked", "value"), REQUESTED)
def test_requested_attributes_count_what_may_be_seen(ward: Ward, level: str, asked: str, value: str) -> None:
    (told,) = ward.find(level, Expand=True, RequestedTags=[asked]).body  # type: ignore[misc]
    assert list(told["RequestedTags"].values()) == [value]


def test_only_the_content_asked_for_is_told(ward: Ward) -> None:
    (told,) = ward.find("Study", ResponseContent=["Children", "Parent"]).body  # type: ignore[misc]
    assert set(told) == {"ID", "Type", "Series", "ParentPatient"}


@pytest.mark.parametrize("parent", ["ParentPatient", "ParentStudy", "ParentSeries"])
def test_a_search_can_be_kept_inside_a_resource(ward: Ward, parent: str) -> None:
    inside = names(ward)[parent.removeprefix("Parent")]
    assert ward.find("Instance", **{parent: inside}).body == [names(ward)["Instance"]]
    assert ward.find("Instance", **{parent: names(ward, HIDDEN_TOO)["Series"]}).body == []


REFUSED = (
    {"Level": "Ward", "Query": {}},
    {"Query": {}},
    {"Level": "Study"},
    {"Level": "Study", "Query": []},
    {"Level": "Study", "Query": {"PatientID": 1}},
    {"Level": "Study", "Query": {"NoSuchAttribute": "x"}},
    {"Level": "Study", "Query": {"Rows": "5"}},
    {"Level": "Study", "Query": {"0099,1001": "x"}},
    {"Level": "Study", "Query": {}, "ResponseContent": ["Labels"]},
    {"Level": "Study", "Query": {}, "ResponseContent": ["Attachments"]},
    {"Level": "Study", "Query": {}, "ResponseContent": "Children"},
    {"Level": "Study", "Query": {}, "MetadataQuery": {"RemoteAET": "CAMERA"}},
    {"Level": "Study", "Query": {}, "Labels": ["urgent"]},
    {"Level": "Study", "Query": {}, "OrderBy": [{"Type": "Metadata", "Key": "LastUpdate"}]},
    {"Level": "Study", "Query": {}, "Full": True},
    {"Level": "Study", "Query": {}, "Limit": -1},
    {"Level": "Study", "Query": {}, "Since": "many"},
    {"Level": "Study", "Query": {}, "RequestedTags": ["0099,1001"]},
    {"Level": "Study", "Query": {}, "ParentPatient": 5},
    {"Level": "Study", "Query": {}, "Everything": True},
)


@pytest.mark.parametrize("body", REFUSED, ids=json.dumps)
def test_what_would_tell_more_or_means_nothing_is_refused(ward: Ward, body: dict[str, object]) -> None:
    answer = ward.call("POST", "/tools/find", body)
    assert answer.status == 400
    assert answer["remedy"]


def test_what_asks_for_nothing_may_be_there(ward: Ward) -> None:
    idle = {"Full": False, "Short": False, "Labels": [], "LabelsConstraint": "All", "CaseSensitive": False}
    assert ward.find("Instance", **idle).body == [names(ward)["Instance"]]


PATHS = (("/patients", "Patient"), ("/studies", "Study"), ("/series", "Series"))


@pytest.mark.parametrize(("path", "level"), PATHS)
def test_a_list_has_what_may_be_seen(ward: Ward, path: str, level: str) -> None:
    assert ward.call("GET", path).body == [names(ward)[level]]
    (told,) = ward.call("GET", f"{path}?expand&requested-tags=PatientID;Modality".replace("expand", "expand=")).body  # type: ignore[misc]
    assert told["RequestedTags"] == {"PatientID": "P1", "Modality": "XC"}
    assert leaks(told) == []
    assert ward.call("GET", f"{path}?expand=false").body == [names(ward)[level]]


def test_a_list_can_be_paged(own_ward: Ward) -> None:
    own_ward.world.sql("UPDATE images SET intimate = 0")
    both = own_ward.find("Series").body
    assert isinstance(both, list)
    assert len(both) == 2
    pages = [own_ward.call("GET", f"/series?since={since}&limit=1").body for since in (0, 1, 2)]
    assert pages == [both[:1], both[1:], []]
    assert own_ward.find("Series", Limit=1, Since=1).body == both[1:]


def test_an_unknown_argument_of_a_list_is_refused(ward: Ward) -> None:
    assert ward.call("GET", "/studies?everything=1").status == 400


LOOKED_UP = ((SEEN, "Instance"), (STUDY, "Study"), (SERIES, "Series"), ("P1", "Patient"))


@pytest.mark.parametrize(("identifier", "level"), LOOKED_UP)
def test_an_identifier_is_looked_up(ward: Ward, identifier: str, level: str) -> None:
    (told,) = ward.call("POST", "/tools/lookup", identifier.encode()).body  # type: ignore[misc]
    assert (told["Type"], told["ID"]) == (level, names(ward)[level])
    assert told["Path"].endswith(f"/{names(ward)[level]}")


@pytest.mark.parametrize("identifier", [HIDDEN, HIDDEN_SERIES, "nobody"])
def test_what_is_hidden_and_what_isn_t_there_look_the_same(ward: Ward, identifier: str) -> None:
    answer = ward.call("POST", "/tools/lookup", identifier.encode())
    assert (answer.status, answer.body) == (200, [])


def test_a_lookup_of_nothing_is_no_question(ward: Ward) -> None:
    assert ward.call("POST", "/tools/lookup", b" ").status == 400


def test_resources_are_described_by_name(ward: Ward) -> None:
    asked = [*names(ward).values(), *names(ward, HIDDEN_TOO).values(), "nobody"]
    told = ward.call("POST", "/tools/bulk-content", {"Resources": asked})
    assert isinstance(told.body, list)
    assert {each["ID"] for each in told.body} == set(names(ward).values())
    assert leaks(told.body) == []


@pytest.mark.parametrize("level", list(Level))
def test_what_is_around_a_resource_is_described_at_another_level(ward: Ward, level: Level) -> None:
    for name in names(ward).values():
        told = ward.call("POST", "/tools/bulk-content", {"Resources": [name], "Level": level})
        assert isinstance(told.body, list)
        assert [each["ID"] for each in told.body] == [names(ward)[level]]
        assert leaks(told.body) == []


def test_a_hidden_picture_does_not_lead_to_its_study(ward: Ward) -> None:
    hidden = names(ward, HIDDEN)["Instance"]
    assert ward.call("POST", "/tools/bulk-content", {"Resources": [hidden], "Level": "Study"}).body == []


@pytest.mark.parametrize("body", [{"Resources": "x"}, {"Resources": [], "Metadata": True}, {"Level": "Ward"}])
def test_a_description_that_would_tell_more_is_refused(ward: Ward, body: dict[str, object]) -> None:
    assert ward.call("POST", "/tools/bulk-content", body).status == 400


ASKED = (
    ("POST", "/tools/find", {"Level": "Study", "Query": {"PatientID": "P1"}}),
    ("POST", "/tools/find", {"Level": "Study", "Query": {"PatientID": "P2"}}),
    ("POST", "/tools/count-resources", {"Level": "Study", "Query": {"PatientID": "P1"}}),
    ("POST", "/tools/lookup", b"P1"),
    ("POST", "/tools/lookup", b"P2"),
    ("GET", "/studies", None),
    ("GET", "/dicom-web/studies", None),
)


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
def test_who_may_have_nothing_is_told_nothing_not_even_who_is_there(
    ward: Ward, method: str, path: str, body: object
) -> None:
    answer = ward.call(method, path, body, "student")
    assert (answer.status, answer.body) == (200, {"Count": 0} if "count" in path else [])


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
@pytest.mark.parametrize("account", ["teacher", "uploader", "nobody"])
def test_an_account_that_may_not_list_is_refused_whatever_it_asks(
    ward: Ward, account: str, method: str, path: str, body: object
) -> None:
    before = len(ward.core.asked)
    assert ward.call(method, path, body, account).status == 403
    assert len(ward.core.asked) == before


UIDS = {"StudyInstanceUID": "Study", "SeriesInstanceUID": "Series", "SOPInstanceUID": "Instance"}


@pytest.mark.parametrize(("keyword", "level"), UIDS.items())
def test_an_account_that_may_view_is_told_of_what_it_names_by_its_uid(ward: Ward, keyword: str, level: str) -> None:
    uid = str(getattr(photograph(uid=SEEN), keyword))
    for account in ("reader", "derm"):
        assert ward.find(level, {keyword: uid}, account).body == [names(ward)[level]]
    assert ward.find(level, {keyword: "2.25.99"}, "reader").body == []


@pytest.mark.parametrize(
    "query", [{}, {"StudyInstanceUID": "*"}, {"StudyInstanceUID": "1.2*"}, {"StudyInstanceUID": ""}]
)
def test_an_account_that_may_view_can_t_search(ward: Ward, query: dict[str, str]) -> None:
    answer = ward.find("Study", {**query, "PatientID": "P1"}, "reader")
    assert (answer.status, "UID" in str(answer.body)) == (403, True)


def test_after_a_withdrawal_nothing_is_listed(own_ward: Ward) -> None:
    own_ward.world.withdraw()
    assert [own_ward.call(method, path, body).body for method, path, body in ASKED if "count" not in path] == [[]] * 6


def test_an_archive_that_can_t_answer_is_an_error(own_ward: Ward) -> None:
    own_ward.core = replace(own_ward.core, archive=replace(own_ward.core.archive, objects={"gone": b""}))
    assert own_ward.find("Study").status >= 400


def test_too_many_descriptions_are_refused_and_can_be_paged(own_ward: Ward) -> None:
    crowd(own_ward, MOST_TOLD)
    assert len(own_ward.find("Instance").body) == MOST_TOLD + 1  # type: ignore[arg-type]
    assert own_ward.find("Instance", Expand=True).status == 413
    assert len(own_ward.find("Instance", Expand=True, Limit=2, Since=5).body) == 2  # type: ignore[arg-type]
    assert own_ward.call("GET", "/dicom-web/instances").status == 413
    assert len(own_ward.call("GET", "/dicom-web/instances?limit=2").body) == 2  # type: ignore[arg-type]


def test_every_listing_row_of_the_table_is_answered_here(ward: Ward) -> None:
    made = {(each.method, each.path) for each in (*listings.endpoints(ward.core), *qido.endpoints(ward.core))}
    rows = {(row.method, row.path) for row in ROUTES if row.kind is Kind.BODY and row.role is Role.LIST}
    assert made == rows
