"""Other people in a photograph: once two persons have agreed, every door of a real Orthanc hides them, or says no.

One Orthanc, in three chapters: as it was, hidden, and as it was again after two persons have said so. Each chapter
asks at every door that gives the team that treats the patient a picture.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import numpy as np
import pydicom
import pytest

from demo.peers import wait_until
from tests.integration.doorways import configured
from tests.integration.photographed import Wanted, of_answer, photographed

REGION = (32, 32, 64, 48)
FIRST, SECOND = "reviewer", "only-review"
SUCCESS = 0x0000


@dataclass(frozen=True, kw_only=True)
class Ward(Wanted):
    """The archive and the picture that is asked for, in which somebody else is shown."""

    def step(self, tail: str, account: str, **body: object) -> httpx.Response:
        """Take a step by which others are hidden."""
        path = f"/consentgate/reviews/{self.picture.SOPInstanceUID}/{tail}"
        return self.server.ask("POST", path, account, content=json.dumps({"others": True, **body}).encode())

    def looks(self, account: str) -> bytes:
        """Have somebody open the picture, and return what they are shown."""
        assert self.step("opening", account).status_code == 200
        shown = self.server.ask(
            "GET", f"/consentgate/reviews/{self.picture.SOPInstanceUID}/picture?others=true", account
        )
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg"), shown.text
        return shown.content


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    server, work = configured(folder / "orthanc"), folder / "work"
    with photographed(server, work) as journey:
        yield Ward(server=server, journey=journey, picture=pydicom.dcmread(journey.wrapped["B"].file))


Door = Callable[[Ward], list[bytes]]


def by_http(path: str, level: str = "instances") -> Door:
    return lambda ward: of_answer(ward.server.ask("GET", path.format(ward.named(level)), "derm"))


def by_uids(path: str) -> Door:
    def ask(ward: Ward) -> list[bytes]:
        said = ward.picture
        names = {"st": said.StudyInstanceUID, "se": said.SeriesInstanceUID, "uid": said.SOPInstanceUID}
        return of_answer(ward.server.ask("GET", path.format(**names), "derm"))

    return ask


def arrived(ward: Ward, count: int) -> list[bytes]:
    receiver = ward.journey.at_workstation
    wait_until(lambda: len(receiver.received) >= count, 10 if count else 0.5)
    found = []
    for each in receiver.take():
        buffer = io.BytesIO()
        each.save_as(buffer, enforce_file_format=True)
        found.append(buffer.getvalue())
    return found


def store(ward: Ward) -> list[bytes]:
    body = {"Resources": [ward.named("instances")], "Synchronous": True}
    answer = ward.server.ask("POST", "/modalities/dermatology/store", "sender", content=json.dumps(body).encode())
    return arrived(ward, int(answer.status_code == 200))


def move(ward: Ward) -> list[bytes]:
    status = ward.journey.workstation.move("DERMWS", StudyInstanceUID=ward.picture.StudyInstanceUID)
    return arrived(ward, int(status == SUCCESS))


COPYING: dict[str, Door] = {
    "archive of a study": by_http("/studies/{}/archive", "studies"),
    "medium of a study": by_http("/studies/{}/media", "studies"),
    "store": store,
    "C-MOVE": move,
}
STORED: dict[str, Door] = {
    "file": by_http("/instances/{}/file"),
    "preview": by_http("/instances/{}/preview"),
    "rendered": by_http("/instances/{}/rendered"),
    "raw frame": by_http("/instances/{}/frames/0/raw"),
    "pixel data": by_http("/instances/{}/content/7fe0-0010/1"),
    "tags": by_http("/instances/{}/tags"),
    "WADO-URI": by_uids("/wado?requestType=WADO&studyUID={st}&seriesUID={se}&objectUID={uid}"),
    "WADO-RS of a study": by_uids("/dicom-web/studies/{st}"),
    "WADO-RS of a picture": by_uids("/dicom-web/studies/{st}/series/{se}/instances/{uid}"),
    "WADO-RS frames": by_uids("/dicom-web/studies/{st}/series/{se}/instances/{uid}/frames/1"),
    "WADO-RS rendered": by_uids("/dicom-web/studies/{st}/series/{se}/instances/{uid}/rendered"),
}


def left(ward: Ward) -> dict[str, list[bytes]]:
    """Ask at every door; return what left by each."""
    return {name: found for name, door in {**COPYING, **STORED}.items() if (found := door(ward))}


def require_hidden(ward: Ward, content: bytes) -> None:
    """Check a copy: grey in the region, far from it what it was, and the patient's still."""
    copy = pydicom.dcmread(io.BytesIO(content))
    assert (copy.PatientID, copy.SourceImageSequence[0].ReferencedSOPInstanceUID) == (
        ward.picture.PatientID,
        ward.picture.SOPInstanceUID,
    )
    assert copy.SOPInstanceUID != ward.picture.SOPInstanceUID
    x, y, width, height = REGION
    before, after = ward.picture.pixel_array, copy.pixel_array
    assert before.shape == after.shape
    inside = (slice(y, y + height), slice(x, x + width))
    assert np.ptp(after[inside].reshape(-1, 3), axis=0).max() == 0
    assert np.ptp(before[inside].reshape(-1, 3), axis=0).max() > 0
    below = (slice(y + height + 32, None), slice(None))
    assert np.array_equal(before[below], after[below])


def test_two_persons_hide_somebody_at_every_door_and_two_show_them_again(ward: Ward) -> None:
    assert list(left(ward)) == [*COPYING, *STORED]
    ward.looks(FIRST)
    assert ward.step("regions", FIRST, regions=[REGION]).status_code == 200
    assert ward.step("confirmation", FIRST).status_code == 403
    assert list(left(ward)) == [*COPYING, *STORED]  # one person's word changes nothing for the patient's treatment
    ward.looks(SECOND)
    assert ward.step("confirmation", SECOND).status_code == 200
    found = left(ward)
    assert list(found) == list(COPYING)
    for copies in found.values():
        (content,) = copies
        require_hidden(ward, content)
    assert ward.step("rejection", SECOND, reason="A poster.").status_code == 200
    assert list(left(ward)) == list(COPYING)
    assert ward.step("rejection", FIRST, reason="A poster.").status_code == 200
    assert list(left(ward)) == [*COPYING, *STORED]
    verified = ward.server.consentgate("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
