"""The table of exits: what is in it, what isn't, and what the smallest misspelling does."""

from __future__ import annotations

import pytest

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.dicomwebroutes import NO_BULK, NO_DRAWING, NO_SERVERS, NO_WORKITEMS
from orthanc_plugin.enforcement.exits import METHODS, ROUTES, classify
from orthanc_plugin.enforcement.route import PLACEHOLDERS, SUBJECTS, Kind, Route
from orthanc_plugin.enforcement.routes import (
    NO_ARRAY,
    NO_CHANGES,
    NO_DELETE,
    NO_DESTINATION,
    NO_EXPLORER,
    NO_JOBS,
    NO_METADATA,
    NO_PARENT,
    NO_PEER,
    NO_PROTECTION,
    NO_QUERY,
    NO_SCRIPT,
    NO_SHUTDOWN,
    NO_SIDE_FILE,
    NO_SLICES,
    NO_TAMPERING,
    NO_WEBDAV,
)
from orthanc_plugin.registry.images import Subject

ID = "6816cb19-844d5aee-85245eba-28e841e6-2414fae2"
UID = "2.25.3"
LEVELS = ("instances", "series", "studies", "patients")
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
    "name": "1024",
    "consent": "urn:uuid:6816cb19-844d-5aee-8524-5eba28e841e6",
    "task": "6816cb19-844d-5aee-8524-5eba28e841e6",
    "approval": "6816cb19-844d-5aee-8524-5eba28e841e6",
    "rest": "by-uids/x.dcm",
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_is_reached_by_what_it_describes(route: Route) -> None:
    path = route.path.format(**EXAMPLES)
    for uri in {path, f"{path.rstrip('/')}/"}:
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


def test_every_image_row_names_one_picture_because_nobody_else_would_decide_on_a_second() -> None:
    for route in ROUTES:
        if route.kind is Kind.IMAGE:
            assert SUBJECTS[route.subject] in (Subject.INSTANCE, Subject.SOP_INSTANCE_UID)


def test_every_row_that_has_pictures_says_by_what_it_names_them_and_every_forbidden_row_why() -> None:
    for route in ROUTES:
        assert route.subject in SUBJECTS or not route.subject
        ours = route.kind is Kind.FORBIDDEN and route.internal  # what we may do to a picture is asked about it too
        assert route.kind is Kind.BODY or ours or bool(route.subject) is (route.kind is Kind.IMAGE)
        assert bool(route.reason) is (route.kind is Kind.FORBIDDEN)
        assert (route.role is not None or route.anybody) is (route.kind in (Kind.BODY, Kind.OWN))


