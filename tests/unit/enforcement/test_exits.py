"""The table of exits: what is in it, what isn't, and what the smallest misspelling does."""

from __future__ import annotations

import pytest

from orthanc_plugin.enforcement.exits import (
    METHODS,
    NO_DELETE,
    NO_SCRIPT,
    NO_WEBDAV,
    PLACEHOLDERS,
    ROUTES,
    SUBJECTS,
    Kind,
    Route,
    classify,
)
from orthanc_plugin.registry.images import Subject

ID = "6816cb19-844d5aee-85245eba-28e841e6-2414fae2"
UID = "2.25.3"
EXAMPLES = {
    "instance": ID,
    "series": ID,
    "study": ID,
    "patient": ID,
    "study_uid": UID,
    "series_uid": UID,
    "instance_uid": UID,
    "frame": "0",
    "frames": "1,2",
    "modality": "teaching",
    "consent": "urn:uuid:6816cb19-844d-5aee-8524-5eba28e841e6",
    "task": "6816cb19-844d-5aee-8524-5eba28e841e6",
    "approval": "6816cb19-844d-5aee-8524-5eba28e841e6",
    "rest": "by-uids/x.dcm",
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_is_reached_by_what_it_describes(route: Route) -> None:
    path = route.path.format(**EXAMPLES)
    for uri in (path, f"{path}/"):
        match = classify(route.method, uri, {"objectUID": UID})
        assert match is not None
        assert match.route is route
        assert match.door == f"{route.method} {route.path}"
        assert ID not in match.door


def test_no_two_rows_are_the_same_and_every_placeholder_is_known() -> None:
    keys = [(route.method, route.path) for route in ROUTES]
    assert len(keys) == len(set(keys))
    assert set(EXAMPLES) == set(PLACEHOLDERS)
    assert {route.method for route in ROUTES} <= set(METHODS.values())


def test_every_image_row_says_by_what_it_names_pictures_and_every_forbidden_row_why() -> None:
    for route in ROUTES:
        assert (route.subject in SUBJECTS) is (route.kind is Kind.IMAGE)
        assert bool(route.reason) is (route.kind is Kind.FORBIDDEN)
        assert route.internal or route.kind is not Kind.INTERNAL


@pytest.mark.parametrize(
    ("method", "uri", "kind", "subject", "name"),
    [
        ("GET", "/system", Kind.ADMIN, None, ()),
        ("GET", "/studies", Kind.LISTING, None, ()),
        ("GET", "/dicom-web/studies", Kind.LISTING, None, ()),
        ("GET", f"/instances/{ID}/file", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/instances/{ID}", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/instances/{ID}/frames/3/raw", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/series/{ID}/archive", Kind.IMAGE, Subject.SERIES, (ID,)),
        ("GET", f"/studies/{ID}/archive", Kind.IMAGE, Subject.STUDY, (ID,)),
        ("GET", f"/patients/{ID}/archive", Kind.IMAGE, Subject.PATIENT, (ID,)),
        ("GET", "/dicom-web/studies/1.2", Kind.IMAGE, Subject.STUDY_INSTANCE_UID, ("1.2",)),
        ("GET", "/dicom-web/studies/1.2/series/1.3", Kind.IMAGE, Subject.SERIES_INSTANCE_UID, ("1.3",)),
        (
            "GET",
            "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1",
            Kind.IMAGE,
            Subject.SOP_INSTANCE_UID,
            ("1.4",),
        ),
        ("POST", "/instances", Kind.INTAKE, None, ()),
        ("POST", "/dicom-web/studies/1.2", Kind.INTAKE, None, ()),
        ("POST", "/modalities/x/store-straight", Kind.INTERNAL, None, ()),
    ],
)
def test_a_row_says_what_passes_and_whose(
    method: str, uri: str, kind: Kind, subject: Subject | None, name: tuple[str, ...]
) -> None:
    match = classify(method, uri, {})
    assert match is not None
    assert (match.route.kind, match.subject, match.names) == (kind, subject, name)


@pytest.mark.parametrize(
    ("method", "uri", "reason"),
    [
        *(("DELETE", f"/{level}/{ID}", NO_DELETE) for level in ("instances", "series", "studies", "patients")),
        ("POST", "/tools/bulk-delete", NO_DELETE),
        ("POST", "/tools/reset", NO_DELETE),
        ("POST", "/tools/execute-script", NO_SCRIPT),
        *((method, "/webdav/by-patients/x/y.dcm", NO_WEBDAV) for method in ("GET", "PUT", "DELETE")),
        ("GET", "/webdav", NO_WEBDAV),
    ],
)
def test_what_is_forbidden_says_why(method: str, uri: str, reason: str) -> None:
    match = classify(method, uri, {})
    assert match is not None
    assert (match.route.kind, match.route.reason) == (Kind.FORBIDDEN, reason)


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        # not in the table at all
        ("GET", "/"),
        ("GET", ""),
        ("GET", "system"),
        ("GET", "/nonsense"),
        ("GET", "/app/explorer.html"),
        ("GET", "/modalities/teaching"),
        ("GET", "/jobs"),
        ("GET", "/changes"),
        ("GET", "/exports"),
        ("GET", f"/instances/{ID}/metadata"),
        ("GET", f"/instances/{ID}/attachments/dicom/compressed-data"),
        ("GET", f"/studies/{ID}/media"),
        ("GET", f"/instances/{ID}/content/0010-0010"),
        ("POST", "/tools/find"),
        ("POST", "/tools/create-archive"),
        ("POST", "/tools/lookup"),
        ("POST", "/modalities/teaching/store"),
        ("POST", "/modalities/teaching/move"),
        ("POST", "/peers/other/store"),
        ("PUT", "/modalities/teaching"),
        ("POST", f"/instances/{ID}/modify"),
        ("POST", f"/instances/{ID}/anonymize"),
        ("PUT", f"/instances/{ID}/metadata/1024"),
        # the wrong method
        ("POST", "/system"),
        ("PUT", "/instances"),
        ("DELETE", "/instances"),
        ("HEAD", f"/instances/{ID}/file"),
        ("", f"/instances/{ID}/file"),
        ("get", f"/instances/{ID}/file"),
        ("POST", f"/instances/{ID}/file"),
        # misspelt
        ("GET", "/SYSTEM"),
        ("GET", "/Instances"),
        ("GET", f"/instances/{ID}/File"),
        ("GET", f"/instances/{ID.upper()}/file"),
        ("GET", f"/instances/{ID[:-1]}/file"),
        ("GET", f"/instances/{ID}0/file"),
        ("GET", "/instances/../file"),
        ("GET", f"/instances/{ID}/../{ID}/file"),
        ("GET", f"/./instances/{ID}/file"),
        ("GET", f"//instances/{ID}/file"),
        ("GET", f"/instances//{ID}/file"),
        ("GET", f"/instances/{ID}//file"),
        ("GET", f"/instances/{ID}/file//"),
        ("GET", f"/instances/{ID}/file\0"),
        ("GET", f"/instances/{ID}/file\n"),
        ("GET", f"/instances/{ID}/file "),
        ("GET", f"/instances/{ID}/file?x=1"),
        ("GET", f"/instances/{ID}/%66ile"),
        ("GET", f"/instances%2f{ID}/file"),
        ("GET", f"/instances\\{ID}/file"),
        ("GET", f"/instances/{ID}/frames/-1/raw"),
        ("GET", f"/instances/{ID}/frames/1234567/raw"),
        ("GET", f"/instances/{ID}/frames/x/raw"),
        ("GET", "/dicom-web/studies/x"),
        ("GET", "/dicom-web/studies/1.2,1.3"),
        ("GET", "/dicom-web/studies/.1"),
        ("GET", "/dicom-web/studies/" + "1" * 65),
        ("GET", "/dicom-web/studies/1.2/instances/1.4"),
        ("GET", "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1,"),
        ("GET", "/dicom-web/studies/1.2/series/1.3/instances/1.4/bulk/7fe00010"),
        ("POST", "/modalities/../store-straight"),
        ("POST", "/modalities/a b/store-straight"),
    ],
)
def test_what_is_not_in_the_table_is_no_exit(method: str, uri: str) -> None:
    assert classify(method, uri, {}) is None


@pytest.mark.parametrize(
    ("arguments", "names"),
    [({"objectUID": UID}, (UID,)), ({}, ("",)), ({"objectuid": UID}, ("",)), ({"objectUID": ""}, ("",))],
)
def test_wado_names_its_picture_by_an_argument_or_names_none(arguments: dict[str, str], names: tuple[str, ...]) -> None:
    match = classify("GET", "/wado", arguments)
    assert match is not None
    assert (match.subject, match.names) == (Subject.SOP_INSTANCE_UID, names)
