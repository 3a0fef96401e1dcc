"""What is asked for again in the very same way is given by its entry alone, or decided as usual."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orthanc_plugin.audit import chain
from orthanc_plugin.audit.event import Stencil
from orthanc_plugin.enforcement import again
from orthanc_plugin.enforcement.ahead import Said, mould
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.registry import snapshots
from orthanc_plugin.registry.factversions import Remembered
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.sending.worker import Worker
from tests.fakes.pictures import CARE, TEACHING, UID, consent
from tests.fakes.world import POLICY, World, make_world
from tests.unit.enforcement.test_http import GET, INTERNAL, basic
from tests.unit.enforcement.test_http_meanwhile import OPINION, PARTNER, TOLD

SERIES = tuple(f"2.25.{number}" for number in range(771, 779))
FILE = "/instances/{row.orthanc_instance}/file"
WADO = "/dicom-web/studies/{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}"
ADDRESS = "10.0.0.7"
HEADERS = {"authorization": basic("derm"), "accept": "*/*", "user-agent": "viewer"}


class Counting(Worker):
    """Threads that count how often a door's question was theirs."""

    led = 0

    def lead(self, work: Callable[[], None]) -> None:
        """Count, and do as usual."""
        self.led += 1
        super().lead(work)

    def run(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        """Count, and do as usual."""
        self.led += 1
        return super().run(*args, **kwargs)  # type: ignore[arg-type]


@dataclass
class Viewer:
    """Somebody who looks at pictures."""

    world: World
    worker: Counting = field(default_factory=lambda: Counting("test", 1))

    def __post_init__(self) -> None:
        self.world.workers.append(self.worker)
        self.filter = HttpFilter(self.world.services, INTERNAL, self.worker)

    def ask(
        self, row: ImageRow, path: str = FILE, headers: dict[str, str] | None = None, ip: str = ADDRESS, **get: str
    ) -> bool:
        answer = self.filter.hook(path.format(row=row), method=GET, ip=ip, headers=headers or dict(HEADERS), get=get)
        self.worker.meet()  # what is done later is done
        return answer

    def asks_nobody(self, row: ImageRow, path: str = FILE, headers: dict[str, str] | None = None) -> bool:
        """Ask, and tell whether that was allowed without one of our own threads."""
        before = self.worker.led
        allowed = self.ask(row, path, headers)
        return allowed and self.worker.led == before


@pytest.fixture
def viewer(world: World) -> Viewer:
    """Give somebody who was given a picture."""
    world.file(CARE, TEACHING)
    viewer = Viewer(world)
    assert viewer.ask(world.row())
    return viewer


@pytest.fixture
def walker(viewer: Viewer) -> Viewer:
    """Give somebody who was given two pictures of a series, by either door, and begins to go through it."""
    for uid in SERIES:
        viewer.world.file(uid=uid)
    for path in (FILE, WADO):
        for uid in (UID, SERIES[0]):
            assert viewer.ask(viewer.world.row(uid), path)
    return viewer


def without_number(entry: dict[str, object]) -> dict[str, object]:
    return {**entry, "seq": 0, "id": ""}


def anew(world: World, row: ImageRow, path: str) -> dict[str, object]:
    """Return the entry of somebody for whom nothing is remembered."""
    world.services.gate.permits = Remembered(world.services.database.undone)
    other = Viewer(world)
    assert other.ask(row, path)
    return world.trail()[-1]


def whole(world: World) -> bool:
    return chain.verify(world.services.trail.entries()).whole


@pytest.mark.parametrize("path", [FILE, WADO, WADO + "/frames/1"])
def test_what_is_asked_for_again_is_given_by_its_entry_alone(path: str, viewer: Viewer) -> None:
    row = viewer.world.row()
    assert viewer.ask(row, path)
    entries = len(viewer.world.trail())
    assert viewer.asks_nobody(row, path)
    first, again_ = viewer.world.trail()[entries - 1 :]
    assert (without_number(again_), again_["id"] == first["id"]) == (without_number(first), False)
    assert without_number(anew(viewer.world, row, path)) == without_number(again_)
    assert whole(viewer.world)


@pytest.mark.parametrize(
    ("headers", "ip", "path", "get"),
    [
        ({**HEADERS, "accept": "image/png"}, ADDRESS, FILE, {}),
        ({**HEADERS, "purpose-of-use": "TREAT"}, ADDRESS, FILE, {}),
        (HEADERS, "10.0.0.8", FILE, {}),
        (HEADERS, ADDRESS, FILE + "/", {}),
        (HEADERS, ADDRESS, "/instances/{row.orthanc_instance}/preview", {}),
        (HEADERS, ADDRESS, FILE, {"quality": "1"}),
    ],
)
def test_what_is_asked_for_in_any_other_way_is_decided_as_usual(
    headers: dict[str, str], ip: str, path: str, get: dict[str, str], viewer: Viewer
) -> None:
    before = viewer.worker.led
    viewer.ask(viewer.world.row(), path, dict(headers), ip, **get)
    assert viewer.worker.led > before


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({**HEADERS, "authorization": basic("nobody")}, "UNKNOWN_USER"),
        ({**HEADERS, "x-remote-user": "derm"}, "IDENTITY_NOT_TRUSTED"),
        ({**HEADERS, "purpose-of-use": "RESEARCH"}, "PURPOSE_NOT_BOUND"),
        ({**HEADERS, "content-encoding": "gzip"}, "COMPRESSED_BODY"),
    ],
)
def test_who_claims_anything_else_is_refused_after_a_permit_too(
    headers: dict[str, str], rule: str, viewer: Viewer
) -> None:
    assert viewer.asks_nobody(viewer.world.row())
    assert viewer.ask(viewer.world.row(), headers=headers) is False
    assert viewer.world.last_rules() == [rule]


