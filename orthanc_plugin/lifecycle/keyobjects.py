"""What becomes of a key object that was sent in: a request for an export, a rejection, or nothing.

Knows who may ask for what, and what must be true of the pictures that it lists. Must not know how it came. Whoever may
not ask is not asked for: the key object is filed, has no effect, and somebody is told. So is one that asks for nothing,
which nobody needs to be told.

Sources: PS3.3 A.35.4; PS3.16 TID 2010 and CID 7010; IHE RAD Imaging Object Change Management.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from dicomwrap.iod.keyobject import Code, Referenced
from dicomwrap.keyobjects import KeyObject
from dicomwrap.terms import Purpose
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.bindings import Role, Verb
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.lifecycle import exportrequests, rejecting
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.exportrequests import Profiles
from orthanc_plugin.policy.keyobjects import KeyObjectTask, Rejection, rejection, requested
from orthanc_plugin.registry import images, keyobjects, patients, tasks
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.keyobjects import Came, State
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.trail import append

LONGEST_WORD: Final = 64  # characters, as the registry has room for
ASKS_NOTHING: Final = "its title asks for nothing that is done here"
NOBODY: Final = "nobody knows who sent it"
EFFECTS: Final = {
    State.REQUESTED: "EXPORT_REQUESTED",
    State.REJECTED: "PICTURES_REJECTED",
    State.NO_EFFECT: "KEY_OBJECT_WITHOUT_EFFECT",
}
Words = tuple[Verb, Role]
MAY_ASK: Final[Words] = (Verb.REQUEST_EXPORT, Role.REQUEST_EXPORT)
MAY_REJECT: Final[Words] = (Verb.REJECT, Role.REJECT)


def objections(connection: Connection, found: KeyObject, who: Key) -> tuple[str, ...]:
    """Say what keeps a key object from being followed, each with its rule's name; ``who`` is the patient it names.

    One that asks for nothing may list what it likes.
    """
    purpose, why = _wish(found)
    if purpose is None and why is None:
        return ()
    whose = patients.numbers(connection, who)
    return tuple(_objections(found, _here(connection, found), whose, asks=purpose is not None))


def _objections(found: KeyObject, here: Mapping[str, ImageRow], whose: tuple[Key, ...], *, asks: bool) -> Iterator[str]:
    if any((row.patient_id, row.issuer) not in whose for row in here.values()):
        yield "KEY_OBJECT_OF_ANOTHER_PATIENT: it lists pictures of another patient"
    if any(not _as_filed(each, here) for each in found.references):
        yield "KEY_OBJECT_CONTRADICTS: it lists pictures under another study, series or SOP class than their own"
    if any(each.study_instance_uid != found.study_instance_uid for each in found.references):
        yield "KEY_OBJECT_OF_ANOTHER_STUDY: it lists pictures of another study than its own"
    if asks and len(here) < len(found.references):
        yield "KEY_OBJECT_UNKNOWN_PICTURES: it asks for pictures that are not here"


def _as_filed(named: Referenced, here: Mapping[str, ImageRow]) -> bool:
    row = here.get(named.sop_instance_uid)
    said = (named.study_instance_uid, named.series_instance_uid, named.sop_class_uid)
    return row is None or said == (row.study_instance_uid, row.series_instance_uid, row.sop_class_uid)


def _here(connection: Connection, found: KeyObject) -> dict[str, ImageRow]:
    uids = tuple(each.sop_instance_uid for each in found.references)
    rows = (row for piece in pieces(uids) for row in images.find(connection, Subject.SOP_INSTANCE_UID, piece))
    return {row.sop_instance_uid: row for row in rows}


def came(connection: Connection, act: Act, found: KeyObject, who: Key, sender: str, profiles: Profiles) -> Came:
    """Do what a key object asks for, if its sender may; the same one again changes nothing.

    Args:
        connection: open write transaction.
        act: who sent it, through which door, when.
        found: the key object.
        who: the number and issuer of the patient that it names.
        sender: the binding of policy.toml; '' when nobody knows who sent it.
        profiles: gives a profile as it is now.
    """
    known = keyobjects.find(connection, found.sop_instance_uid)
    if known is not None and known.state is not State.NO_EFFECT:
        return known
    told, reason = _as_sent(act, found, sender), _reason(connection, act, found, who, sender)
    done = replace(told, reason=reason) if reason else _done(connection, act, found, told, profiles)
    return _written(connection, act, done)


def _wish(found: KeyObject) -> tuple[Purpose | None, Rejection | None]:
    """Return what an export is asked for, and why pictures are rejected: one of them, or neither."""
    title = found.title
    return requested(title.scheme, title.value), rejection(title.scheme, title.value)


def _as_sent(act: Act, found: KeyObject, sender: str) -> Came:
    purpose, _ = _wish(found)
    return Came(
        key_object_uid=found.sop_instance_uid,
        study_instance_uid=found.study_instance_uid,
        title=_word(found.title),
        modifiers=tuple(_word(each) for each in found.modifiers),
        pictures=tuple(each.sop_instance_uid for each in found.references),
        sender=sender,
        received_at=act.at.isoformat(),
        state=State.NO_EFFECT,
        purpose=purpose or "",
    )


def _done(connection: Connection, act: Act, found: KeyObject, told: Came, profiles: Profiles) -> Came:
    """Do what the key object asks for; return what came of it."""
    here, (purpose, why) = _here(connection, found), _wish(found)
    if purpose is not None:
        queued = exportrequests.ask(connection, act, found, tuple(here.values()), purpose, told.sender, profiles)
        return replace(told, state=State.REQUESTED, queued=queued)
    if why is not None:
        rejecting.reject(connection, act, found, here, told.sender, why)
    return replace(told, state=State.REJECTED)


def _reason(connection: Connection, act: Act, found: KeyObject, who: Key, sender: str) -> str:
    """Say why nothing is done, and tell somebody unless nothing was asked for; '' when it is done."""
    if _wish(found) == (None, None):
        return ASKS_NOTHING
    reason = "; ".join(_against(connection, act.policy, found, who, sender))
    if reason:
        _tell(connection, act, found, reason)
    return reason


def _against(connection: Connection, policy: Policy, found: KeyObject, who: Key, sender: str) -> Iterator[str]:
    """Say why what a key object asks for isn't done."""
    purpose, _ = _wish(found)
    needed = MAY_REJECT if purpose is None else MAY_ASK
    if not sender:
        yield NOBODY
    elif not _may(policy, sender, needed):
        yield f"{sender} is not bound in policy.toml to {needed[0]}"
    yield from objections(connection, found, who)


def _may(policy: Policy, sender: str, needed: Words) -> bool:
    """Tell whether the node or account of this name may ask."""
    verb, role = needed
    node = next((each for each in policy.dicom_nodes if each.name == sender), None)
    user = policy.user(sender)
    return (node is not None and verb in node.may) or (
        user is not None and any(role in use.roles for use in user.uses())
    )


def _tell(connection: Connection, act: Act, found: KeyObject, reason: str) -> None:
    kind, subject = KeyObjectTask.KEY_OBJECT_WITHOUT_EFFECT, found.sop_instance_uid
    said = f"a key object titled {_word(found.title)} has no effect: {reason}"
    tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=subject, reason=said, at=act.at)


def _written(connection: Connection, act: Act, told: Came) -> Came:
    seal = keyobjects.record(connection, told)
    reasons = (f"{told.title} on {len(told.pictures)} object(s)", *([told.reason] if told.reason else []))
    kind, subject = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, told.key_object_uid
    append(connection, [act.event(kind, EFFECTS[told.state], subject=subject, reasons=reasons, detail=seal)])
    return told


def _word(code: Code) -> str:
    return f"{code.scheme}:{code.value}"[:LONGEST_WORD]
