"""Keys' marks, linkage reviews and re-identifications are kept whole on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orthanc_plugin.errors import ReleaseRefusedError, UnknownImageError, UnknownRecordError
from orthanc_plugin.lifecycle.linkage import LinkageError
from orthanc_plugin.policy.linkage import TASK, Limit
from orthanc_plugin.registry import linkage, openings, pseudonymkeys
from orthanc_plugin.registry.linkage import LinkageReview
from orthanc_plugin.registry.openings import Opening
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.world import START, World

PICTURES = ("2.25.301", "2.25.302", "2.25.303")
ASKED = Opening(
    opening_id="o1",
    sop_instance_uid="2.25.9",
    sha256="a" * 64,
    reason="Somebody must be told: Müller.",
    requested_at=START,
    requested_by="dr-a",
)


@pytest.fixture
def limited(world: World) -> World:
    """Give a world in which one study of a patient may leave in ten days, and three are ready to."""
    world.record(consent(CARE, TEACHING))
    for uid in PICTURES:
        picture = photograph(uid=uid, StudyInstanceUID=f"{uid}.1", SeriesInstanceUID=f"{uid}.2")
        assert world.receive(encoded(picture)).reasons == ()
        world.review(uid)
    policy = world.services.policy
    few = replace(policy.linkage, releases=1, window_days=10)
    assert few.limit == Limit(releases=1, window=timedelta(days=10))
    changed = replace(policy, linkage=few)
    world.services = replace(world.services, policy=changed)
    return world


def test_studies_add_up_until_the_window_has_passed_or_somebody_has_looked(limited: World) -> None:
    leave(limited, PICTURES[0])
    limited.clock.advance(days=9)
    with pytest.raises(LinkageError):
        leave(limited, PICTURES[1])
    assert [task["subject"] for task in limited.tasks() if task["kind"] == TASK] == [PICTURES[1]]
    limited.clock.advance(days=1)
    leave(limited, PICTURES[1])
    review = LinkageReview(
        review_id="r1", patient_id="P1", issuer="HOSP", note="Both.", settled_at=limited.clock(), settled_by="x"
    )
    with limited.services.database.writing() as connection:
        seal = linkage.record(connection, review)
        assert list(linkage.seals(connection)) == [seal]
    limited.clock.advance(seconds=1)
    leave(limited, PICTURES[2])


def test_nobody_s_picture_has_no_numbers(world: World) -> None:
    with world.services.database.reading() as connection, pytest.raises(UnknownImageError):
        linkage.of_whom(connection, "2.25.404")


def test_a_key_is_known_from_its_first_use_and_no_other_takes_its_name(world: World) -> None:
    with world.services.database.writing() as connection:
        seal = pseudonymkeys.confirm(connection, "k", "mark", START)
        assert seal is not None
        assert pseudonymkeys.confirm(connection, "k", "mark", START) is None
        with pytest.raises(ReleaseRefusedError, match="not the one"):
            pseudonymkeys.confirm(connection, "k", "another", START)
        assert list(pseudonymkeys.seals(connection)) == [seal]
        assert pseudonymkeys.first_used(connection) == {"k": START.isoformat()}


def test_a_re_identification_comes_back_as_it_was_filed(world: World) -> None:
    with world.services.database.writing() as connection:
        openings.record(connection, ASKED)
        approved = replace(ASKED, approved_at=START + timedelta(hours=1), approved_by="caldicott")
        openings.change(connection, approved)
        assert openings.get(connection, "o1") == approved
        assert list(openings.seals(connection)) == [openings.seal(approved)] != [openings.seal(ASKED)]
        assert openings.listed(connection, everything=False) == [approved]
        openings.change(connection, replace(approved, opened_at=START + timedelta(hours=2)))
        assert openings.listed(connection, everything=False) == []
        with pytest.raises(UnknownRecordError):
            openings.get(connection, "o2")
