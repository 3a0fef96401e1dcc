"""A key object that a workstation has filed in a study takes the study from nobody, and is told of to nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from orthanc_plugin.enforcement.cmove import MoveRefusedError
from orthanc_plugin.enforcement.route import Route
from orthanc_plugin.registry.images import ImageRow
from tests.fakes.core import CoreSimulator, tags
from tests.fakes.exits import NOBODY, OTHER, SENDERS, Asking, Given, refuse
from tests.fakes.keying import KEYING, listing, pushed, uid_of
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World, make_world
from tests.unit.enforcement.moving import move_scp
from tests.unit.enforcement.test_levels import NAMED, ROWS, same

STUDY, SERIES = "/studies/{study}", "/series/{series}"
WADO = "/dicom-web/studies/{0.study_instance_uid}"
COLUMNS = {"patients": "orthanc_patient", "studies": "orthanc_study", "series": "orthanc_series"}
CHILDREN = {"patients": "studies", "studies": "series", "series": "instances"}
SIZE = 3 * 1024 * 1024


@dataclass(kw_only=True)
class WholeCore(CoreSimulator):
    """A core that tells of everything that is filed, in the shapes of Orthanc's."""

    world: World
    paths: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        plain, _, query = path.partition("?")
        _, kind, name, *tail = plain.split("/")
        if kind == "tools" or (kind == "instances" and tail != ["statistics"]):
            return super().ask(method, path, body)
        self.paths.append(path)
        return json.dumps(self._told(kind, name, "".join(tail), query)).encode()

    def _told(self, kind: str, name: str, tail: str, query: str) -> object:
        if kind == "instances":
            return {"DiskSize": str(SIZE), "DiskSizeMB": 3}
        self.meanwhile()
        rows = [row for row in self.world.rows() if getattr(row, COLUMNS[kind]) == name]
        if tail in ("instances-tags", "shared-tags", "module", "module-patient"):
            each = {row.orthanc_instance: tags(self._dataset(row.orthanc_instance)) for row in rows}
            return each if tail == "instances-tags" else next(reversed(each.values()))
        if tail in ("labels", "statistics"):
            return ["a label"] if tail == "labels" else {"CountInstances": len(rows), "DiskSize": str(SIZE * len(rows))}
        entries = [self._entry(tail or kind, each, rows, query) for each in _ids(tail or kind, rows)]
        return entries if tail else entries[0]

    def _entry(self, kind: str, name: str, rows: list[ImageRow], query: str) -> object:
        if "expand=false" in query:
            return name
        within = [row for row in rows if name in _ids(kind, [row])]
        said: dict[str, object] = {"ID": name, "LastUpdate": "now", "RequestedTags": {"BodyPartExamined": "SKIN"}}
        if below := CHILDREN.get(kind):
            said[below] = _ids(below, within)
        return said


def _ids(kind: str, rows: list[ImageRow]) -> list[str]:
    return list(dict.fromkeys(str(getattr(row, COLUMNS.get(kind, "orthanc_instance"))) for row in rows))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=KEYING + SENDERS)
    for uid in (UID, OTHER):
        made.file(CARE, TEACHING, uid=uid)
    yield made
    made.close()


@pytest.fixture
def core(world: World) -> WholeCore:
    return WholeCore(archive=world.archive, world=world)


@pytest.fixture
def asking(world: World, core: WholeCore) -> Asking:
    return Asking(world=world, core=core)


def noted(world: World, number: int = 1) -> ImageRow:
    """Have a workstation file a key object; return its row."""
    content = listing(world, number=number)
    assert pushed(world, content) == 0
    row = world.row(uid_of(content))
    world.archive.objects[row.orthanc_instance] = content
    return row


def get(asking: Asking, path: str, account: str = "sender", row: ImageRow | None = None) -> Given:
    row = row or asking.world.row()
    return asking.get(path.format(row, **{key: getattr(row, column) for key, column in NAMED.items()}), account)


def names_of(row: ImageRow) -> tuple[str, ...]:
    return (row.sop_instance_uid, row.series_instance_uid, row.orthanc_instance, row.orthanc_series)


every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
every_retrieval = pytest.mark.parametrize("path", [WADO, f"{WADO}/metadata"])


@every_row
def test_a_key_object_is_in_no_description_for_who_may_not_have_it_and_in_each_for_who_handles_consents(
    row: Route, asking: Asking, core: WholeCore
) -> None:
    note = noted(asking.world)
    before = len(asking.world.trail())
    given = get(asking, row.path)
    assert given.status == 200, given.content
    assert not [name for name in names_of(note) if name in given.content.decode()]
    assert [each["subject"] for each in asking.world.trail()[before:]] == [UID, OTHER]
    core.paths.clear()
    assert get(asking, row.path, "forms").status == 200
    assert len(core.paths) == 1


