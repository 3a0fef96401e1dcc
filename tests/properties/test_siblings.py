"""Whatever sets one picture of a series apart: what is noted of it ahead is what would be decided and recorded anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orthanc_plugin.audit import chain
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry import snapshots
from orthanc_plugin.registry.factversions import Remembered
from orthanc_plugin.registry.images import ImageRow
from tests.fakes.hiding import HIDING_POLICY, hidden, proposed
from tests.fakes.pictures import CARE, UID, consent
from tests.fakes.world import World, make_world
from tests.unit.enforcement.test_again import FILE, SERIES, WADO, Counting, Viewer, without_number

Step = Callable[[World, str], object]

PICTURES: Final = (UID, *SERIES[:5])
FIRST: Final = PICTURES[:2]  # by which somebody begins to go through the series
ORDER: Final = (
    "INSERT INTO authorities (authority_id, type, patient_id, issuer, targets, document, notify_prohibited, valid_from,"
    " recorded_at, recorded_by, verified_at) SELECT '{uid}', '{kind}', patient_id, issuer, '[\"{uid}\"]', 'd', 0,"
    " '2020-01-01', '2020-01-01', 'x', '2020-01-02' FROM images LIMIT 1"
)
SOMEBODY_ELSE: Final = (
    "INSERT OR IGNORE INTO patients (patient_id, issuer, birth_date, capacity, gillick, national_data_opt_out)"
    " SELECT 'P9', issuer, '2020-01-01', 'HAS', 'NA', 0 FROM patients"
)


def picture(change: str) -> Step:
    """Return what changes the row of a picture."""
    return lambda world, uid: world.sql(
        f"UPDATE images SET {change} WHERE sop_instance_uid = '{uid}'"  # noqa: S608 - our own words
    )


def written(statement: str, **values: str) -> Step:
    return lambda world, uid: world.sql(statement.format(uid=uid, **values))


def named(state: str) -> Step:
    """Return what records a consent, or a refusal, that names the picture."""

    def record(world: World, uid: str) -> None:
        known = f"urn:x:{state}:{uid}"
        if known not in {each.record.id for each in world.consents()}:
            world.record(consent(CARE, id=known, state=state, level="IMAGE", targets=[uid]))

    return record


def is_hidden(world: World, uid: str) -> None:
    hidden(world, uid=uid)


STEPS: Final[Mapping[str, Step]] = {
    "is covert": picture("covert = 1"),
    "is intimate": picture("intimate = 1"),
    "is familial": picture("familial = 1"),
    "is legacy": picture("legacy = 1"),
    "shows a face": picture("shows = '[\"FACE\"]'"),
    "is for teaching": picture("made_for = 'SECONDARY'"),
    "is the patient's own": picture("source = 'PATIENT_SUPPLIED'"),
    "is of another day": picture("made_on = '2020-02-02'"),
    "is of no day": picture("made_on = NULL"),
    "is rejected": picture("status = 'REJECTED'"),
    "is restricted": picture("status = 'RESTRICTED'"),
    "is in quarantine": picture("status = 'QUARANTINED'"),
    "is no photograph": picture("image_type = 'XRAY'"),
    "is a document": picture("sop_class_uid = '1.2.840.10008.5.1.4.1.1.104.1'"),
    "is filed under another consent": picture("consent_id = 'urn:x:other'"),
    "is filed under none": picture("consent_id = NULL"),
    "is of another study": picture("study_instance_uid = '2.25.9'"),
    "is of another series": picture("series_instance_uid = '2.25.9'"),
    "can't be read": picture("shows = 'no list'"),
    "is somebody else's": lambda world, uid: (world.sql(SOMEBODY_ELSE), picture("patient_id = 'P9'")(world, uid)),
    "has other bytes": picture("sha256 = 'another'"),
    "was ordered": written(ORDER, kind="COURT_ORDER"),
    "was made in secret by leave": written(ORDER, kind="COVERT_AUTHORISATION"),
    "was consented to by name": named("GIVEN"),
    "was refused by name": named("REFUSED"),
    "was looked at": lambda world, uid: world.review(uid),
    "identifies": lambda world, uid: world.review(uid, "FACE"),
    "shows somebody, one says": lambda world, uid: proposed(world, uid=uid),
    "shows somebody, two say": is_hidden,
}


NO_MATTER: Final = frozenset({"has other bytes"})  # nobody has looked at these, nor at others


def test_every_step_is_one_that_can_be_taken() -> None:
    with TemporaryDirectory() as folder:
        for number, step in enumerate(STEPS.values()):
            world = series(Path(folder) / str(number))
            before = told(world)
            step(world, PICTURES[2])
            assert told(world) != before
            world.close()


def told(world: World) -> object:
    return [world.sql(f"SELECT * FROM {name}") for name in ("images", "consents", "authorities", "reviews")]  # noqa: S608


def series(folder: Path) -> World:
    """Return a world with the pictures of a series."""
    folder.mkdir(exist_ok=True)
    world = make_world(folder, policy=HIDING_POLICY)
    for uid in PICTURES:
        world.file(CARE, uid=uid)
    return world


def take(world: World, name: str, uid: str) -> None:
    with suppress(ConsentgateError):  # such as a look at a picture that can't be read any more
        STEPS[name](world, uid)


def answered(viewer: Viewer, row: ImageRow, path: str) -> tuple[bool, list[dict[str, object]], list[object]]:
    """Return the answer, the entries that it leaves without what numbers them, and the facts that they rest on."""
    world, before = viewer.world, len(viewer.world.trail())
    allowed = viewer.ask(row, path)
    entries = world.trail()[before:]
    with world.services.database.reading() as connection:
        facts = [snapshots.read(connection, str(entry["facts"])) for entry in entries if entry["facts"]]
    return allowed, [without_number(entry) for entry in entries], list(facts)


def anew(world: World, row: ImageRow, path: str) -> tuple[bool, list[dict[str, object]], list[object]]:
    """Return the same as if nothing were remembered."""
    world.services.gate.permits = Remembered(world.services.database.undone)
    return answered(Viewer(world, Counting("anew", 1)), row, path)


steps: Final = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(PICTURES)), max_size=3)


@pytest.mark.parametrize("path", [FILE, WADO])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=steps, between=steps)
def test_what_is_noted_of_the_next_ones_is_what_would_be_decided_and_recorded_anew(
    path: str, before: list[tuple[str, str]], between: list[tuple[str, str]]
) -> None:
    with TemporaryDirectory() as folder:
        world = series(Path(folder))
        rows = {uid: world.row(uid) for uid in PICTURES}
        for step in before:
            take(world, *step)
        viewer = Viewer(world)
        for uid in FIRST:
            viewer.ask(rows[uid], path)
        for step in between:
            take(world, *step)
        for uid in PICTURES:
            assert answered(viewer, rows[uid], path) == anew(world, rows[uid], path)
        assert chain.verify(world.services.trail.entries()).whole
        world.close()


@pytest.mark.parametrize("step", sorted(STEPS))
def test_each_of_them_by_itself_sets_a_picture_apart_from_the_others(step: str) -> None:
    with TemporaryDirectory() as folder:
        world = series(Path(folder))
        rows, apart = {uid: world.row(uid) for uid in PICTURES}, PICTURES[3]
        take(world, step, apart)
        viewer = Viewer(world)
        for uid in FIRST:
            viewer.ask(rows[uid], FILE)
        others = [uid for uid in PICTURES[2:] if uid != apart]
        assert [viewer.asks_nobody(rows[uid]) for uid in (*others, apart)] == [True] * 3 + [step in NO_MATTER]
        assert answered(viewer, rows[apart], FILE) == anew(world, rows[apart], FILE)
        world.close()