@pytest.mark.parametrize("path", [FILE, WADO])
def test_who_asks_for_a_picture_whose_row_can_t_be_read_is_refused_on_record_and_ends_nothing_for_others(
    path: str, viewer: Viewer
) -> None:
    viewer.world.file(uid=SERIES[0])
    good, bad = viewer.world.row(), viewer.world.row(SERIES[0])
    viewer.world.sql(f"UPDATE images SET shows = 'no list' WHERE sop_instance_uid = '{SERIES[0]}'")  # noqa: S608
    assert viewer.ask(good)
    before = len(viewer.world.trail())
    assert viewer.ask(bad, path) is False
    assert [entry["effect"] for entry in viewer.world.trail()[before:]] == ["DENY"]
    assert viewer.asks_nobody(good)


def test_a_withdrawal_counts_for_what_was_given_before(viewer: Viewer) -> None:
    viewer.world.withdraw()
    assert viewer.ask(viewer.world.row()) is False
    assert viewer.world.trail()[-1]["effect"] == "DENY"


def test_a_shut_door_is_shut_for_what_was_given_before(viewer: Viewer) -> None:
    viewer.world.services.gate.close("a test")
    assert viewer.ask(viewer.world.row()) is False
    assert viewer.world.last_rules() == ["GATE_CLOSED"]
    viewer.world.services.gate.open("a test")
    assert viewer.asks_nobody(viewer.world.row())


def test_what_was_given_yesterday_is_decided_today(viewer: Viewer) -> None:
    viewer.world.clock.advance(days=1)
    assert not viewer.asks_nobody(viewer.world.row())
    assert viewer.asks_nobody(viewer.world.row())


def test_without_a_trail_nothing_is_given_again(viewer: Viewer) -> None:
    viewer.world.stop_the_trail()
    assert viewer.ask(viewer.world.row()) is False


def test_a_release_that_is_disclosed_is_disclosed_each_time(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=POLICY + PARTNER)
    world.record(consent(CARE, OPINION, explained=TOLD))
    world.file()
    partner, headers = Viewer(world), {**HEADERS, "authorization": basic("partner")}
    assert [partner.asks_nobody(world.row(), headers=headers) for _ in range(3)] == [False] * 3
    assert len(world.disclosures()) == 3
    world.close()


@pytest.mark.parametrize("path", [FILE, WADO])
def test_the_next_of_a_series_are_given_with_the_entry_and_the_facts_that_a_decision_leaves(
    path: str, walker: Viewer
) -> None:
    world, rows = walker.world, [walker.world.row(uid) for uid in SERIES[1:]]
    for row in rows:
        before = len(world.trail())
        assert walker.asks_nobody(row, path)
        (entry,) = world.trail()[before:]
        with world.services.database.reading() as connection:
            kept = snapshots.read(connection, str(entry["facts"]))
        assert kept["image"]["id"] == row.sop_instance_uid  # type: ignore[index]
        assert without_number(anew(world, row, path)) == without_number(entry)
    assert whole(world)


def test_of_one_that_nobody_asks_for_nothing_is_written(walker: Viewer) -> None:
    said = walker.world.sql("SELECT body FROM snapshots")
    assert [uid for uid in SERIES[1:] if any(uid in str(body) for (body,) in said)] == []


