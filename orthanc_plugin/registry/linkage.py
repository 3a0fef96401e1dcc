"""What is out of one person in anonymised form, and who let more of it leave.

Knows rows. Must not know how many are too many. A person is all the numbers that were merged; the trail has a review's
digest, since its note may name the patient. Source: requirements 002-60.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, literal_column, select, tuple_

from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.policy.linkage import TASK
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.tables import disclosures, images, tasks
from orthanc_plugin.registry.vaulttables import linkage_requests, linkage_reviews

SEAL: Final = "linkage review record "
REFUSAL_SEAL: Final = "linkage refusal "


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A study of which something left anonymised; ``profile`` is the profile's digest, ``at`` when it last did."""

    study: str
    profile: str
    recipient: str
    purpose: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkageReview:
    """A person looked at what is out of one patient, and let more of it leave."""

    review_id: str
    patient_id: str
    issuer: str
    note: str
    settled_at: datetime
    settled_by: str


WHOSE: Final = prepared(
    select(images.c.patient_id, images.c.issuer, images.c.study_instance_uid).where(
        images.c.sop_instance_uid == bindparam("uid")
    )
)
_TOLD: Final = (images.c.study_instance_uid, disclosures.c.profile, disclosures.c.recipient, disclosures.c.purpose)
# Asked at every anonymised release.
LEFT: Final = prepared(
    select(*_TOLD, func.max(disclosures.c.at))
    .join(images, images.c.sop_instance_uid == disclosures.c.sop_instance_uid)
    .where(
        images.c.patient_id == bindparam("number"),
        images.c.issuer == bindparam("of"),
        disclosures.c.form == bindparam("as_what"),
        disclosures.c.outcome != bindparam("never"),
        disclosures.c.at > bindparam("since"),
    )
    .group_by(*_TOLD)
)


# Asked first: of a series, all but the first picture add nothing.
SAME: Final = prepared(
    select(disclosures.c.recipient, disclosures.c.purpose)
    .join(images, images.c.sop_instance_uid == disclosures.c.sop_instance_uid)
    .where(
        images.c.study_instance_uid == bindparam("study"),
        images.c.patient_id == bindparam("number"),
        images.c.issuer == bindparam("of"),
        disclosures.c.profile == bindparam("profile"),
        disclosures.c.form == bindparam("as_what"),
        disclosures.c.outcome != bindparam("never"),
        disclosures.c.at > bindparam("since"),
    )
    .limit(literal_column("1"))
)
SETTLED: Final = prepared(
    select(func.max(linkage_reviews.c.settled_at)).where(
        linkage_reviews.c.patient_id == bindparam("number"), linkage_reviews.c.issuer == bindparam("of")
    )
)
ONLY: Final = {"as_what": Effect.PERMIT_ANONYMISED, "never": Delivery.FAILED}


def of_whom(connection: Connection, sop_instance_uid: str) -> tuple[tuple[Key, ...], str]:
    """Return every number of the person whose picture it is, and the picture's study.

    Raises:
        UnknownImageError: the registry doesn't know the picture.
    """
    for number, issuer, study in WHOSE.rows(connection, uid=sop_instance_uid):
        return patients.numbers(connection, (str(number), str(issuer))), str(study)
    raise UnknownImageError("The image is not known to the registry.")


def left(connection: Connection, whose: tuple[Key, ...], since: datetime) -> tuple[Left, ...]:
    """Return what left of the person after ``since``, each study once for a recipient; what failed to leave is none."""
    only = {**ONLY, "since": since.isoformat()}
    rows = (row for number, issuer in whose for row in LEFT.rows(connection, number=number, of=issuer, **only))
    return tuple(
        Left(
            study=str(study),
            profile=str(profile),
            recipient=str(recipient),
            purpose=str(purpose),
            at=datetime.fromisoformat(str(at)),
        )
        for study, profile, recipient, purpose, at in rows
    )


def left_to(
    connection: Connection, whose: tuple[Key, ...], study: str, profile: str, since: datetime
) -> tuple[str, str] | None:
    """Return to whom, for what, one copy of the study under this profile left after ``since``; None when none did."""
    only = {**ONLY, "study": study, "profile": profile, "since": since.isoformat()}
    rows = (row for number, issuer in whose for row in SAME.rows(connection, number=number, of=issuer, **only))
    return next(((str(recipient), str(purpose)) for recipient, purpose in rows), None)


def settled_at(connection: Connection, whose: tuple[Key, ...]) -> datetime | None:
    """Return when a person last let more of this patient's pictures leave."""
    rows = (row for number, issuer in whose for row in SETTLED.rows(connection, number=number, of=issuer))
    return max((datetime.fromisoformat(str(at)) for (at,) in rows if at), default=None)


def open_task(connection: Connection, whose: tuple[Key, ...]) -> str | None:
    """Return the id of the open task that asks for a review of this patient's pictures, if there is one."""
    query = (
        select(tasks.c.task_id)
        .join(images, images.c.sop_instance_uid == tasks.c.subject)
        .where(
            tuple_(images.c.patient_id, images.c.issuer).in_(whose),
            tasks.c.kind == TASK,
            tasks.c.closed_at.is_(None),
        )
    )
    found = connection.execute(query).scalar()
    return None if found is None else str(found)


def note_refused(connection: Connection, task_id: str, names: Iterable[str]) -> tuple[str, ...]:
    """Write down who was refused while a task is open: who asked, and for whom; return the words for the trail."""
    new = sorted(frozenset(names) - refused(connection, task_id))
    for name in new:
        connection.execute(linkage_requests.insert().values(task_id=task_id, name=name))
    return tuple(_refusal_seal(task_id, name) for name in new)


def refusal_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of everybody who was refused."""
    for row in connection.execute(select(linkage_requests), execution_options=IN_PARTS):
        yield _refusal_seal(row.task_id, row.name)


def _refusal_seal(task_id: str, name: str) -> str:
    return sealed(REFUSAL_SEAL, f"{task_id} {name}", (task_id, name))


def refused(connection: Connection, task_id: str) -> frozenset[str]:
    """Return who was refused since a task was opened."""
    names = select(linkage_requests.c.name).where(linkage_requests.c.task_id == task_id)
    return frozenset(connection.execute(names).scalars())


def record(connection: Connection, review: LinkageReview) -> str:
    """File a review; return the words that tie the row to its entry in the trail."""
    row = {**asdict(review), "settled_at": review.settled_at.isoformat()}
    connection.execute(linkage_reviews.insert().values(row))
    return sealed(SEAL, review.review_id, row)


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every review."""
    for row in connection.execute(select(linkage_reviews), execution_options=IN_PARTS):
        yield sealed(SEAL, str(row.review_id), dict(row._mapping))
