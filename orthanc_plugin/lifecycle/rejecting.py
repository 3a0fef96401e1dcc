"""Pictures that another archive has taken out of use: held back here, and given free again by a person.

Knows what a rejection does to the copies that are here, and who may lift it. Must not know how it was told. The picture
is kept: nothing is destroyed on another archive's word, nor because its time to keep it has ended. A picture that it
found wrong isn't taken again when it is sent again; one that it merely keeps no longer is.

Sources: IHE RAD Imaging Object Change Management; PS3.16 CID 7010; requirements 2.9 (nothing filed is erased).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from dicomwrap.keyobjects import KeyObject
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import consenting
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.keyobjects import KEEPS_OUT, WORDS, KeyObjectTask, Rejection
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, images, ledger, outbox, rejections, tasks
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.rejections import Rejected
from orthanc_plugin.registry.trail import append

IN_USE: Final = frozenset({ImageStatus.ACTIVE, ImageStatus.RESTRICTED})
SENT_AGAIN: Final = "it was sent again, and intake has accepted it"
LIFTED: Final = "lifted"


def reject(
    connection: Connection, act: Act, found: KeyObject, rows: Mapping[str, ImageRow], sender: str, why: Rejection
) -> int:
    """Hold back what a key object rejects; return how many pictures that are here are held back.

    Args:
        connection: open write transaction.
        act: who sent it, when.
        found: the key object.
        rows: what is here of the pictures that it lists, by SOP Instance UID.
        sender: the binding that sent it.
        why: what its title says.
    """
    listed = [each.sop_instance_uid for each in found.references]
    if why not in KEEPS_OUT:  # of what isn't here it says nothing that will matter
        listed = [uid for uid in listed if uid in rows]
    here = tuple(rows[uid] for uid in listed if uid in rows and rows[uid].status is not ImageStatus.DISPOSED)
    made = tuple(_rejected(act, found, uid, rows.get(uid), sender, why) for uid in listed)
    _hold_back(connection, here)
    said = f"another archive says: {WORDS[why]}"
    outbox.cancel(connection, said, act.at, pictures=[row.sop_instance_uid for row in here])
    _tell(connection, act, made, why)
    _ask(connection, act, found, here, why)
    return len(here)


def _tell(connection: Connection, act: Act, made: Sequence[Rejected], why: Rejection) -> None:
    """File the rejections, each sealed by its entry in the trail."""
    kind, effect, told = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "REJECTED_ELSEWHERE", (WORDS[why],)
    seals = zip(made, rejections.record(connection, made), strict=True)
    events = (act.event(kind, effect, subject=each.sop_instance_uid, reasons=told, detail=seal) for each, seal in seals)
    append(connection, [*events])


def _rejected(act: Act, found: KeyObject, uid: str, row: ImageRow | None, sender: str, why: Rejection) -> Rejected:
    return Rejected(
        rejection_id=act.ids(),
        key_object_uid=found.sop_instance_uid,
        sop_instance_uid=uid,
        code=why,
        sender=sender,
        rejected_at=act.at.isoformat(),
        was=row.status if row else "",
    )


def _hold_back(connection: Connection, here: Sequence[ImageRow]) -> None:
    """Keep the pictures, and refuse their release; so with one that is being destroyed, should it be kept after all."""
    used = [row.sop_instance_uid for row in here if row.status in IN_USE]
    images.change_all(connection, used, {"status": ImageStatus.REJECTED})
    others = [row.sop_instance_uid for row in here if row.status not in IN_USE]
    for uid in disposals.on_their_way(connection, others):
        _comes_back_as(connection, uid, ImageStatus.REJECTED)


def _comes_back_as(connection: Connection, sop_instance_uid: str, status: ImageStatus) -> None:
    marked = disposals.marked_as(connection, sop_instance_uid)
    if marked is not None:
        disposals.restrict(connection, marked, sop_instance_uid, status)


def adopted(connection: Connection, uids: Collection[str]) -> None:
    """Hold pictures back that were rejected while no door showed them, and are adopted now."""
    for piece in pieces(uids):
        rejected = {each.sop_instance_uid for each in rejections.of_pictures(connection, piece)}
        images.change_all(connection, rejected, {"status": ImageStatus.REJECTED})


def _ask(connection: Connection, act: Act, found: KeyObject, here: Sequence[ImageRow], why: Rejection) -> None:
    kind = KeyObjectTask.REJECTED_ELSEWHERE if why in KEEPS_OUT else KeyObjectTask.EXPIRED_ELSEWHERE
    copies = ledger.copies_of(connection, [row.sop_instance_uid for row in here])
    left = sum(map(len, copies.values()))
    said = "; ".join((WORDS[why], *sorted({f"{each.scheme} {each.value}" for each in found.modifiers})))
    reason = (
        f"another archive says: {said}. {len(here)} picture(s) here are held back; copies of them that left: {left}"
    )
    subject = found.sop_instance_uid
    tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=subject, reason=reason, at=act.at)


def keeps_out(connection: Connection, sop_instance_uid: str) -> str:
    """Say why a picture isn't taken that is sent again; '' when nothing keeps it out."""
    standing = sorted(KEEPS_OUT & rejections.standing(connection, sop_instance_uid))
    return f"another archive says of it: {WORDS[Rejection(standing[0])]}" if standing else ""


