"""A registry that is restored from a backup forgets no withdrawal: no door opens before it is done again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import ConsentState, Purpose, WithdrawalPhase
from orthanc_plugin.enforcement.restored import Restored
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle import consenting, withdrawal
from orthanc_plugin.registry import consents
from orthanc_plugin.registry.heads import Heads
from orthanc_plugin.retention import withdrawals
from orthanc_plugin.retention.certificate import CertificateError
from orthanc_plugin.retention.withdrawals import FOLDER, TakenBack
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World

RENEWED = "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca428"
RESEARCH = {**TEACHING, "purpose": "RESEARCH", "audience": ["RESEARCH_TEAM"]}


def folder(world: World) -> Path:
    settings = world.services.settings
    return settings.path(settings.trail.certificates)


def withdraw(world: World, *purposes: Purpose, consent_id: str = CONSENT_ID) -> None:
    note = Withdrawal(phase=WithdrawalPhase.LATER)
    with world.services.database.writing() as connection:
        act, day = world.services.act("nurse", "test"), world.clock().date()
        withdrawal.withdraw(connection, act, consent_id, purposes, on=day, note=note)
    world.services.sign_head()


def restore(world: World) -> None:
    """Bring back the consent as it was, and set new heads."""
    world.sql("DELETE FROM consents WHERE version > 1")
    world.sql("DELETE FROM trail WHERE seq > 1")
    heads = world.services.heads
    heads.path.unlink()
    world.services = replace(world.services, heads=Heads(heads.path, heads.key.private_bytes_raw()))


def state(world: World) -> tuple[ConsentState, frozenset[Purpose]]:
    with world.services.database.reading() as connection:
        known = consents.current(connection, CONSENT_ID)
    return known.state, consents.still_covered(known)


def is_shut(world: World) -> bool:
    found = Restored(world.services, world.archive)
    found.check()
    return found.shut


def again(world: World) -> int:
    services, act = world.services, world.services.act("clerk", "test")

    def do(connection: Connection, told: TakenBack) -> None:
        for on, words in told.days().items():
            withdrawal.withdraw(connection, act, told.consent_id, words, on=on, note=Withdrawal(phase=told.phase))

    with services.database.writing() as connection:
        return withdrawals.again(connection, folder(world), services.heads.key.public_key(), do)


@pytest.mark.parametrize("purposes", [(), (Purpose.TEACHING,)], ids=["all of it", "teaching alone"])
def test_what_was_withdrawn_is_withdrawn_again_before_a_door_opens(purposes: tuple[Purpose, ...], world: World) -> None:
    world.file(CARE, TEACHING)
    world.services.sign_head()
    withdraw(world, *purposes)
    after = state(world)
    restore(world)
    assert state(world) != after
    assert is_shut(world)
    assert again(world) == 1
    assert state(world) == after
    world.services.sign_head()
    assert not is_shut(world)
    assert again(world) == 0


def test_one_withdrawal_after_another_is_done_again_with_its_own_day(world: World) -> None:
    world.file(CARE, TEACHING)
    withdraw(world, Purpose.TEACHING)
    world.clock.advance(days=3)
    withdraw(world)
    with world.services.database.reading() as connection:
        before = consents.current(connection, CONSENT_ID).withdrawn
    restore(world)
    assert again(world) == 2
    with world.services.database.reading() as connection:
        assert consents.current(connection, CONSENT_ID).withdrawn == before


def renewed(world: World, *scopes: Mapping[str, object], decided_on: str = "2000-01-01") -> None:
    """Replace the consent by another, and have the trail's head signed."""
    with world.services.database.writing() as connection:
        act = world.services.act("nurse", "test")
        consenting.supersede(connection, act, CONSENT_ID, consent(*scopes, id=RENEWED, decided_on=decided_on))
    world.services.sign_head()


def forget_renewal(world: World) -> None:
    world.sql("DELETE FROM consents WHERE consent_id = 'urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca428'")
    restore(world)


def test_what_a_renewed_consent_no_longer_covers_is_withdrawn_again_before_a_door_opens(world: World) -> None:
    world.file(CARE, TEACHING)
    world.services.sign_head()
    renewed(world, CARE)
    forget_renewal(world)
    assert state(world)[1] == {Purpose.DIRECT_CARE, Purpose.TEACHING}
    assert is_shut(world)
    assert again(world) == 1
    assert state(world) == (ConsentState.GIVEN, {Purpose.DIRECT_CARE})
    assert not is_shut(world)


def test_a_withdrawal_of_a_renewed_consent_takes_it_from_the_one_that_a_backup_brings_back(world: World) -> None:
    world.file(CARE, TEACHING)
    world.services.sign_head()
    renewed(world, CARE, TEACHING, RESEARCH, decided_on="1999-12-31")
    for purpose in (Purpose.TEACHING, Purpose.RESEARCH):
        withdraw(world, purpose, consent_id=RENEWED)
        world.clock.advance(days=1)
    forget_renewal(world)
    assert is_shut(world)
    assert again(world) == 1
    assert state(world) == (ConsentState.GIVEN, {Purpose.DIRECT_CARE})
    assert not is_shut(world)


def test_a_renewal_that_leaves_nothing_out_is_no_withdrawal(world: World) -> None:
    world.file(CARE)
    world.services.sign_head()
    renewed(world, CARE, TEACHING)
    assert list((folder(world) / FOLDER).iterdir()) == []


def test_no_file_names_the_patient_and_none_is_written_for_other_acts(world: World) -> None:
    world.file(CARE)
    world.services.sign_head()
    assert list((folder(world) / FOLDER).iterdir()) == []
    withdraw(world)
    (file,) = (folder(world) / FOLDER).iterdir()
    assert world.row().patient_id not in json.dumps(list(json.loads(file.read_text()).values()))
    written = file.read_bytes()
    world.services.sign_head()
    assert file.read_bytes() == written


def test_what_root_writes_belongs_to_who_owns_the_signed_heads(world: World) -> None:
    world.file(CARE)
    world.services.sign_head()
    shutil.rmtree(folder(world))
    heads = world.services.heads.path
    if os.geteuid() == 0:
        os.chown(heads, 4242, 4242)
    withdraw(world)
    for path in (folder(world), folder(world) / FOLDER, *(folder(world) / FOLDER).iterdir()):
        assert path.stat().st_uid == heads.stat().st_uid


def cut(text: str) -> str:
    return text[:40]


def forge(text: str) -> str:
    return text.replace("LATER", "DURING_CAPTURE")


@pytest.mark.parametrize("change", [cut, forge])
def test_a_file_that_doesn_t_hold_is_named_and_nothing_is_done_on_its_word(
    change: Callable[[str], str], world: World
) -> None:
    world.file(CARE)
    withdraw(world)
    restore(world)
    (file,) = (folder(world) / FOLDER).iterdir()
    file.write_text(change(file.read_text()))
    assert is_shut(world)
    with pytest.raises(CertificateError, match=file.name):
        again(world)
    assert state(world)[0] is ConsentState.GIVEN


def test_a_withdrawal_that_can_t_be_written_down_outside_leaves_the_head_unsigned_and_is_written_next(
    world: World,
) -> None:
    world.file(CARE)
    world.services.sign_head()
    inner = folder(world) / FOLDER
    inner.rmdir()
    inner.write_text("")
    with pytest.raises(ConsentgateError, match="can't be written down outside"):
        withdraw(world)
    inner.unlink()
    world.services.sign_head()
    assert len(list(inner.iterdir())) == 1