@pytest.mark.parametrize(
    ("method", "uri", "kind", "subject", "name"),
    [
        ("GET", "/system", Kind.ADMIN, None, ()),
        ("GET", "/studies", Kind.BODY, None, ()),
        ("GET", "/dicom-web/studies", Kind.BODY, None, ()),
        ("POST", "/tools/find", Kind.BODY, None, ()),
        ("POST", "/modalities/teaching/store", Kind.BODY, None, ()),
        ("GET", f"/instances/{ID}/file", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/instances/{ID}", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/instances/{ID}/frames/3/raw", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/instances/{ID}/content/0040-a730/0/7fe0-0010", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/instances/{ID}/attachments/dicom/compressed-data", Kind.IMAGE, Subject.INSTANCE, (ID,)),
        ("GET", f"/series/{ID}/instances", Kind.BODY, Subject.SERIES, (ID,)),
        ("GET", f"/studies/{ID}/shared-tags", Kind.BODY, Subject.STUDY, (ID,)),
        ("GET", f"/patients/{ID}/instances-tags", Kind.BODY, Subject.PATIENT, (ID,)),
        ("GET", f"/patients/{ID}/archive", Kind.BODY, None, ()),
        ("POST", "/tools/create-media", Kind.BODY, None, ()),
        ("GET", "/dicom-web/studies/1.2", Kind.BODY, Subject.STUDY_INSTANCE_UID, ("1.2",)),
        ("GET", "/dicom-web/studies/1.2/series/1.3/metadata", Kind.BODY, Subject.SERIES_INSTANCE_UID, ("1.3",)),
        (
            "GET",
            "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1",
            Kind.IMAGE,
            Subject.SOP_INSTANCE_UID,
            ("1.4",),
        ),
        ("POST", "/instances", Kind.INTAKE, None, ()),
        ("POST", "/dicom-web/studies/1.2", Kind.INTAKE, None, ()),
        ("POST", "/modalities/x/store-straight", Kind.FORBIDDEN, None, ()),
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
        *(("DELETE", f"/{level}/{ID}", NO_DELETE) for level in LEVELS),
        *(("GET", f"/{level}/{ID}/metadata/AnonymizedFrom", NO_METADATA) for level in LEVELS),
        *(("PUT", f"/{level}/{ID}/metadata/1024", NO_TAMPERING) for level in LEVELS),
        *(("GET", f"/{level}/{ID}/attachments/1024/data", NO_SIDE_FILE) for level in LEVELS),
        *(("GET", f"/{level}/{ID}/attachments/4301/compressed-data", NO_SIDE_FILE) for level in LEVELS),
        ("GET", f"/instances/{ID}/attachments/dicom-as-json/data", NO_SIDE_FILE),
        ("GET", f"/instances/{ID}/attachments/dicom-until-pixel-data/info", NO_SIDE_FILE),
        ("GET", f"/instances/{ID}/patient", NO_PARENT),
        ("GET", "/changes", NO_CHANGES),
        ("GET", "/jobs/x/archive", NO_JOBS),
        ("POST", "/jobs/x/resubmit", NO_JOBS),
        ("POST", "/peers/other/store", NO_PEER),
        ("PUT", "/modalities/teaching", NO_DESTINATION),
        ("POST", "/modalities/teaching/move", NO_QUERY),
        ("POST", "/queries/x/answers/0/retrieve", NO_QUERY),
        ("GET", "/plugins/explorer.js", NO_EXPLORER),
        ("GET", "/app/explorer.html", NO_EXPLORER),
        ("POST", "/dicom-web/servers/x/stow", NO_SERVERS),
        ("POST", "/dicom-web/workitems", NO_WORKITEMS),
        ("GET", "/dicom-web/studies/1.2/bulkdata", NO_BULK),
        ("GET", "/dicom-web/studies/1.2/rendered", NO_DRAWING),
        ("GET", "/dicom-web/studies/1.2/series/1.3/thumbnail", NO_DRAWING),
        ("GET", f"/series/{ID}/numpy", NO_ARRAY),
        ("GET", f"/series/{ID}/ordered-slices", NO_SLICES),
        ("GET", f"/patients/{ID}/protected", NO_PROTECTION),
        ("POST", "/tools/bulk-delete", NO_DELETE),
        ("POST", "/tools/reset", NO_SHUTDOWN),
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
        ("GET", ""),
        ("GET", "system"),
        ("GET", "/nonsense"),
        ("GET", "/ui/app/index.html"),
        ("GET", "/transfers/chunks/x"),
        ("GET", f"/instances/{ID}/attachments/dicom/nonsense"),
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
        ("GET", f"/instances/{ID}/content/.."),
        ("GET", f"/instances/{ID}/content/."),
        ("GET", f"/instances/{ID}/content/0010-0010/../0010-0020"),
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
        ("GET", "/dicom-web/studies/1.2/bulk/7fe00010"),
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


def test_an_argument_named_twice_in_other_letters_is_no_exit() -> None:
    assert classify("GET", "/wado", {"objectUID": UID, "OBJECTUID": "2.25.4"}) is None


def test_the_roles_are_those_that_the_table_says() -> None:
    needed = {(route.method, route.path): route.needs for route in ROUTES if route.kind is Kind.BODY}
    assert needed["POST", "/modalities/{modality}/store"] is Role.SEND
    assert needed["GET", "/studies"] is Role.LIST
    assert needed["GET", "/studies/{study}/archive"] is Role.VIEW
