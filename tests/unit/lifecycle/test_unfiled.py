"""A hold keeps even what was never filed: shut, until it is lifted; then it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

import orthanc_plugin.lifecycle.consenting  # noqa: F401 (withdrawal and it import each other: it comes first)
from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import WithdrawalPhase
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import approval, capture, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.expirymodel import HoldKind
from orthanc_plugin.registry import holds, quarantine
from orthanc_plugin.registry.captures import StopKind
from orthanc_plugin.registry.holds import Order
from tests.fakes.clinic import STUDY, clinic, kept, status, waiting, way_in
from tests.fakes.pictures import CONSENT_ID, consent, photograph_bytes
from tests.fakes.world import World

Taking = Callable[[Connection, Act, str], tuple[str, ...]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which one photograph waits for approval, and a claim is on its patient."""
    made = clinic(tmp_path, "every")
    made.record(consent())
    made.receive()
    order = Order(
        kind=HoldKind.LITIGATION,
        authority="the court",
        reason="a claim",
        review_on=made.clock().date(),
        patients=((waiting(made).patient_id, waiting(made).issuer),),
    )
    with made.services.database.writing() as connection:
        holds.place(connection, order, hold_id="H", by="legal", at=made.clock())
    yield made
    made.close()


def by_consent(connection: Connection, act: Act, _held: str) -> tuple[str, ...]:
    note = Withdrawal(phase=WithdrawalPhase.LATER)
    done = withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=note).consequences
    assert (done.deleted, len(done.held)) == ((), 1)
    return done.spool_names


def by_answer(connection: Connection, act: Act, held: str) -> tuple[str, ...]:
    return approval.withdraw(connection, act, held, "not my face", refuse=False).leftover


def by_stop(connection: Connection, act: Act, _held: str) -> tuple[str, ...]:
    return capture.stop(connection, act, STUDY, StopKind.OBJECTION, "Turned away.").spool_names


def swept(world: World) -> None:
    approval.sweep(way_in(world), world.services.act("consentgate", "test"))


@pytest.mark.parametrize("taken_back", [by_consent, by_answer, by_stop])
def test_what_a_hold_is_on_is_kept_shut_until_it_is_lifted_and_then_goes(taken_back: Taking, world: World) -> None:
    held = waiting(world)
    with world.services.database.writing() as connection:
        assert taken_back(connection, world.services.act("nurse", "test"), held.quarantine_id) == ()
    swept(world)
    assert status(world, held.quarantine_id) == "KEPT_UNDER_HOLD"
    assert kept(world) == (held.spool_name,)
    assert "DELETED_UNFILED" not in [each["effect"] for each in world.trail()]
    with pytest.raises(IntakeRefusedError):
        Intake(world.services).examine(photograph_bytes(), "DICOM_PROTOCOL")
    with pytest.raises(IllegalTransitionError, match="took the picture back"):
        way_in(world).file(_now(world, held.quarantine_id), world.services.act("nurse", "test"))
    with world.services.database.writing() as connection:
        holds.lift(connection, "H", authority="the court", reason="settled", by="guardian", at=world.clock())
    swept(world)
    assert (status(world, held.quarantine_id), kept(world)) == ("DELETED", ())
    assert world.trail()[-1]["effect"] == "DELETED_UNFILED"


def _now(world: World, quarantine_id: str) -> quarantine.Held:
    with world.services.database.reading() as connection:
        return quarantine.get(connection, quarantine_id)