def test_the_first_of_a_series_has_nobody_look_for_others(viewer: Viewer) -> None:
    for uid in SERIES[:2]:
        viewer.world.file(uid=uid)
    viewer.world.withdraw()
    viewer.world.record(consent(CARE, id="urn:x:1"))
    viewer.ask(viewer.world.row(UID))
    assert not viewer.asks_nobody(viewer.world.row(SERIES[0]))


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE images SET intimate = 1 WHERE sop_instance_uid = '{SERIES[1]}'",  # noqa: S608 - our own words
        f"DELETE FROM images WHERE sop_instance_uid = '{SERIES[1]}'",  # noqa: S608 - our own words
        f"UPDATE images SET status = 'REJECTED' WHERE sop_instance_uid = '{SERIES[1]}'",  # noqa: S608 - our own words
        "DELETE FROM consents",
    ],
)
def test_what_was_looked_for_ahead_counts_until_a_fact_changes(change: str, walker: Viewer) -> None:
    row = walker.world.row(SERIES[1])
    walker.world.sql(change)
    assert walker.ask(row) is False


def test_nobody_is_given_what_was_looked_for_for_somebody_else(walker: Viewer) -> None:
    row = walker.world.row(SERIES[1])
    assert walker.ask(row, headers={**HEADERS, "authorization": basic("teacher")}) is False
    assert walker.asks_nobody(row)


def test_one_that_differs_is_decided_as_usual(viewer: Viewer) -> None:
    world = viewer.world
    for uid in SERIES[:4]:
        world.file(uid=uid)
    world.sql(f"UPDATE images SET covert = 1 WHERE sop_instance_uid = '{SERIES[2]}'")  # noqa: S608 - our own words
    world.review(SERIES[3])
    for uid in (UID, SERIES[0]):
        assert viewer.ask(world.row(uid))
    assert viewer.asks_nobody(world.row(SERIES[1]))
    for uid in SERIES[2:4]:
        assert not viewer.asks_nobody(world.row(uid))


def test_when_nobody_looks_ahead_any_more_the_picture_is_given_all_the_same(viewer: Viewer) -> None:
    def stopped(_: Callable[[], None]) -> None:
        raise RuntimeError

    viewer.world.file(uid=SERIES[0])
    viewer.filter.again.later = stopped
    assert viewer.ask(viewer.world.row(SERIES[0]))


def test_a_way_of_asking_that_is_too_long_is_never_remembered(viewer: Viewer) -> None:
    headers = {**HEADERS, "cookie": "c" * again.LONGEST}
    assert viewer.ask(viewer.world.row(), headers=headers)
    assert not viewer.asks_nobody(viewer.world.row(), headers=headers)


def test_of_more_ways_than_are_known_the_earlier_are_forgotten(viewer: Viewer) -> None:
    row = viewer.world.row()
    known = viewer.filter.again._ways
    known |= {("somebody", number): -number for number in range(again.MOST)}
    headers = {**HEADERS, "accept": "image/png"}
    assert viewer.ask(row, headers=headers)
    assert len(known) == 1
    assert viewer.asks_nobody(row, headers=headers)
    assert not viewer.asks_nobody(row)


@pytest.fixture
def said() -> Iterator[Said]:
    facts = snapshots.named('{"image":{"id":"2.25.3"}}')
    entry = Stencil('{"actor":"a","at":"', f'","facts":"{facts.digest}","id":', ',"subject":"2.25.3"}')
    return Said("/instances/o1/file", entry, facts)


def test_what_is_said_of_one_is_said_of_another_by_its_names_alone(said: Said) -> None:
    made = mould(said, "o1", "2.25.3")
    assert made is not None
    other = made.cast("o2", "2.25.4")
    assert (other.uri, other.facts) == ("/instances/o2/file", snapshots.named('{"image":{"id":"2.25.4"}}'))
    assert "".join(other.entry) == f'{{"actor":"a","at":"","facts":"{other.facts.digest}","id":,"subject":"2.25.4"}}'
    assert made.cast("o1", "2.25.3") == said


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "/instances/o1/o1"},
        {"uri": "/instances/xo1/file"},
        {"uri": "/instances/o1x/file"},
        {"uri": "/instances"},
        {"facts": snapshots.named('{"image":{"id":"2.25.3"},"patient":"2.25.3"}')},
        {"facts": snapshots.named('{"image":{"id":"2.25.31"}}')},
        {"entry": Stencil('{"actor":"2.25.3","at":"', '","id":', ',"subject":"2.25.3"}')},
        {"entry": Stencil('{"actor":"a","at":"', '","id":', ',"subject":"2.25.3"}')},
        {"entry": Stencil('{"actor":"a","at":"', '","id":', ',"reasons":"2.25.3"}')},
    ],
)
def test_of_what_says_its_name_elsewhere_nothing_is_said_of_others(change: dict[str, object], said: Said) -> None:
    assert mould(said._replace(**change), "o1", "2.25.3") is None  # type: ignore[arg-type]
