"""A records office with a place of deposit: records go there in bags, and receipts come back."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.registry import transfers
from orthanc_plugin.registry.plans import Action, Plan
from orthanc_plugin.registry.transfers import Transfer
from orthanc_plugin.retention import receipts
from orthanc_plugin.retention.transfer import Dispatch, Exported
from orthanc_plugin.sending.deposit import Deposit
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

SECOND = f"{UID}.2"
SIGNATORY = "M. Archivist"
HEAD = ",".join(receipts.COLUMNS)


def with_place(world: World, *, cooling_off: int = 0) -> Path:
    """Put a policy in force that names a place of deposit; return its folder."""
    folder = world.folder / "deposit"
    folder.mkdir()
    policy = world.folder / "policy.toml"
    text = DISPOSING.replace("/srv/deposit", str(folder))
    policy.write_text(text.replace("[disposition]\n", f"[disposition]\ncooling_off_days = {cooling_off}\n"))
    world.services = replace(world.services, policy=load_policy(policy))
    return folder


def with_record(world: World) -> Office:
    """Return the office of a world with two pictures of one study that fell due long ago."""
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return office(world)


def approved(bureau: Office) -> Plan:
    """Return an approved plan of which every record is to be transferred."""
    plan = bureau.plan()
    bureau.decide(plan, action=Action.TRANSFER)
    bureau.approve(plan)
    return plan


def dispatch(bureau: Office, by: str = "clerk") -> Dispatch:
    execution = bureau.execution(by)
    deposit = Deposit(services=bureau.world.services, archive=bureau.world.archive)
    return Dispatch(
        database=execution.database,
        shredder=execution.shredder,
        records=execution.records,
        contents=deposit.files,
        tags=deposit.tags,
        acting=execution.acting,
    )


def exported(bureau: Office, plan: Plan) -> list[Exported]:
    """Export what a plan transfers."""
    sent = dispatch(bureau)
    return list(sent.run(*sent.begin(plan.plan_id)))


def transfer_of(bureau: Office, plan: Plan) -> Transfer:
    """Return the one transfer of a plan."""
    with bureau.world.services.database.reading() as connection:
        (found,) = transfers.listed(connection, plan.plan_id)
    return found


def receipt(bureau: Office, moved: Transfer, *, signed: str = SIGNATORY, sha256: str = "", day: str = "") -> bytes:
    """Return a receipt as the place fills it in."""
    on = day or bureau.act().day.isoformat()
    return f"{HEAD}\n{moved.bag},{sha256 or moved.bag_sha256},{signed},{on}\n".encode()


def entered(bureau: Office, content: bytes, by: str = "clerk") -> tuple[Transfer, ...]:
    return receipts.enter(bureau.world.services.database, bureau.act(by), content)


def confirmed(bureau: Office, content: bytes, by: str = "guardian") -> tuple[Transfer, ...]:
    with bureau.world.services.database.writing() as connection:
        return receipts.confirm(connection, bureau.act(by), hashlib.sha256(content).hexdigest())


def received(bureau: Office, plan: Plan) -> Transfer:
    """Have a plan's one bag exported, and its receipt entered and confirmed."""
    exported(bureau, plan)
    content = receipt(bureau, transfer_of(bureau, plan))
    entered(bureau, content)
    (moved,) = confirmed(bureau, content)
    return moved