def test_the_photographs_are_told_of_as_before_and_what_is_counted_is_theirs(asking: Asking, world: World) -> None:
    plain = {path: get(asking, path).json for path in (f"{STUDY}/instances-tags", f"{SERIES}/shared-tags")}
    listed = json.loads(get(asking, f"{STUDY}/series").content)
    noted(world)
    assert {path: get(asking, path).json for path in plain} == plain
    assert json.loads(get(asking, f"{STUDY}/series").content)[0]["ID"] == listed[0]["ID"]
    names = [world.row(uid).orthanc_instance for uid in (UID, OTHER)]
    assert json.loads(get(asking, f"{STUDY}/instances?expand=false").content) == names
    assert get(asking, f"{STUDY}/statistics").json == {
        "CountSeries": 1,
        "CountInstances": 2,
        "DiskSize": str(2 * SIZE),
        "DiskSizeMB": 6,
    }
    shared = get(asking, f"{STUDY}/shared-tags").json
    assert (shared["0020,000d"]["Value"], "0008,0018" in shared) == (world.row().study_instance_uid, False)  # type: ignore[index]
    told = get(asking, f"{STUDY}?requested-tags=NumberOfStudyRelatedInstances;ModalitiesInStudy").json
    assert told["RequestedTags"] == {"NumberOfStudyRelatedInstances": "2", "ModalitiesInStudy": "XC"}
    assert told["Series"] == [world.row().orthanc_series]
    assert get(asking, f"{STUDY}?short=").status == 400


def test_what_is_counted_of_an_untouched_series_is_counted_of_it(asking: Asking, core: WholeCore) -> None:
    noted(asking.world)
    given = get(asking, f"{STUDY}/series?requested-tags=NumberOfSeriesRelatedInstances;BodyPartExamined")
    (said,) = json.loads(given.content)
    assert said["RequestedTags"]["NumberOfSeriesRelatedInstances"] == "2"
    assert core.paths[-1].endswith("?requested-tags=BodyPartExamined")


@every_row
def test_a_key_object_that_comes_while_the_core_is_asked_is_not_in_the_answer(
    row: Route, asking: Asking, core: WholeCore
) -> None:
    came: list[ImageRow] = []

    def come() -> None:
        if not came:
            came.append(noted(asking.world))

    core.meanwhile = come
    given = get(asking, row.path)
    assert (given.status, len(came)) == (200, 1)
    assert not [name for name in names_of(came[0]) if name in given.content.decode()]


@pytest.mark.parametrize("row", [row for row in ROWS if row.subject == "series"], ids=lambda row: row.path)
def test_what_has_nothing_but_key_objects_is_as_if_it_were_not_there(row: Route, asking: Asking) -> None:
    note = noted(asking.world)
    given = get(asking, row.path, row=note)
    unknown = asking.get(row.path.format(series=NOBODY), "sender")
    assert same(given) == same(unknown)


@every_retrieval
def test_dicomweb_retrieves_the_photographs(path: str, asking: Asking, core: WholeCore) -> None:
    before = get(asking, path)
    note = noted(asking.world)
    given = get(asking, path)
    assert (before.status, given.status) == (200, 200)
    assert OTHER.encode() in given.content
    assert not [name for name in names_of(note) if name.encode() in given.content]
    assert get(asking, path, "forms").content.count(note.sop_instance_uid.encode()) > 0


def test_a_refused_photograph_still_refuses_all(asking: Asking) -> None:
    noted(asking.world)
    refuse(asking.world)
    assert [get(asking, path).status for path in (STUDY, WADO, f"{STUDY}/series")] == [403, 403, 403]


def test_an_archive_and_a_send_count_no_key_object_unless_it_is_named(asking: Asking, world: World) -> None:
    note = noted(world)
    manifest = get(asking, f"{STUDY}/archive").manifest
    assert (manifest["complete"], len(manifest["files"])) == (True, 2)  # type: ignore[arg-type]
    sent = asking.call("POST", "/modalities/dermatology/store", body=[world.row().orthanc_study])
    assert (sent.status, sent.json["InstancesCount"], sent.json["Refused"]) == (200, 2, [])
    for name in (note.orthanc_instance, note.orthanc_series):
        given = asking.call("POST", "/tools/create-archive", body=[name])
        assert (given.status, len(given.json["refused"])) == (403, 1)  # type: ignore[arg-type]


def test_a_move_of_the_study_succeeds_and_one_of_the_key_object_is_refused(world: World) -> None:
    note = noted(world)

    def move(**identifier: str) -> None:
        names = {"OriginatorAET": "DERMWS", "TargetAET": "DERMWS", "SourceAET": "CONSENTGATE"}
        move_scp(world).hook(**names, OriginatorID=1, **identifier)

    move(Level="STUDY", StudyInstanceUID=note.study_instance_uid)
    sent = [dcmread(DicomBytesIO(content)).SOPInstanceUID for _, content in world.archive.sent]
    assert sent == [UID, OTHER]
    for level, keyword, name in (
        ("IMAGE", "SOPInstanceUID", note.sop_instance_uid),
        ("SERIES", "SeriesInstanceUID", note.series_instance_uid),
    ):
        with pytest.raises(MoveRefusedError):
            move(Level=level, **{keyword: name})
    assert len(world.archive.sent) == 2
