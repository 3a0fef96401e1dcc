"""What is known of a picture beside its bytes, as people record it.

Knows which entry of the trail goes with each change, and which change somebody else must look at. Must not know rows.
The reason is a person's own words and may name the patient, so it stays in the registry, under the id of the change.

Sources: requirements 2.1, 2.2 (shows), 001-20c, 000-10 (a complaint).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError, UnknownImageError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.eventmodel import TaskKind
from orthanc_plugin.policy.expirymodel import HoldKind
from orthanc_plugin.policy.model import ImageSource, ImageType
from orthanc_plugin.registry import changes, images, patients, tasks
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.retentiongather import held_by, years_of
from orthanc_plugin.registry.trail import append

# What somebody may look for in a picture, and what it may show (requirements 001-20c).
SHOWS: Final = ("FACE", "TATTOO", "JEWELLERY", "SCAR", "BACKGROUND_PERSON", "TEXT")
# What keeps a picture closer than any other value of the same fact.
PROTECTS: Final[dict[str, object]] = {
    "image_type": ImageType.CLINICAL_PHOTO,
    "source": ImageSource.PATIENT_SUPPLIED,
    "intimate": True,
    "covert": True,
    "familial": True,
}
# Which value keeps it closer depends on the rest (old collections, the hospital's switch).
EITHER_WAY: Final = frozenset({"made_for", "made_on"})


def picture(connection: Connection, act: Act, uid: str, facts: Mapping[str, object], reason: str) -> ImageRow:
    """Record what somebody saw in a picture, such as ``{"intimate": True}``; return it as it now stands.

    What may open it to more people is looked at again by somebody else: it opens IG_REVIEW. While a complaint is held
    for, nothing of that kind is changed.

    Raises:
        UnknownImageError: no such picture.
        IllegalTransitionError: no reason, made on a day to come, or a complaint is about it.
    """
    if not reason.strip():
        raise IllegalTransitionError(
            "A picture's facts aren't changed without a reason.", remedy="Say why, for whoever reads it later."
        )
    if isinstance(made_on := facts.get("made_on"), date) and made_on > act.day:
        raise IllegalTransitionError(
            "A picture can't have been made on a day to come.", remedy="Correct the date; nothing was recorded."
        )
    before = _image(connection, uid)
    images.change(connection, uid, facts)
    after = _image(connection, uid)
    loosened = [name for name in facts if _loosened(name, getattr(before, name), getattr(after, name))]
    if loosened and _complained_of(connection, act, before):
        raise IllegalTransitionError(
            "A hold for a complaint is on this picture: it isn't labelled otherwise until somebody lifts that.",
            remedy="What only protects it more may be recorded. See 'consentgate hold list'.",
        )
    change = _kept_why(connection, act, before, facts, reason)
    told = act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        "IMAGE_FACTS",
        subject=uid,
        reasons=tuple(_corrected(name, before, after) for name in facts),
        detail=changes.seal(connection, change),
    )
    append(connection, [told])
    if loosened:
        reason = f"less protected by: {', '.join(loosened)}"
        kind, name = TaskKind.IG_REVIEW, act.ids()
        tasks.open_task(connection, task_id=name, kind=kind, subject=uid, reason=reason, at=act.at, not_by=act.by)
    return after


def _kept_why(connection: Connection, act: Act, before: ImageRow, facts: Mapping[str, object], reason: str) -> str:
    """Keep old, new and why, which is a person's own words, beside the patient's changes; return the change's id."""
    change, new = act.ids(), images.stored(facts)
    old = images.stored({name: getattr(before, name) for name in facts})
    for name in facts:
        patients.note(
            connection,
            (before.patient_id, before.issuer),
            name,
            old[name],
            new[name],
            reason=reason,
            by=act.by,
            at=act.at,
            change_id=f"{change}.{name}",
            uid=before.sop_instance_uid,
        )
    return change


def _complained_of(connection: Connection, act: Act, row: ImageRow) -> bool:
    whose = (row.patient_id, row.issuer)
    standing = held_by(connection, whose, act.at, years_of(row), row.department)
    return any(hold.kind is HoldKind.COMPLAINT for hold in standing)


def _loosened(name: str, before: object, after: object) -> bool:
    if isinstance(before, tuple) and isinstance(after, tuple):
        return not set(before) <= set(after)
    return before != after and (name in EITHER_WAY or before == PROTECTS.get(name))


def _image(connection: Connection, uid: str) -> ImageRow:
    found = images.get(connection, uid)
    if found is None:
        raise UnknownImageError("No image in the archive has this SOP Instance UID.")
    return found


def _corrected(name: str, before: ImageRow, after: ImageRow) -> str:
    if name == "made_on":
        return "made_on: corrected"  # the day itself would tell of the patient
    return f"{name}: was {_said(before, name)}, is {_said(after, name)}"


def _said(row: ImageRow, name: str) -> str:
    value = getattr(row, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "nothing" if isinstance(value, tuple) else str(value)
