"""A test per row of the table of exits, made from the table itself, on a real Orthanc.

Without a grant nothing leaves, with one the right bytes do, and the trail has the decision under the row's name. The
answers are read by an independent client: bytes, pydicom and Pillow.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from typing import TypeVar

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat
from pydicom.encaps import generate_frames

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.route import Kind, Route
from tests.integration.doorways import FORM, Doors, Stored
from tests.integration.needles import found, pictures

WITH_ROLE = {
    Role.VIEW: "derm",
    Role.LIST: "derm",
    Role.STORE: "porter",
    Role.SEND: "sender",
    Role.ADMIN: "admin",
    Role.CONSENT: "epr",
    Role.TASKS: "governance",
    Role.BREAK_GLASS: "registrar",
    None: "derm",
    Role.REVIEW: "reviewer",
    Role.FACTS: f"only-{Role.FACTS}",
}
WORDS = {
    "frame": "0",
    "frames": "1",
    "name": "1024",
    "rest": "0010-0010",
    "modality": "teaching",
    "peer": "other",
    "consent": "urn:uuid:unknown",
    "task": "unknown",
    "approval": "unknown",
}
WADO = "?requestType=WADO&objectUID={instance_uid}&studyUID={study_uid}&seriesUID={series_uid}"


def named(row: Route) -> str:
    return f"{row.method} {row.path}"


def rows(*kinds: Kind) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [row for row in ROUTES if row.kind in kinds], ids=named)


def path_of(row: Route, stored: Stored) -> str:
    names = {**WORDS, **stored.named()}
    query = "?resources={study},{instance}" if row.path.startswith("/tools/create-") and row.method == "GET" else ""
    return (row.path + (WADO if row.path == "/wado" else query)).format_map(_Known(names))


class _Known(dict[str, str]):
    """Names of placeholders; one that no test knows is a word."""

    def __missing__(self, key: str) -> str:
        return "unknown"


def body_of(row: Route, stored: Stored) -> bytes:
    """Return a body that asks for as much of ``stored`` as the route can give."""
    names, whole = stored.named(), [stored.named()[key] for key in ("study", "series", "instance")]
    if row.path == "/tools/lookup":
        return str(stored.dataset.PatientID).encode()
    keep = {"Keep": ["PatientName", "PatientID", "SOPInstanceUID"], "Force": True}
    by_verb: dict[str, dict[str, object]] = {
        "find": {"Level": "Instance", "Query": {"PatientID": str(stored.dataset.PatientID)}, "Expand": True},
        "count-resources": {"Level": "Instance", "Query": {"PatientID": str(stored.dataset.PatientID)}},
        "bulk-content": {"Resources": whole, "Level": "Instance"},
        "modify": {"Replace": {"PatientComments": "seen"}, "Force": True},
        "anonymize": keep,
        "bulk-modify": {"Resources": whole, "Replace": {"PatientComments": "seen"}, "Force": True},
        "bulk-anonymize": {"Resources": whole, **keep},
        "split": {"Series": [names["series"]]},
        "archive": {},
        "media": {},
    }
    return json.dumps(by_verb.get(row.path.rpartition("/")[2], {"Resources": whole})).encode()


def ask(doors: Doors, row: Route, account: str, stored: Stored) -> tuple[httpx.Response, bytes]:
    """Return the answer, and all that the request itself has said."""
    path = path_of(row, stored)
    body = body_of(row, stored) if row.method in ("POST", "PUT") else b""
    answer = doors.ask(row.method, path, account, headers={"Accept": "*/*"}, content=body)
    return answer, path.encode() + body


def entry_of(doors: Doors, row: Route, before: int) -> dict[str, object]:
    """Return the trail's entry on the request, which there must be."""
    entries = [entry for entry in doors.entries_since(before) if entry["door"] == named(row)]
    assert entries, f"the trail has no entry for {named(row)}"
    return entries[0]


