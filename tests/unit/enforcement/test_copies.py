"""Copies that the core would derive: refused with what to do instead, but for the profile's own of one picture."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.fakes.exits import NOBODY, Asking, world_with_senders
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.dicomwrap.objects import PATIENT

LEVELS = ("patients", "studies", "series")
REFUSED = (
    *(f"/{level}/{NOBODY}/{verb}" for level in LEVELS for verb in ("modify", "anonymize")),
    *(f"/studies/{NOBODY}/{verb}" for verb in ("split", "merge")),
    "/tools/bulk-modify",
    "/tools/bulk-anonymize",
    f"/instances/{NOBODY}/modify",
)


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    world = world_with_senders(tmp_path)
    world.file(CARE, TEACHING)
    world.review()
    yield Asking(world=world)
    world.close()


@pytest.mark.parametrize("path", REFUSED)
def test_a_copy_without_a_consent_is_refused_and_what_to_do_is_said(asking: Asking, path: str) -> None:
    for name in (NOBODY, asking.instance()):
        given = asking.post(path.replace(NOBODY, name), {"Replace": {"PatientID": "X"}, "Force": True})
        assert given.status == 403
        assert "consent" in str(given.json["error"])
        assert "policy.toml" in str(given.json["remedy"]) or "consentgate" in str(given.json["remedy"])


def test_an_anonymised_copy_of_one_picture_is_the_profile_s_and_on_record(asking: Asking) -> None:
    given = asking.post(f"/instances/{asking.instance()}/anonymize", {}, "lecturer")
    assert (given.status, given.headers["Content-Type"]) == (200, "application/dicom")
    dataset = dcmread(BytesIO(given.content))
    assert (dataset.PatientIdentityRemoved, dataset.SOPInstanceUID == UID) == ("YES", False)
    assert PATIENT.id.encode() not in given.content
    (disclosure,) = asking.world.disclosures()
    assert (disclosure["released_uid"], disclosure["form"]) == (dataset.SOPInstanceUID, "PERMIT_ANONYMISED")
    assert asking.world.archive.sent == []


@pytest.mark.parametrize(
    ("account", "body", "status", "words"),
    [
        ("sender", {}, 403, "not bound to the form ANONYMISED"),
        ("lecturer", {"Keep": ["PatientName"]}, 400, "Keep"),
        ("lecturer", {"Force": True}, 400, "Force"),
        ("lecturer", ["x"], 400, "Resources"),
        ("uploader", {}, 403, "role"),
    ],
)
def test_what_it_keeps_is_not_the_caller_s_to_say(
    asking: Asking, account: str, body: object, status: int, words: str
) -> None:
    given = asking.post(f"/instances/{asking.instance()}/anonymize", body, account)
    assert (given.status, words in str(given.json["error"])) == (status, True)
    assert asking.world.disclosures() == []


def test_after_a_withdrawal_there_is_none_and_of_an_unknown_picture_neither(asking: Asking) -> None:
    asking.world.withdraw()
    for name in (asking.instance(), NOBODY):
        given = asking.post(f"/instances/{name}/anonymize", {}, "lecturer")
        (refused,) = given.json["refused"]  # type: ignore[misc]
        assert (given.status, refused["resource"], len(refused["decisions"])) == (403, name, 1)
    assert asking.world.disclosures() == []
