"""DELETE at the HTTP filter: the secret of the start alone destroys nothing; an execution's mark must be there."""

from __future__ import annotations

import base64

import pytest

from orthanc_plugin.archive.remote import SECRET_HEADER, Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.registry import disposals
from orthanc_plugin.registry.disposals import Fate, Marked, Outcome, State
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

INTERNAL = Credentials(user="consentgate", password="p", secret="the-secret")
DELETE = 4


@pytest.fixture
def filed(world: World) -> World:
    world.file(CARE)
    return world


def deletes(world: World, *, account: str = "consentgate", secret: str = INTERNAL.secret, level: str = "") -> bool:
    hook = HttpFilter(world.services, INTERNAL, world.worker()).hook
    said = {"Authorization": "Basic " + base64.b64encode(f"{account}:p".encode()).decode(), SECRET_HEADER: secret}
    uri = level or f"/instances/{world.row().orthanc_instance}"
    return hook(uri, method=DELETE, ip="10.0.0.7", headers=said, get={})


def mark(world: World) -> None:
    """Mark the picture as an execution does before it deletes."""
    row = world.row()
    marked = Marked(
        sop_instance_uid=UID, orthanc_instance=row.orthanc_instance, status=row.status, files=(row.orthanc_instance,)
    )
    outcome = Outcome(
        plan_id="plan",
        line=1,
        batch_id="batch",
        state=State.MARKED,
        reason="",
        at=world.clock().isoformat(),
        marked=(marked,),
    )
    with world.services.database.writing() as connection:
        disposals.mark(connection, outcome, "stub")


def test_what_no_execution_has_marked_is_not_destroyed_and_the_attempt_is_on_record(filed: World) -> None:
    assert deletes(filed) is False
    entry = filed.trail()[-1]
    assert filed.last_rules() == ["NOT_MARKED"]
    assert (entry["effect"], entry["actor"], entry["address"]) == ("DENY", "consentgate", "10.0.0.7")


def test_what_an_execution_has_marked_is_destroyed(filed: World) -> None:
    mark(filed)
    assert deletes(filed) is True


def test_what_is_kept_after_all_is_not_destroyed(filed: World) -> None:
    mark(filed)
    with filed.services.database.writing() as connection:
        disposals.unlist(connection, (UID,))
    assert deletes(filed) is False


def test_what_could_not_be_destroyed_is_left_alone_until_it_is_marked_anew(filed: World) -> None:
    mark(filed)
    with filed.services.database.writing() as connection:
        disposals.fated(connection, (UID,), Fate.LEFT)
    assert deletes(filed) is False
    mark(filed)
    assert deletes(filed) is True


@pytest.mark.parametrize(
    ("account", "secret", "level"),
    [
        ("consentgate", "wrong", ""),
        ("admin", INTERNAL.secret, ""),
        ("consentgate", INTERNAL.secret, "/studies/{row.orthanc_study}"),
    ],
)
def test_a_mark_lends_nobody_else_the_right_and_reaches_no_further(
    account: str, secret: str, level: str, filed: World
) -> None:
    mark(filed)
    assert deletes(filed, account=account, secret=secret, level=level.format(row=filed.row())) is False


def test_nothing_is_destroyed_while_the_registry_can_t_be_read(filed: World) -> None:
    mark(filed)
    uri = f"/instances/{filed.row().orthanc_instance}"
    filed.lose_the_database()
    assert deletes(filed, level=uri) is False
