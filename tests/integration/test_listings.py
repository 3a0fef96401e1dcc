"""Every listing of a running Orthanc, asked by clients that aren't ours, while part of a study is hidden."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind, StudyRootQueryRetrieveInformationModelFind
from requests import HTTPError, Session

from demo.peers import CALLED_AET, HOST, NO_ASSOCIATION, identifier
from tests.integration.ward import Ward, opened

FINDSCU = "/usr/bin/findscu"  # dcmtk's: pynetdicom brings a program of the same name into the virtual environment
SUCCESS, UNABLE_TO_PROCESS = 0x0000, 0xC000


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with opened(tmp_path_factory.mktemp("ward")) as running:
        yield running


def ask(ward: Ward, path: str, body: object = None, account: str = "derm") -> object:
    """Return the answer of a listing, after looking through it for what is hidden."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = ward.server.ask("GET" if body is None else "POST", path, account, content=content)
    assert answer.status_code == 200, answer.text
    assert ward.leaks(answer.text) == []
    return answer.json()


def web(ward: Ward, account: str = "derm") -> DICOMwebClient:
    session = Session()
    session.trust_env = False
    session.auth = (account, ward.server.passwords[account])
    return DICOMwebClient(f"{ward.server.url}/dicom-web", session=session)


def find(
    ward: Ward, aet: str, level: str, model: str = StudyRootQueryRetrieveInformationModelFind, **keys: str | None
) -> tuple[int, list[Dataset]]:
    """Ask by pynetdicom's C-FIND; return the final status and the matches."""
    entity = AE(ae_title=aet)
    entity.add_requested_context(model)
    association = entity.associate(HOST, ward.server.ports.dicom, ae_title=CALLED_AET)
    if not association.is_established:
        return NO_ASSOCIATION, []
    answers = list(association.send_c_find(identifier(level, keys), model))
    association.release()
    status = answers[-1][0] if answers else Dataset()
    return int(status.get("Status", NO_ASSOCIATION)), [match for _, match in answers if match is not None]


def resources(ward: Ward, level: str, letter: str = "") -> list[str]:
    """Return what a search at one level finds, of one patient or of everybody."""
    query = {"PatientID": ward.made(letter).person.patient_id} if letter else {}
    found = ask(ward, "/tools/find", {"Level": level, "Query": query})
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(("level", "path"), [("Patient", "patients"), ("Study", "studies"), ("Series", "series")])
def test_a_list_has_each_visible_resource_and_describes_it_without_what_is_hidden(
    ward: Ward, level: str, path: str
) -> None:
    assert len(resources(ward, level)) == 2
    assert ask(ward, f"/{path}") == resources(ward, level)
    (told,) = ask(ward, f"/{path}?expand&since=0&limit=1")  # type: ignore[misc]
    assert told["ID"] == resources(ward, level)[0]


def test_the_core_is_never_asked_for_a_list_of_instances(ward: Ward) -> None:
    assert ward.server.ask("GET", "/instances", "derm").status_code == 403
    assert resources(ward, "Instance", "A") == [ward.made("A").orthanc_instance]


def test_a_study_with_hidden_pictures_counts_the_others(ward: Ward) -> None:
    counts = ["NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries", "ModalitiesInStudy"]
    body = {"Level": "Study", "Query": {"StudyInstanceUID": ward.made("A").study_instance_uid}}
    (told,) = ask(ward, "/tools/find", {**body, "Expand": True, "RequestedTags": counts})  # type: ignore[misc]
    assert list(told["RequestedTags"].values()) == ["1", "1", "XC"]
    assert len(told["Series"]) == 1
    assert ask(ward, "/tools/count-resources", body) == {"Count": 1}
    assert ask(ward, "/tools/count-resources", {**body, "Level": "Instance"}) == {"Count": 1}


SEARCHED = (
    ({"PatientName": "ashgrove*"}, "A"),
    ({"PatientBirthDate": "19800101-19801231"}, "A"),
    ({"PatientID": "DEMO-100?"}, "AB"),
    ({"Modality": "XC\\ES"}, "AB"),
    ({"PatientID": "DEMO-1003"}, ""),
    ({"SeriesDescription": "WITHHELD"}, ""),
)


@pytest.mark.parametrize(("query", "letters"), SEARCHED)
def test_matching_is_the_core_s(ward: Ward, query: dict[str, str], letters: str) -> None:
    expected = {ward.made(letter).orthanc_instance for letter in letters}
    if "SeriesDescription" not in query:
        found = ask(ward, "/tools/find", {"Level": "Instance", "Query": query})
        assert isinstance(found, list)
        assert set(found) == expected
    _, matches = find(ward, "DERMWS", "STUDY", StudyInstanceUID="", **query)
    if "SeriesDescription" not in query:
        assert {match.StudyInstanceUID for match in matches} == {ward.made(each).study_instance_uid for each in letters}


def test_lookup_and_bulk_content_say_nothing_of_what_is_hidden(ward: Ward) -> None:
    for uid in (*ward.hidden, ward.made("C").study_instance_uid, "nobody"):
        assert ask(ward, "/tools/lookup", uid.encode()) == []
    (found,) = ask(ward, "/tools/lookup", ward.made("A").study_instance_uid.encode())  # type: ignore[misc]
    told = ask(ward, "/tools/bulk-content", {"Resources": [found["ID"], "nobody"], "Level": "Instance"})
    assert isinstance(told, list)
    assert [each["ID"] for each in told] == [ward.made("A").orthanc_instance]


