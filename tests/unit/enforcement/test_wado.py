"""WADO-RS of a study or series: the stored bytes or the header of every picture, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import JPEGBaseline8Bit

from orthanc_plugin.enforcement.rest import RestDoor
from orthanc_plugin.enforcement.wado import header_json
from tests.fakes.core import CoreSimulator
from tests.fakes.exits import OTHER, THIRD, Asking, Given, endpoints_of, refuse, world_with_senders
from tests.fakes.orthanc import StreamOutput
from tests.fakes.pictures import CARE, TEACHING, UID, ct, encoded, photograph
from tests.fakes.world import World
from tests.unit.enforcement.test_http import basic

STUDY = "/dicom-web/studies/{0.study_instance_uid}"
SERIES = STUDY + "/series/{0.series_instance_uid}"
LEVELS = pytest.mark.parametrize("level", [STUDY, SERIES])
TAILS = pytest.mark.parametrize("tail", ["", "/metadata"])
OBJECTS = 'multipart/related; type="application/dicom"'
UNCOMPRESSED = "1.2.840.10008.1.2.1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = world_with_senders(tmp_path)
    for uid in (UID, OTHER):
        made.file(CARE, TEACHING, uid=uid)
    yield made
    made.close()


@pytest.fixture(params=[True, False], ids=["streamed", "collected"])
def asking(world: World, request: pytest.FixtureRequest) -> Asking:
    return Asking(world=world, streams=request.param, core=CoreSimulator(archive=world.archive))


def get(asking: Asking, path: str, account: str = "sender", **headers: str) -> Given:
    return asking.call("GET", path.format(asking.world.row()), account, **headers)


def parts(given: Given) -> list[bytes]:
    """Return the parts of a multipart answer, as the standard library's parser for mail finds them."""
    assert given.status == 200, given.content
    head = f"Content-Type: {given.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + given.content)
    assert message.is_multipart()
    assert message.defects == []
    found = [part for part in message.get_payload() if isinstance(part, Message)]
    assert {part.get_content_type() for part in found} == {"application/dicom"}
    return [part.get_payload(decode=True) for part in found]  # type: ignore[misc]


def whole(given: Given) -> bool:
    boundary = given.headers["Content-Type"].partition("boundary=")[2].strip('"')
    return given.content.endswith(f"--{boundary}--\r\n".encode())


def stored(world: World) -> list[bytes]:
    return [world.archive.objects[world.row(uid).orthanc_instance] for uid in (UID, OTHER)]


@LEVELS
def test_the_stored_bytes_of_every_picture_leave_and_each_decision_is_on_record(level: str, asking: Asking) -> None:
    before = len(asking.world.trail())
    given = get(asking, level)
    assert (parts(given), whole(given)) == (stored(asking.world), True)
    entries = asking.world.trail()[before:]
    assert [(each["subject"], each["effect"]) for each in entries] == [
        (uid, "PERMIT_IDENTIFIABLE") for uid in (UID, OTHER)
    ]


@LEVELS
@TAILS
def test_one_refused_picture_refuses_all_and_nothing_is_read(level: str, tail: str, asking: Asking) -> None:
    refuse(asking.world)
    asking.world.archive.objects.clear()
    before = len(asking.world.trail())
    given = get(asking, level + tail)
    assert (given.status, OTHER in given.content.decode()) == (403, False)
    (entry,) = asking.world.trail()[before:]
    assert (entry["subject"], entry["effect"]) == (OTHER, "DENY")
    assert given.json["refused"][0]["reasons"] == entry["reasons"]  # type: ignore[index]


@TAILS
def test_a_series_is_not_found_in_another_study_nor_an_unknown_one_anywhere(tail: str, asking: Asking) -> None:
    row = asking.world.row()
    for path in (f"/dicom-web/studies/2.25.404/series/{row.series_instance_uid}", "/dicom-web/studies/2.25.404"):
        assert asking.get(path + tail).status == 403
        assert asking.world.last_rules() == ["UNKNOWN_IMAGE"]


@TAILS
def test_what_may_leave_anonymised_only_does_not_leave_by_its_uid(tail: str, asking: Asking) -> None:
    for uid in (UID, OTHER):
        asking.world.review(uid)
    assert get(asking, STUDY + tail, "lecturer").status == 403


@TAILS
def test_an_object_that_is_not_the_one_accepted_does_not_leave(tail: str, asking: Asking) -> None:
    asking.world.archive.objects[asking.world.row().orthanc_instance] = encoded(photograph(uid=UID, ImageComments="x"))
    given = get(asking, STUDY + tail)
    assert (given.status, b"DICM" in given.content) == (403, False)


