"""Media: archives with a DICOMDIR over exactly what is in them, opened by pydicom."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet

from orthanc_plugin.enforcement import archives
from tests.fakes.exits import NOBODY, OTHER, THIRD, Asking, Given, refuse, world_with_senders
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World

CREATE = ("/tools/create-media", "/tools/create-media-extended")
MANIFEST = ["MANIFEST.json", "MANIFEST.txt"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = world_with_senders(tmp_path / "world")
    for uid in (UID, OTHER, THIRD):
        made.file(CARE, TEACHING, uid=uid)
        made.review(uid)
    yield made
    made.close()


@pytest.fixture(params=[True, False], ids=["streamed", "collected"])
def asking(world: World, request: pytest.FixtureRequest) -> Asking:
    return Asking(world=world, streams=request.param)


def opened(given: Given, folder: Path) -> dict[str, bytes]:
    """Return the objects on a medium by their UID, as who goes by its DICOMDIR finds them."""
    assert given.status == 200, given.content
    given.zip.extractall(folder)
    made = FileSet(folder / "DICOMDIR")
    assert len(list((folder / "IMAGES").iterdir())) == len(made)
    return {str(each.SOPInstanceUID): Path(each.path).read_bytes() for each in made}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("level", ["patients", "studies", "series"])
def test_a_medium_of_a_level_has_a_directory_of_the_very_pictures(
    asking: Asking, level: str, method: str, tmp_path: Path
) -> None:
    row = asking.world.row()
    name = {"patients": row.orthanc_patient, "studies": row.orthanc_study, "series": row.orthanc_series}[level]
    given = asking.call(method, f"/{level}/{name}/media")
    assert given.zip.namelist() == [*(f"IMAGES/IM00000{at}" for at in (1, 2, 3)), "DICOMDIR", *MANIFEST]
    assert opened(given, tmp_path) == {
        uid: asking.world.archive.objects[asking.instance(uid)] for uid in (UID, OTHER, THIRD)
    }
    assert [each["file"] for each in given.manifest["files"]] == given.zip.namelist()[:3]  # type: ignore[index, attr-defined]
    assert {each["outcome"] for each in asking.world.disclosures()} == {"DELIVERED"}


@pytest.mark.parametrize("path", CREATE)
def test_a_medium_of_what_is_named_is_made_by_either_method(asking: Asking, path: str, tmp_path: Path) -> None:
    both = [asking.instance(UID), asking.instance(OTHER)]
    for number, given in enumerate((asking.get(f"{path}?resources={','.join(both)}"), asking.post(path, both))):
        assert set(opened(given, tmp_path / str(number))) == {UID, OTHER}


def test_what_may_not_leave_is_neither_on_the_medium_nor_in_its_directory(asking: Asking, tmp_path: Path) -> None:
    refuse(asking.world)
    given = asking.get(f"/studies/{asking.world.row().orthanc_study}/media")
    assert set(opened(given, tmp_path)) == {UID, THIRD}
    assert OTHER.encode() not in given.zip.read("DICOMDIR")
    (left_out,) = given.manifest["left_out"]  # type: ignore[misc]
    assert (left_out["named"], left_out["pictures"]) == (1, 1)


def test_a_directory_of_anonymised_copies_says_nothing_that_they_do_not_say(asking: Asking, tmp_path: Path) -> None:
    given = asking.get(f"/studies/{asking.world.row().orthanc_study}/media", "lecturer")
    copies = opened(given, tmp_path)
    original = dcmread(BytesIO(asking.world.archive.objects[asking.instance(UID)]))
    told = {str(each.value) for each in dcmread(tmp_path / "DICOMDIR").iterall()}
    keywords = ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    assert told.isdisjoint(str(original[keyword].value) for keyword in keywords)
    assert set(copies).isdisjoint({UID, OTHER, THIRD})


@pytest.mark.parametrize("path", ["/studies/{}/media", *CREATE])
def test_of_what_nobody_knows_there_is_no_medium(asking: Asking, path: str) -> None:
    assert asking.post(path.format(NOBODY), [NOBODY] if path in CREATE else None).status == 403


def test_more_than_a_directory_takes_is_refused_and_of_whom_nothing_may_leave_is_not_counted(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_ON_MEDIUM", 2)
    row = asking.world.row()
    for name in (f"studies/{row.orthanc_study}", f"patients/{row.orthanc_patient}"):
        given = asking.get(f"/{name}/media")
        assert (given.status, "archive" in str(given.json["remedy"])) == (413, True)
    assert asking.world.disclosures() == []
    asking.world.withdraw()
    assert asking.get(f"/patients/{row.orthanc_patient}/media").status == 403