def test_a_dicomweb_client_finds_what_may_be_seen(ward: Ward) -> None:
    client, study = web(ward), ward.made("A").study_instance_uid
    found = [client.search_for_studies(), client.search_for_series(study), client.search_for_instances(study)]
    assert [len(each) for each in found] == [2, 1, 1]
    assert ward.leaks(json.dumps(found)) == []
    (match,) = client.search_for_studies(search_filters={"PatientName": "Ashgrove*"}, fields=["StudyDescription"])
    assert (match["0020000D"]["Value"], match["00201208"]["Value"]) == ([study], [1])
    assert len(client.search_for_studies(limit=1, offset=1)) == 1
    (again,) = client.search_for_instances(study, ward.made("A").series_instance_uid)
    assert again["00080018"]["Value"] == [ward.made("A").sop_instance_uid]


@pytest.mark.parametrize("account", ["teacher", "uploader", "admin"])
def test_an_account_that_may_not_list_is_refused(ward: Ward, account: str) -> None:
    with pytest.raises(HTTPError, match="403"):
        web(ward, account).search_for_studies()
    for path in ("/tools/find", "/tools/lookup", "/tools/bulk-content", "/tools/count-resources"):
        assert ward.server.ask("POST", path, account, content=b"{}").status_code == 403


def test_an_account_for_anonymised_copies_lists_nothing(ward: Ward) -> None:
    assert web(ward, "student").search_for_studies() == []
    assert ask(ward, "/studies", account="student") == []
    assert ask(ward, "/tools/lookup", b"DEMO-1001", "student") == []
    assert ask(ward, "/tools/count-resources", {"Level": "Patient", "Query": {}}, "student") == {"Count": 0}


def test_the_trail_has_one_entry_a_query_and_nobody_s_name(ward: Ward) -> None:
    ask(ward, "/tools/find", {"Level": "Study", "Query": {"PatientID": "DEMO-1001"}})
    entry = ward.last_query()
    assert (entry["door"], entry["event"]) == ("POST /tools/find", "110112")
    assert entry["detail"] == "1 pictures shown, 2 withheld"
    assert not any(word in str(entry) for word in ("DEMO", "Ashgrove", ward.made("A").study_instance_uid))


LEVELS = (
    ("STUDY", "StudyInstanceUID", "study_instance_uid", "NumberOfStudyRelatedInstances"),
    ("SERIES", "SeriesInstanceUID", "series_instance_uid", "NumberOfSeriesRelatedInstances"),
    ("IMAGE", "SOPInstanceUID", "sop_instance_uid", "Rows"),
)


@pytest.mark.parametrize(("level", "unique", "name", "counted"), LEVELS)
def test_a_node_that_may_search_finds_what_it_may_have(
    ward: Ward, level: str, unique: str, name: str, counted: str
) -> None:
    made = ward.made("A")
    keys = {"PatientName": "", unique: "", counted: None, "StudyInstanceUID": made.study_instance_uid}
    status, matches = find(ward, "DERMWS", level, **keys)
    assert (status, [str(match[unique].value) for match in matches]) == (SUCCESS, [getattr(made, name)])
    assert str(matches[0].PatientName) == made.person.name
    assert int(matches[0][counted].value) == (1200 if counted == "Rows" else 1)
    assert ward.leaks(str(matches)) == []


def test_dcmtk_finds_the_same(ward: Ward) -> None:
    keys = ("QueryRetrieveLevel=STUDY", "PatientName=a*", "StudyInstanceUID", "NumberOfStudyRelatedSeries")
    options = [part for key in keys for part in ("-k", key)]
    command = [FINDSCU, "-S", "-aet", "DERMWS", "-aec", CALLED_AET, *options, HOST, str(ward.server.ports.dicom)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    printed = (done.stdout + done.stderr).decode()
    assert re.findall(r"\(0020,000d\) UI \[([0-9.]+)", printed) == [ward.made("A").study_instance_uid]
    assert re.search(r"\(0020,1206\) IS \[1 ?\]", printed)
    assert ward.leaks(printed) == []


def test_a_node_for_anonymised_copies_finds_nothing(ward: Ward) -> None:
    assert find(ward, "TEACHING", "STUDY", StudyInstanceUID="") == (SUCCESS, [])


def test_a_query_without_a_level_is_not_answered(ward: Ward) -> None:
    status, matches = find(ward, "DERMWS", "", StudyInstanceUID="")
    assert status != SUCCESS
    assert matches == []


@pytest.mark.parametrize("aet", ["DERMCAM", "STRANGER"])
def test_a_node_that_may_not_search_is_refused(ward: Ward, aet: str) -> None:
    status, matches = find(ward, aet, "STUDY", StudyInstanceUID="")
    assert status != SUCCESS
    assert matches == []


def test_there_is_no_worklist(ward: Ward) -> None:
    status, matches = find(ward, "DERMWS", "", ModalityWorklistInformationFind, PatientID="")
    assert status != SUCCESS
    assert matches == []


def test_after_a_withdrawal_the_study_is_in_no_listing(tmp_path: Path) -> None:
    with opened(tmp_path) as ward:
        made = ward.made("A")
        done = ward.server.consentgate("consent", "withdraw", made.person.consent, "--by", "nurse")
        assert done.returncode == 0, done.stderr
        assert resources(ward, "Instance") == [ward.made("B").orthanc_instance]
        assert [len(resources(ward, level, "A")) for level in ("Patient", "Study", "Series", "Instance")] == [0] * 4
        assert ask(ward, "/tools/lookup", made.person.patient_id.encode()) == []
        assert web(ward).search_for_series(made.study_instance_uid) == []
        assert len(web(ward).search_for_studies()) == 1
        assert find(ward, "DERMWS", "STUDY", PatientID=made.person.patient_id) == (SUCCESS, [])
