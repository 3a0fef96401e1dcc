"""What holds of one picture is said of another only where everything that a decision reads is the same."""

from __future__ import annotations

import re

import pytest

from orthanc_plugin.registry import facts, siblings
from orthanc_plugin.registry.factversions import WATCHED
from orthanc_plugin.registry.siblings import OWN
from orthanc_plugin.registry.tables import images
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

OTHER = "2.25.77"
FURTHER = "2.25.78"
COMPARED = sorted(column.name for column in images.c if column.name not in OWN)
AUTHORITY = (
    "INSERT INTO authorities (authority_id, type, patient_id, issuer, targets, document, notify_prohibited, valid_from,"
    " recorded_at, recorded_by) SELECT 'a', 'STATUTE', patient_id, issuer, '[\"{uid}\"]', 'd', 0, '2026-01-01',"
    " '2026-01-01', 'x' FROM images LIMIT 1"
)
MERGED = "UPDATE patients SET merged_into_id = 'P9', merged_into_issuer = issuer"
SURVIVOR = (
    "INSERT INTO patients (patient_id, issuer, capacity, gillick, national_data_opt_out, merged_into_id,"
    " merged_into_issuer) SELECT 'P9', issuer, 'HAS', 'NA', 0, patient_id, issuer FROM patients"
)
NAMED = "UPDATE consents SET record = json_set(record, '$.targets', json_array('{uid}'))"


@pytest.fixture
def series(world: World) -> World:
    """Give a world with three pictures of a series."""
    world.file(CARE)
    for number, uid in enumerate((OTHER, FURTHER)):
        names = {"sop_instance_uid": f"'{uid}'", "orthanc_instance": f"'o{number}'", "sha256": "'another'"}
        said = {column.name: names.get(column.name, column.name) for column in images.c}
        world.sql(
            f"INSERT INTO images ({', '.join(said)}) SELECT {', '.join(said.values())} FROM images"  # noqa: S608
            f" WHERE sop_instance_uid = '{UID}'"
        )
    return world


def found(world: World, uid: str = UID, after: int = 0, most: int = 9) -> list[str]:
    with world.services.database.reading() as connection:
        return [each.sop_instance_uid for each in siblings.alike(connection, uid, after, most)]


def test_the_pictures_of_a_series_that_came_later_are_found_in_their_order(series: World) -> None:
    assert found(series) == [OTHER, FURTHER]
    assert found(series, OTHER) == [FURTHER]
    assert found(series, most=1) == [OTHER]
    with series.services.database.reading() as connection:
        (first, _) = siblings.alike(connection, UID, 0, 9)
    assert found(series, after=first.place) == [FURTHER]


@pytest.mark.parametrize("column", COMPARED)
@pytest.mark.parametrize("value", ["'another'", "NULL"])
def test_one_that_says_anything_else_isn_t_alike(column: str, value: str, series: World) -> None:
    if images.c[column].nullable and value == "NULL":
        series.sql(f"UPDATE images SET {column} = 'said'")  # noqa: S608 - our own words
    elif value == "NULL":
        value = "'a third'"
    series.sql(f"UPDATE images SET {column} = {value} WHERE sop_instance_uid = '{OTHER}'")  # noqa: S608 - our own words
    assert found(series) == [FURTHER]


def test_everything_that_a_decision_reads_of_a_picture_is_compared_or_doesn_t_count_without_reviews() -> None:
    text, *_ = facts.IMAGE.texts["sqlite"]
    read = {column.name for column in images.c if f"images.{column.name}," in text.partition("FROM images")[0]}
    # by its digest people's reviews are found, and there are none
    assert {name for name in read if name in OWN} <= {"sha256", "sop_instance_uid"}


def test_whatever_is_compared_is_watched() -> None:
    text, *_ = siblings.ALIKE.texts["sqlite"]
    assert set(re.findall(r"FROM (\w+)", text)) == set(WATCHED)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (AUTHORITY.format(uid=OTHER), [FURTHER]),
        (AUTHORITY.format(uid=UID), []),
        (AUTHORITY.format(uid="2.25.1"), [OTHER, FURTHER]),
        (NAMED.format(uid=OTHER), [FURTHER]),
        (NAMED.format(uid=UID), []),
        (MERGED, []),
        (SURVIVOR, []),
        ("UPDATE images SET orthanc_instance = 'o1'", []),
    ],
)
def test_one_that_somebody_speaks_of_by_name_isn_t_alike(change: str, left: list[str], series: World) -> None:
    series.sql(change)
    assert found(series) == left


def test_a_consent_s_text_was_changed_at_all(series: World) -> None:
    series.sql(NAMED.format(uid=OTHER))
    assert series.sql(f"SELECT count(*) FROM consents WHERE record LIKE '%{OTHER}%'") == [(1,)]  # noqa: S608


@pytest.mark.parametrize(("uid", "left"), [(UID, []), (OTHER, [FURTHER])])
def test_one_that_somebody_looked_at_isn_t_alike(uid: str, left: list[str], series: World) -> None:
    series.review(uid)
    assert found(series) == left
