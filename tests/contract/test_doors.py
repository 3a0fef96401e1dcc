"""Every route that Orthanc has, in each version that is known and in the one on this machine, has its row.

A new route, or a new name in a body that we must understand, fails here and says which.
"""

from __future__ import annotations

import pytest

from orthanc_plugin.enforcement.exits import ROUTES, classify
from orthanc_plugin.enforcement.ownroutes import ROUTES as OWN
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.enforcement.routes import ROUTES as CORE
from tests.versions.openapi import Routes, example, live, stored

VERSIONS = ("1.10.1", "1.12.7", "1.13.0")
DW = "/dicom-web"
STUDY = f"{DW}/studies/1.2"
SERIES = f"{STUDY}/series/1.3"
INSTANCE = f"{SERIES}/instances/1.4"
# PS3.18: chapter 9 (WADO-URI), 10 (studies: retrieve, store, search) and 11 (worklist, UPS-RS).
DICOMWEB = (
    "GET /wado",
    *(f"GET {DW}/{level}" for level in ("studies", "series", "instances")),
    *(f"GET {STUDY}/{level}" for level in ("series", "instances")),
    f"GET {SERIES}/instances",
    *(f"GET {base}" for base in (STUDY, SERIES, INSTANCE, f"{INSTANCE}/frames/1,2")),
    *(f"GET {base}/rendered" for base in (STUDY, SERIES, INSTANCE, f"{INSTANCE}/frames/1")),
    *(f"GET {base}/thumbnail" for base in (STUDY, SERIES, INSTANCE, f"{INSTANCE}/frames/1")),
    *(f"GET {base}/{what}" for base in (STUDY, SERIES, INSTANCE) for what in ("metadata", "bulkdata", "pixeldata")),
    *(f"GET {base}/bulkdata/7FE00010" for base in (STUDY, SERIES, INSTANCE)),
    f"GET {INSTANCE}/bulk/00100010",
    f"POST {DW}/studies",
    f"POST {STUDY}",
    f"GET {DW}/workitems",
    f"POST {DW}/workitems",
    *(f"{method} {DW}/workitems/2.25.1" for method in ("GET", "POST", "PUT")),
    f"PUT {DW}/workitems/2.25.1/state",
    f"POST {DW}/workitems/2.25.1/cancelrequest",
    *(f"{method} {DW}/workitems/2.25.1/subscribers/AE" for method in ("POST", "DELETE")),
    f"POST {DW}/workitems/1.2.840.10008.5.1.4.34.5/subscribers/AE/suspend",
)
# What Orthanc's DICOMweb plugin has beside the standard.
CLIENT = (
    f"GET {DW}/info",
    f"GET {DW}/servers",
    *(f"{method} {DW}/servers/other" for method in ("GET", "PUT", "DELETE")),
    *(f"POST {DW}/servers/other/{verb}" for verb in ("stow", "wado", "retrieve", "get", "qido", "delete")),
    f"POST {STUDY}/update-dicomweb-cache",
    f"GET {DW}/app/client/index.html",
)
# What Orthanc serves without saying so in its description.
UNDESCRIBED = (
    *(f"GET {path}" for path in ("/", "/app", "/app/explorer.html", "/app/images/orthanc-logo.png")),
    *(f"{method} /webdav{tail}" for method in ("GET", "PUT", "POST", "DELETE") for tail in ("", "/by-uids/x.dcm")),
    *(f"GET /{level}/{{id}}/attachments/{{name}}/uuid" for level in ("patients", "studies", "series", "instances")),
)


def unclassified(routes: Routes) -> list[str]:
    return [route for route in routes if classify(*example(route), {}) is None]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_route_of_a_known_orthanc_has_a_row(version: str) -> None:
    assert len(stored()[version]) > 270
    assert unclassified(stored()[version]) == []


def test_the_orthanc_of_this_machine_has_no_route_and_no_field_that_is_not_known() -> None:
    version, routes = live()
    assert len(routes) > 270
    if version in stored():
        assert routes == stored()[version]
    known = {(route, name) for each in stored().values() for route, body in each.items() for name in body or ()}
    assert unclassified(routes) == []
    assert {(route, name) for route, body in routes.items() for name in body or ()} - known == set()


def test_a_route_without_a_row_is_found() -> None:
    assert unclassified({"GET /tools/find": None, "POST /tools/find": [], "GET /instances/{id}/new": None}) == [
        "GET /tools/find",
        "GET /instances/{id}/new",
    ]


@pytest.mark.parametrize("route", [*DICOMWEB, *CLIENT, *UNDESCRIBED])
def test_every_route_of_dicomweb_and_every_static_page_has_a_row(route: str) -> None:
    assert classify(*example(route), {}) is not None


def test_every_row_of_the_core_is_of_a_route_that_some_orthanc_has() -> None:
    routes = {route for each in stored().values() for route in each}
    reached = {classify(*example(route), {}) for route in (*routes, *UNDESCRIBED)}
    rows = {match.route for match in reached if match}
    attachments = [row for row in CORE if "/attachments/dicom" in row.path]
    contents = [row for row in CORE if row.path.endswith("/content")]
    assert set(CORE) - rows == {*attachments, *contents} - rows


def test_nobody_s_body_is_let_through_to_the_core_unread() -> None:
    takes_body = {example(route) for each in stored().values() for route, body in each.items() if body is not None}
    matches = [match for method, path in takes_body if (match := classify(method, path, {}))]
    passing = {match.door for match in matches if match.route.kind not in (Kind.BODY, Kind.FORBIDDEN)}
    assert passing == {"POST /instances", "POST /modalities/{modality}/echo"}


def test_our_own_calls_are_below_our_own_path() -> None:
    assert all(row.path.startswith("/consentgate/") for row in OWN)
    assert len(ROUTES) == len({(row.method, row.path) for row in ROUTES})
