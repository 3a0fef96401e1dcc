"""Uploads at the HTTP filter: what headers tell of them, and who may send STOW-RS straight to Orthanc."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from tests.fakes.world import SETTINGS, World, make_world

INTERNAL = Credentials(user="consentgate", password="p", secret="the-secret")
POST = 2
STOW = ("/dicom-web/studies", "/dicom-web/studies/", "/dicom-web/studies/2.25.1")


@pytest.fixture(params=["direct", "guarded"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, settings=SETTINGS + f'[uploads]\nstow = "{request.param}"\n')
    yield made
    made.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, settings=SETTINGS + '[uploads]\nstow = "guarded"\n')
    yield made
    made.close()


def sends(world: World, uri: str, account: str = "uploader", **headers: str) -> bool:
    said = {"Authorization": "Basic " + base64.b64encode(f"{account}:p".encode()).decode()}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    hook = HttpFilter(world.services, INTERNAL, world.worker()).hook
    return hook(uri, method=POST, ip="127.0.0.1", headers=said, get={})


@pytest.mark.parametrize("uri", STOW)
def test_stow_passes_the_guard_where_that_is_wanted(uri: str, guarded: World) -> None:
    for shown in (
        {},
        {"X_Consentgate_Guard": ""},
        {"X_Consentgate_Guard": "the-secre"},
        {"X_Consentgate_Boot": "the-secret"},
    ):
        assert sends(guarded, uri, **shown) is False
        assert guarded.last_rules() == ["UNGUARDED_UPLOAD"]
    assert sends(guarded, uri, X_Consentgate_Guard="the-secret") is True


def test_the_guard_lends_nobody_a_role(guarded: World) -> None:
    assert sends(guarded, STOW[0], "derm", X_Consentgate_Guard="the-secret") is False
    assert guarded.last_rules() == ["ROLE_MISSING"]
    assert sends(guarded, "/modalities/x/store-straight", "uploader", X_Consentgate_Guard="the-secret") is False


@pytest.mark.parametrize("uri", STOW)
def test_elsewhere_an_account_sends_stow_itself(uri: str, world: World) -> None:
    assert sends(world, uri) is True


def test_one_object_needs_no_guard_because_intake_sees_it_first(either: World) -> None:
    assert sends(either, "/instances") is True


@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP", "br", "identity, gzip", ""])
@pytest.mark.parametrize("uri", ["/instances", "/dicom-web/studies"])
def test_nothing_compressed_is_taken(uri: str, coding: str, either: World) -> None:
    assert sends(either, uri, Content_Encoding=coding, X_Consentgate_Guard="the-secret") is False
    assert either.last_rules() == ["COMPRESSED_BODY"]
    assert sends(either, uri, Content_Encoding="identity", X_Consentgate_Guard="the-secret") is True
