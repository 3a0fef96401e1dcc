"""What is asked about a person takes the same time whoever is there, and not even too many are told apart from none."""

from __future__ import annotations

import pytest

from orthanc_plugin.enforcement import searching, visible
from orthanc_plugin.enforcement.pace import FLOOR
from orthanc_plugin.registry.images import orthanc_id
from tests.unit.enforcement.listing import HIDDEN, SEEN, STUDY, Ward, crowd
from tests.unit.enforcement.test_listings import names

HELD = (
    ({"PatientID": "P1"}, True),
    ({"PatientID": "nobody"}, True),
    ({"PatientID": "P*"}, True),
    ({"PatientName": "doe*"}, True),
    ({"PatientBirthDate": "19700101"}, True),
    ({"AccessionNumber": "A1", "StudyInstanceUID": STUDY}, True),
    ({}, False),
    ({"PatientID": "*"}, False),
    ({"StudyDate": "20250301-", "ModalitiesInStudy": "XC"}, False),
    ({"StudyInstanceUID": STUDY}, False),
    ({"SOPInstanceUID": HIDDEN}, False),
)


@pytest.mark.parametrize(("query", "held"), HELD)
@pytest.mark.parametrize("account", ["derm", "student"])
def test_what_is_asked_about_a_person_is_answered_in_the_same_time_whoever_is_there(
    ward: Ward, account: str, query: dict[str, str], held: bool
) -> None:
    arguments = "&".join(f"{name}={value}" for name, value in query.items())
    for method, path, body in (
        ("POST", "/tools/find", {"Level": "Study", "Query": query}),
        ("POST", "/tools/count-resources", {"Level": "Study", "Query": query}),
        ("GET", f"/dicom-web/studies?{arguments}", None),
    ):
        ward.waiting.waited.clear()
        assert ward.call(method, path, body, account).status == 200
        assert ward.waiting.waited == [FLOOR] * held


@pytest.mark.parametrize("account", ["derm", "student"])
def test_a_patient_s_identifier_is_one_that_is_held_back(ward: Ward, account: str) -> None:
    known, picture = names(ward)["Patient"], names(ward)["Instance"]
    asked: list[tuple[str, object]] = [
        (path, body)
        for name in (known, orthanc_id("nobody"))
        for path, body in (
            ("/tools/find", {"Level": "Study", "Query": {}, "ParentPatient": name}),
            ("/tools/bulk-content", {"Resources": [name]}),
            ("/tools/bulk-content", {"Resources": [picture, name]}),
        )
    ]
    for path, body in (
        *asked,
        ("/tools/lookup", b"P1"),
        ("/tools/lookup", b"nobody"),
        ("/tools/lookup", HIDDEN.encode()),
    ):
        ward.waiting.waited.clear()
        assert ward.call("POST", path, body, account).status == 200
        assert ward.waiting.waited == [FLOOR]


def test_what_was_named_by_its_uid_and_is_shown_comes_at_once(ward: Ward) -> None:
    ward.waiting.waited.clear()
    assert ward.call("POST", "/tools/lookup", SEEN.encode()).body != []
    assert ward.call("POST", "/tools/bulk-content", {"Resources": [names(ward)["Study"]]}).body != []
    assert ward.waiting.waited == []


def test_that_a_patient_has_too_many_pictures_is_not_told_to_whoever_may_see_none(
    own_ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(own_ward, 5)
    for module in (searching, visible):
        monkeypatch.setattr(module, "MOST", 3)
    for account, status in (("student", 200), ("derm", 413)):
        for query in ({"PatientID": "P1"}, {"PatientID": "P1", "Modality": "XC"}):
            answer = own_ward.find("Study", query, account)
            assert (answer.status, answer.body == []) == (status, status == 200)
    assert own_ward.find("Study", {"PatientName": "doe*"}, "student").status == 413