def sent_again(connection: Connection, act: Act, sop_instance_uid: str) -> None:
    """Give a picture free again that another archive no longer kept, and that intake has accepted anew.

    One that came out of quarantine may have been restricted before it went there, which nobody has written down.
    """
    for each in rejections.of_pictures(connection, (sop_instance_uid,)):
        _lift(connection, act, each, SENT_AGAIN)
    row = images.get(connection, sop_instance_uid)
    if row is not None and row.status is ImageStatus.ACTIVE:
        _use(connection, act, sop_instance_uid)


def lift(connection: Connection, act: Act, name: str, reason: str) -> tuple[Rejected, ...]:
    """Lift the rejection of this id, or those of a picture or key object; return them.

    What the patient has said meanwhile stands: a picture that may no longer be used for care stays restricted.

    Raises:
        UnknownRecordError: there is none.
        UnnamedPersonError: policy.toml doesn't know who acts.
        IllegalTransitionError: it is lifted already, no reason is given, or its sender would lift it.
    """
    found = rejections.get(connection, name)
    act.require_named()
    if not reason.strip():
        raise IllegalTransitionError("A rejection isn't lifted without a reason.", remedy="Say why, with --reason.")
    if any(each.lifted_at is not None for each in found):
        raise IllegalTransitionError(
            "The rejection is lifted already.", remedy="See 'consentgate rejection list --all'."
        )
    if any(act.policy.one_person(each.sender, act.by) for each in found):
        raise IllegalTransitionError(
            "Whoever rejected a picture doesn't lift that.", remedy="Have somebody else look at the picture."
        )
    for each in found:
        _lift(connection, act, each, reason.strip())
    for key_object in sorted({each.key_object_uid for each in found}):
        _close(connection, act, key_object)
    return tuple(found)


def _lift(connection: Connection, act: Act, rejected: Rejected, reason: str) -> None:
    uid = rejected.sop_instance_uid
    seal = rejections.lift(connection, rejected, by=act.by, at=act.at, reason=reason)
    told = act.event(EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "REJECTION_LIFTED", subject=uid, detail=seal)
    append(connection, [told])
    row = images.get(connection, uid)
    if row is None or rejections.standing(connection, uid):
        return
    if row.status is not ImageStatus.REJECTED:
        _comes_back_as(connection, uid, ImageStatus.RESTRICTED)  # whether care may use it is asked when it does
        return
    _use(connection, act, uid)


def _use(connection: Connection, act: Act, uid: str) -> None:
    """Have a picture used again, restricted where it may no longer be used for care."""
    images.change(connection, uid, {"status": ImageStatus.ACTIVE})
    if not consenting.is_for_care(connection, act, uid):
        images.change(connection, uid, {"status": ImageStatus.RESTRICTED})


def _close(connection: Connection, act: Act, key_object_uid: str) -> None:
    """Close what asked somebody to look, once nothing that the key object rejected is held back any more."""
    if any(each.key_object_uid == key_object_uid for each in rejections.listed(connection, everything=False)):
        return
    for kind in (KeyObjectTask.REJECTED_ELSEWHERE, KeyObjectTask.EXPIRED_ELSEWHERE):
        tasks.close_tasks(connection, kind=kind, subject=key_object_uid, by=act.by, at=act.at, note=LIFTED)