@rows(*(set(Kind) - {Kind.FORBIDDEN}))
def test_without_the_role_no_exit_opens(doors: Doors, row: Route) -> None:
    if row.needs is None:
        account, rule = "consentgate", "UNKNOWN_USER"
    else:
        account, rule = ("uploader" if row.needs is not Role.STORE else "teacher"), "ROLE_MISSING"
    before = doors.last_entry()
    answer, _ = ask(doors, row, account, doors.objects["B"])
    assert (answer.status_code, answer.content) == (403, b"")
    entry = entry_of(doors, row, before)
    assert (entry["effect"], entry["actor"], entry["rules"]) == ("DENY", account, [rule])


@rows(Kind.FORBIDDEN)
def test_what_nobody_may_do_nobody_does(doors: Doors, row: Route) -> None:
    before = doors.last_entry()
    answer, _ = ask(doors, row, "admin", doors.objects["B"])
    assert (answer.status_code, answer.content) == (403, b"")
    entry = entry_of(doors, row, before)
    assert (entry["effect"], entry["reasons"]) == ("DENY", [row.reason or entry["reasons"][0]])  # type: ignore[index]


def test_nobody_gets_anything_without_a_password(doors: Doors) -> None:
    for row in ROUTES:
        answer = doors.ask(row.method, path_of(row, doors.objects["B"]))
        assert (row, answer.status_code, answer.content) == (row, 401, b"")


@rows(Kind.IMAGE)
@pytest.mark.parametrize("name", ["A", "sibling"])
def test_without_a_grant_no_picture_leaves(doors: Doors, row: Route, name: str) -> None:
    before = doors.last_entry()
    answer, _ = ask(doors, row, "derm", doors.objects[name])
    assert (answer.status_code, answer.content) == (403, b"")
    entry = entry_of(doors, row, before)
    assert entry["effect"] in ("DENY", "PERMIT_IDENTIFIABLE")  # the first picture of several may be permitted
    last = doors.entries_since(before)[-1]
    assert (last["door"], last["effect"]) == (named(row), "DENY")
    assert last["id"]
    assert last["reasons"]


@rows(Kind.BODY)
@pytest.mark.parametrize("name", ["A", "C", "sibling", "form"])
def test_a_call_that_we_answer_tells_nothing_of_what_is_for_nobody(doors: Doors, row: Route, name: str) -> None:
    before = doors.last_entry()
    account = WITH_ROLE[row.needs]
    answer, said = ask(doors, row, account, doors.objects[name])
    assert found(answer.content, doors.forbidden(account), known=said) == []
    assert entry_of(doors, row, before)["id"]


@rows(Kind.BODY)
def test_a_call_that_we_answer_is_on_record_when_it_gives_something(doors: Doors, row: Route) -> None:
    before = doors.last_entry()
    account = WITH_ROLE[row.needs]
    answer, _ = ask(doors, row, account, doors.objects["B"])
    assert found(answer.content, doors.forbidden(account)) == []
    entry = entry_of(doors, row, before)
    assert (entry["actor"], bool(entry["id"])) == (account, True)


@rows(Kind.ADMIN)
def test_what_an_administrator_sees_names_no_patient_and_no_picture(doors: Doors, row: Route) -> None:
    before = doors.last_entry()
    answer, _ = ask(doors, row, "admin", doors.objects["B"])
    assert answer.status_code in (200, 404)  # an older Orthanc has fewer of them
    assert (found(answer.content, doors.forbidden("admin")), pictures(answer.content)) == ([], [])
    assert entry_of(doors, row, before)["outcome"] == "0"


@rows(Kind.OWN)
def test_our_own_calls_show_no_picture(doors: Doors, row: Route) -> None:
    before = doors.last_entry()
    account = WITH_ROLE[row.needs]
    answer = doors.ask(row.method, path_of(row, doors.objects["A"]), account, content=b"{}")
    assert pictures(answer.content) == []
    assert row.unrecorded or entry_of(doors, row, before)["actor"] == account


# With a grant.
Right = Callable[[bytes, Stored], bool]


