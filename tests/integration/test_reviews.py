"""Nothing leaves anonymised by any door before a named person has confirmed the picture, nor after it was rejected.

One Orthanc, in three chapters: before the review, after the confirmation, after the rejection. Each chapter asks at
every door that could give a copy of patient B's picture to a recipient that is bound to the form ANONYMISED.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from demo.peers import wait_until
from orthanc_plugin.policy.reviewing import CHECKLIST
from tests.integration.doorways import configured
from tests.integration.photographed import Wanted, of_answer, photographed

LECTURER = """
[[users]]
name = "lecturer"
roles = ["send"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"

"""
REGION = (32, 32, 64, 48)
KEPT_ROWS = 160  # of the picture, once it is cropped: whole blocks
SUCCESS = 0x0000


@dataclass(frozen=True, kw_only=True)
class Gallery(Wanted):
    """The archive and the picture that is asked for."""

    def ask(self, method: str, path: str, account: str = "teacher", body: object = None) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        return self.server.ask(method, path, account, content=content)

    def review(self, tail: str, **body: object) -> dict[str, object]:
        """Take a step of the review as the reviewer."""
        path = f"/consentgate/reviews/{self.picture.SOPInstanceUID}/{tail}"
        answer = self.ask("POST", path, "reviewer", {"profile": "teaching", **body})
        assert answer.status_code == 200, answer.text
        said: dict[str, object] = answer.json()
        return said


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with opened(tmp_path_factory.mktemp("gallery")) as made:
        yield made


@contextmanager
def opened(folder: Path) -> Iterator[Gallery]:
    """Start an archive with patient B's picture, which everybody may ask for and nobody has looked at."""
    server, work = configured(folder / "orthanc"), folder / "work"
    policy, orthanc = server.folder / "policy.toml", server.folder / "orthanc.json"
    extended = f'\n{LECTURER}[profiles.teaching]\nextends = "publication"'
    policy.write_text(policy.read_text().replace("\n[profiles.teaching]", extended))
    orthanc.write_text(orthanc.read_text().replace('"derm":', '"lecturer": "a password of the test",\n    "derm":'))
    with photographed(server, work) as journey:
        yield Gallery(server=server, journey=journey, picture=pydicom.dcmread(journey.wrapped["B"].file))


Door = Callable[[Gallery], list[bytes]]


def by_http(method: str, path: str, level: str = "instances", body: object = None) -> Door:
    """Return a door of HTTP; ``{}`` stands for the picture, or what it is in."""
    return lambda gallery: of_answer(gallery.ask(method, path.format(gallery.named(level)), body=body))


def by_uids(path: str) -> Door:
    def ask(gallery: Gallery) -> list[bytes]:
        said = gallery.picture
        names = {"st": said.StudyInstanceUID, "se": said.SeriesInstanceUID, "uid": said.SOPInstanceUID}
        return of_answer(gallery.ask("GET", path.format(**names)))

    return ask


def create_archive(gallery: Gallery) -> list[bytes]:
    return of_answer(gallery.ask("POST", "/tools/create-archive", body=[gallery.named("studies")]))


def arrived(gallery: Gallery, count: int) -> list[bytes]:
    receiver = gallery.journey.at_teaching
    wait_until(lambda: len(receiver.received) >= count, 10 if count else 0.5)
    found = []
    for each in receiver.take():
        buffer = io.BytesIO()
        each.save_as(buffer, enforce_file_format=True)
        found.append(buffer.getvalue())
    return found


def store(gallery: Gallery) -> list[bytes]:
    body = {"Resources": [gallery.named("instances")], "Synchronous": True}
    answer = gallery.ask("POST", "/modalities/teaching/store", "lecturer", body)
    return arrived(gallery, int(answer.status_code == 200))


def move(level: str, *keywords: str) -> Door:
    def ask(gallery: Gallery) -> list[bytes]:
        named = {keyword: str(gallery.picture[keyword].value) for keyword in keywords}
        return arrived(gallery, int(gallery.journey.teaching.move("TEACHING", level, **named) == SUCCESS))

    return ask


UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# Doors that give anonymised copies, once they may.
COPYING: dict[str, Door] = {
    "anonymize": by_http("POST", "/instances/{}/anonymize", body={}),
    "archive of a series": by_http("GET", "/series/{}/archive", "series"),
    "archive of a study": by_http("GET", "/studies/{}/archive", "studies"),
    "archive of a patient": by_http("GET", "/patients/{}/archive", "patients"),
    "archive of what is named": create_archive,
    "medium of a study": by_http("GET", "/studies/{}/media", "studies"),
    "store": store,
    "C-MOVE of a study": move("STUDY", *UIDS[:1]),
    "C-MOVE of a series": move("SERIES", *UIDS[:2]),
    "C-MOVE of a picture": move("IMAGE", *UIDS),
}
# Doors that give originals only, so nothing at all to whoever may only have a copy.
ORIGINAL: dict[str, Door] = {
    "file": by_http("GET", "/instances/{}/file"),
    "preview": by_http("GET", "/instances/{}/preview"),
    "rendered": by_http("GET", "/instances/{}/rendered"),
    "raw frame": by_http("GET", "/instances/{}/frames/0/raw"),
    "pixel data": by_http("GET", "/instances/{}/content/7fe0-0010/1"),
    "tags": by_http("GET", "/instances/{}/tags"),
    "instances of a study": by_http("GET", "/studies/{}/instances", "studies"),
    "WADO-URI": by_uids("/wado?requestType=WADO&studyUID={st}&seriesUID={se}&objectUID={uid}"),
    "WADO-RS of a study": by_uids("/dicom-web/studies/{st}"),
    "WADO-RS of a picture": by_uids("/dicom-web/studies/{st}/series/{se}/instances/{uid}"),
    "WADO-RS frames": by_uids("/dicom-web/studies/{st}/series/{se}/instances/{uid}/frames/1"),
    "WADO-RS rendered": by_uids("/dicom-web/studies/{st}/series/{se}/instances/{uid}/rendered"),
}


def left(gallery: Gallery) -> dict[str, list[bytes]]:
    """Ask at every door; return what left by each."""
    return {name: found for name, door in {**COPYING, **ORIGINAL}.items() if (found := door(gallery))}


def frame(content: bytes) -> bytes:
    said = pydicom.dcmread(io.BytesIO(content))
    return next(generate_frames(said.PixelData, number_of_frames=1))


def holds_the_confirmed_picture(gallery: Gallery, content: bytes, seen: bytes) -> None:
    """Check a copy: cropped, the region blank, the rest as it was, and the whole is what the reviewer was shown."""
    copy = pydicom.dcmread(io.BytesIO(content))
    claims = ("PatientIdentityRemoved", "BurnedInAnnotation", "RecognizableVisualFeatures")
    assert [copy[keyword].value for keyword in claims] == ["YES", "NO", "NO"]
    assert {"113101", "113102"} <= {str(each.CodeValue) for each in copy.DeidentificationMethodCodeSequence}
    assert frame(content) == seen
    x, y, width, height = REGION
    before, after = gallery.picture.pixel_array[:KEPT_ROWS], copy.pixel_array
    assert before.shape == after.shape
    blank = after[y : y + height, x : x + width]
    assert np.ptp(blank.reshape(-1, 3), axis=0).max() == 0
    assert np.ptp(before[y : y + height, x : x + width].reshape(-1, 3), axis=0).max() > 0
    beside = (slice(y + height + 32, KEPT_ROWS - 1), slice(None))  # a decoder draws the cut edge otherwise
    assert np.array_equal(before[beside], after[beside])


def test_no_copy_leaves_by_any_door_but_of_what_a_named_person_confirmed(gallery: Gallery) -> None:
    assert left(gallery) == {}
    (waiting,) = gallery.ask("GET", "/consentgate/reviews", "reviewer").json()["reviews"]
    assert (waiting["image"], waiting["state"]) == (str(gallery.picture.SOPInstanceUID), "WAITING")
    assert set(waiting["requesters"]) == {"teacher", "TEACHING", "lecturer"}
    gallery.review("opening")
    gallery.review("regions", regions=[REGION], crop=[0, 0, int(gallery.picture.Columns), KEPT_ROWS + 5])
    assert left(gallery) == {}  # regions are no confirmation
    seen = f"/consentgate/reviews/{waiting['image']}/picture?profile=teaching"
    outlined = gallery.ask("GET", f"{seen}&outlined=true", "reviewer")
    assert (outlined.status_code, outlined.headers["Content-Type"]) == (200, "image/jpeg")
    shown = gallery.ask("GET", seen, "reviewer")
    assert shown.content != outlined.content
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
    refused = gallery.ask("GET", seen, "teacher")
    assert refused.status_code == 403
    answers = {**dict.fromkeys(CHECKLIST, "NOT_SHOWN"), "face": "COVERED"}
    assert gallery.review("confirmation", answers=answers)["anonymisable"] == "YES"
    found = left(gallery)
    assert list(found) == list(COPYING)
    for copies in found.values():
        (content,) = copies
        holds_the_confirmed_picture(gallery, content, shown.content)
    gallery.review("rejection", reason="A ring that the family knows.")
    assert left(gallery) == {}
    verified = gallery.server.consentgate("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