class Client(StreamOutput):
    """A client that does something else once it has taken the first piece."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.pieces: list[bytes] = []

    def SendStreamChunk(self, piece: bytes) -> None:  # noqa: N802 - the SDK's name
        self.pieces.append(piece)
        if len(self.pieces) == 1:
            self.meanwhile()


def streamed(world: World, meanwhile: Callable[[], object]) -> Given:
    """Return what a client has of a study when something happens after the first object."""
    path, client = STUDY.format(world.row()), Client(meanwhile)
    endpoints = endpoints_of(world, path, CoreSimulator(archive=world.archive))
    door = RestDoor(world.services, endpoints, world.worker(), streams=True)
    door.hook(client, path, method="GET", headers={"authorization": basic("sender")}, groups=(), get={})
    return Given(status=client.status, content=b"".join(client.pieces), headers=client.headers)


def test_a_withdrawal_stops_what_is_still_to_go_and_the_answer_is_not_whole(world: World) -> None:
    given = streamed(world, world.withdraw)
    assert (stored(world)[0] in given.content, stored(world)[1] in given.content) == (True, False)
    assert not whole(given)


def test_a_picture_that_comes_in_meanwhile_is_not_in_the_answer(world: World) -> None:
    refuse(world, THIRD)
    given = streamed(world, lambda: world.receive(encoded(photograph(uid=THIRD))))
    assert (parts(given), whole(given)) == (stored(world), True)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 200),
        ("*/*", 200),
        ("multipart/related", 200),
        (OBJECTS, 200),
        ("multipart/related;type=application/dicom;transfer-syntax=*", 200),
        (f"{OBJECTS}; transfer-syntax={JPEGBaseline8Bit}", 200),
        (f'{OBJECTS}; transfer-syntax="{UNCOMPRESSED}", {OBJECTS}; transfer-syntax={JPEGBaseline8Bit}', 200),
        (f"{OBJECTS}; transfer-syntax={UNCOMPRESSED}", 406),
        ('multipart/related; type="application/octet-stream"', 406),
        ('multipart/related; type="image/jpeg"', 406),
        ("application/zip", 406),
        ("application/dicom+json", 406),
    ],
)
def test_objects_leave_as_they_are_stored_or_not_at_all(accept: str, status: int, asking: Asking) -> None:
    given = get(asking, STUDY, accept=accept)
    assert given.status == status
    assert status == 200 or "transfer-syntax=*" in str(given.json["remedy"])


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 200),
        ("application/dicom+json", 200),
        ("application/json", 200),
        ('multipart/related; type="application/dicom+xml"', 406),
    ],
)
def test_metadata_is_dicom_json(accept: str, status: int, asking: Asking) -> None:
    assert get(asking, SERIES + "/metadata", accept=accept).status == status


@LEVELS
def test_metadata_is_what_is_in_the_stored_headers(level: str, asking: Asking) -> None:
    given = get(asking, level + "/metadata")
    assert (given.status, given.headers["Content-Type"]) == (200, "application/dicom+json")
    told = json.loads(given.content)
    assert [each["00080018"]["Value"] for each in told] == [[UID], [OTHER]]
    for each, content in zip(told, stored(asking.world), strict=True):
        header = dcmread(BytesIO(content))
        header[0x00080005].value = "ISO_IR 192"
        place = f"/dicom-web/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}"
        place = f"{place}/instances/{header.SOPInstanceUID}/bulk"
        assert each["7FE00010"] == {"vr": "OB", "BulkDataURI": f"{place}/7fe00010"}
        del header.PixelData
        own = {tag: element for tag, element in header.to_json_dict().items() if element.get("Value")}
        assert {tag: each[tag] for tag in own} == own


def test_binary_values_are_told_by_their_place_in_sequences_too_and_unreadable_ones_not_at_all(world: World) -> None:
    item = Dataset()
    item.add_new(0x7FE00010, "OW", b"1234")
    item.add_new(0x00091001, "UN", b"")
    dataset = ct(IconImageSequence=[Dataset(), item])
    dataset.add_new(0x00189073, "FD", float("nan"))
    told = json.loads(header_json(encoded(dataset), world.row()))
    assert told["00880200"]["Value"] == [
        {},
        {
            "00091001": {"vr": "UN"},
            "7FE00010": {
                "vr": "OW",
                "BulkDataURI": f"/dicom-web/studies/2.25.1/series/2.25.2/instances/{UID}/bulk/00880200/2/7fe00010",
            },
        },
    ]
    assert "00189073" not in told