def drawn(content: bytes, stored: Stored) -> bool:
    """Tell whether this is the photograph, compressed anew."""
    frame = next(generate_frames(stored.dataset.PixelData, number_of_frames=1))
    with Image.open(io.BytesIO(content)) as image, Image.open(io.BytesIO(frame)) as original:
        if image.size != original.size:
            return False
        difference = ImageChops.difference(image.convert("RGB"), original.convert("RGB"))
    return max(ImageStat.Stat(difference).mean) < 4


def small(content: bytes, stored: Stored) -> bool:
    """Tell whether this is a picture no larger than the photograph; Orthanc's is as large when no size is asked for."""
    with Image.open(io.BytesIO(content)) as image:
        return image.width <= stored.dataset.Columns and image.height <= stored.dataset.Rows


def text(content: bytes, said: str) -> bool:
    return content.decode().strip() == said


RIGHT: dict[str, Right] = {
    "/preview": drawn,
    "/image-uint8": drawn,
    "/rendered": drawn,
    "/wado": drawn,
    "/thumbnail": small,
    "/frames": lambda content, _: json.loads(content) == [0],
    "/frames/{frame}": lambda content, _: "preview" in json.loads(content),
    "/matlab": lambda content, stored: len(content) > stored.dataset.Rows * stored.dataset.Columns * 3,
    "/attachments": lambda content, _: "dicom" in json.loads(content),
    "/attachments/dicom": lambda content, _: "data" in json.loads(content),
    "/is-compressed": lambda content, _: text(content, "0"),
    "/protected": lambda content, _: text(content, "0"),
    "/uuid": lambda content, _: len(content) == 36,
    "/info": lambda content, stored: str(json.loads(content)["UncompressedSize"]) == str(len(stored.content)),
    "/statistics": lambda content, stored: str(len(stored.content)).encode() in content,
    "/content": lambda content, _: "0010-0010" in json.loads(content),
    "/labels": lambda content, _: json.loads(content) == [],
    "/file": lambda content, stored: content == stored.content,
    "/data": lambda content, stored: content == stored.content,
    "/compressed-data": lambda content, stored: content == stored.content,
    **{f"/{part}size": lambda content, stored: text(content, str(len(stored.content))) for part in ("", "compressed-")},
    **{
        f"/{part}md5": lambda content, stored: text(content, hashlib.md5(stored.content).hexdigest())  # noqa: S324
        for part in ("", "compressed-")
    },
}
# What a photograph in colour has not, what Orthanc 1.10.1 has not, and a label that nobody gave.
ABSENT = {
    "/image-uint8": 415,
    "/image-uint16": 415,
    "/image-int16": 415,
    "/pdf": 404,
    "/labels": 404,
    "/labels/{name}": 404,
    "/thumbnail": 404,
    "/uuid": 404,
    "/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}/frames": 400,
}


T = TypeVar("T")


def of_row(table: dict[str, T], row: Route) -> T | None:
    """Return what the table has for the longest end of the row's path."""
    return next((table[end] for end in sorted(table, key=len, reverse=True) if row.path.endswith(end)), None)


@rows(Kind.IMAGE)
def test_with_a_grant_the_right_bytes_leave(doors: Doors, row: Route) -> None:
    before, stored = doors.last_entry(), doors.objects["B"]
    answer, said = ask(doors, row, "derm", stored)
    entry = entry_of(doors, row, before)
    assert (entry["effect"], entry["subject"]) == ("PERMIT_IDENTIFIABLE", stored.dataset.SOPInstanceUID)
    assert entry["consents"]
    assert found(answer.content, doors.forbidden("derm")) == []
    if answer.status_code == of_row(ABSENT, row):
        return
    assert answer.status_code == 200
    right = of_row(RIGHT, row)
    assert right(answer.content, stored) if right else found(answer.content, stored.needles, known=said)


def test_the_signed_form_is_for_who_handles_consents(doors: Doors) -> None:
    path = f"/instances/{doors.objects['form'].named()['instance']}/pdf"
    answer = doors.ask("GET", path, "clerk")
    assert (answer.status_code, answer.content.rstrip(b"\0")) == (200, FORM)
    before = doors.last_entry()
    assert doors.ask("GET", path, "derm").status_code == 403
    assert "signed consent form" in str(doors.entries_since(before)[-1]["reasons"])
