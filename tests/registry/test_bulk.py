"""Many names as one parameter, on both databases: whatever characters are in them, and none at all."""

from __future__ import annotations

from sqlalchemy import select

from orthanc_plugin.registry.bulk import among, put
from orthanc_plugin.registry.recalltables import recall_copies
from tests.fakes.world import World

ODD = ('say "it"', "O'Brien", "{a,b}", "back\\slash", "日本", "$[0]", "NULL", "")


def test_what_was_put_in_is_found_again_whatever_characters_are_in_it(either_world: World) -> None:
    recalled = [f"recall {name}" for name in ODD]
    with either_world.services.database.writing() as connection:
        put(connection, recall_copies, {"disclosure_id": ODD, "recall_id": recalled}, patient_id="it's the same")
        columns = recall_copies.c
        chosen = select(columns.disclosure_id, columns.recall_id, columns.patient_id)
        every = connection.execute(chosen.where(among(connection, columns.disclosure_id, ODD))).all()
        some = connection.execute(chosen.where(among(connection, columns.recall_id, recalled[:2]))).all()
        none = connection.execute(chosen.where(among(connection, columns.disclosure_id, ()))).all()
    assert {tuple(row) for row in every} == {
        (name, recall, "it's the same") for name, recall in zip(ODD, recalled, strict=True)
    }
    assert ({row.disclosure_id for row in some}, none) == (set(ODD[:2]), [])
