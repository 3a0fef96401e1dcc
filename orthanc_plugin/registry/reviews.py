"""The steps by which named people reviewed pictures, and who asked for the copies that wait for it.

Knows rows. Steps are only ever added, in one order for each picture. A verdict holds for the very bytes that were
looked at and no others, under the profile it names as that was then, or under every profile when it names none; a no
holds under the profile however that changes. The newest of them counts, unless others were found in the picture since.
Must not know who may take a step, nor what is decided on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, literal_column, or_, select

from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.others import since_others
from orthanc_plugin.policy.reviewing import HIDING, VERDICTS, Box, Kind, Outline, Review, Shown, Under, box, outline
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.reviewtables import review_requests
from orthanc_plugin.registry.stored import sealed, unreadable, word
from orthanc_plugin.registry.tables import reviews

SEAL: Final = "review record "  # of what was on record before there were steps
STEP_SEAL: Final = "review step "
REQUEST_SEAL: Final = "review request "
# What a row from before there were steps has in their columns; its seal doesn't have them.
UNSAID: Final = {
    "step": 0,
    "kind": Kind.VERDICT.value,
    "pixels": "",
    "profile": "",
    "profile_digest": "",
    "regions": "[]",
    "findings": "[]",
}
ASKED_BY: Final = ("sop_instance_uid", "requester", "recipient", "purpose")
Own = Callable[[Review], bool]
WAS: Final = {True: Shown.IDENTIFIES, False: Shown.NOT_SHOWN}


class Asked(NamedTuple):
    """Somebody asked for an anonymised copy of a picture; ``profile`` is '' where it waits for nobody's look."""

    sop_instance_uid: str
    requester: str
    recipient: str
    purpose: str
    profile: str
    asked_at: str


def is_verdict() -> ColumnElement[bool]:
    """Return what is true of the rows that are verdicts; written so that it has no parameters."""
    return or_(*(reviews.c.kind == literal_column(f"'{kind.value}'") for kind in sorted(VERDICTS)))


def holds_under() -> ColumnElement[bool]:
    """Return what is true of the verdicts that count (``policy.reviewing``) under a profile."""
    refused = reviews.c.outcome == literal_column(f"'{Anonymisable.NO.value}'")
    return or_(
        reviews.c.profile_digest == literal_column("''"),
        reviews.c.profile_digest == bindparam("digest"),
        refused & (reviews.c.profile == bindparam("profile")),
    )


NEWEST_FIRST: Final = (reviews.c.step.desc(), reviews.c.reviewed_at.desc())
_found = reviews.alias("found")
# Whether two persons ever agreed that others are shown in the object: of most none have, and nothing more is read.
_OTHERS_FOUND: Final = exists().where(
    _found.c.sop_instance_uid == reviews.c.sop_instance_uid,
    _found.c.sha256 == reviews.c.sha256,
    _found.c.profile == literal_column(f"'{HIDING.name}'"),
    _found.c.kind == literal_column(f"'{Kind.VERDICT.value}'"),
)
VERDICT: Final = prepared(
    select(_OTHERS_FOUND, *reviews.c)
    .where(
        reviews.c.sop_instance_uid == bindparam("uid"),
        reviews.c.sha256 == bindparam("sha256"),
        is_verdict(),
        holds_under(),
    )
    .order_by(*NEWEST_FIRST)
    .limit(literal_column("1"))
)
OF_THE_OBJECT: Final = prepared(
    select(*reviews.c)
    .where(reviews.c.sop_instance_uid == bindparam("uid"), reviews.c.sha256 == bindparam("sha256"))
    .order_by(reviews.c.step, reviews.c.reviewed_at)
)
COLUMNS: Final = tuple(column.name for column in reviews.c)
# Asked at every access to an anonymised copy.
ASKED: Final = prepared(
    select(*(review_requests.c[name] for name in Asked._fields)).where(
        *(review_requests.c[name] == bindparam(name) for name in ASKED_BY)
    )
)


def record(connection: Connection, review: Review) -> str:
    """File a step after all others on the picture; return the words that tie the row to its entry in the trail."""
    last = select(func.coalesce(func.max(reviews.c.step), 0)).where(
        reviews.c.sop_instance_uid == review.sop_instance_uid
    )
    row = {
        **asdict(review),
        "checklist": json.dumps(dict(review.checklist), sort_keys=True),
        "regions": json.dumps(_hidden(review)),
        "reviewed_at": review.reviewed_at.isoformat(),
        "step": connection.execute(last).scalar_one() + 1,
    }
    del row["crop"]  # it is with the regions
    connection.execute(reviews.insert().values(row))
    return _seal({name: row[name] for name in COLUMNS})


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every review from before there were steps."""
    yield from _seals(connection, reviews.c.step == 0)


def step_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every step."""
    yield from _seals(connection, reviews.c.step != 0)


def _seals(connection: Connection, which: ColumnElement[bool]) -> Iterator[str]:
    for row in connection.execute(select(reviews).where(which), execution_options=IN_PARTS):
        yield _seal(dict(row._mapping))


def _seal(row: Mapping[str, object]) -> str:
    if row["step"]:
        return sealed(STEP_SEAL, str(row["review_id"]), dict(row))
    return sealed(SEAL, str(row["review_id"]), {name: row[name] for name in row if row[name] != UNSAID.get(name)})


def verdict(connection: Connection, sop_instance_uid: str, sha256: str, under: Under) -> Review | None:
    """Return the newest verdict on exactly these bytes that holds under the profile; None when nobody looked.

    Nobody has, either, where it is a yes from before two persons found others in the picture (``policy.others``).

    Raises:
        UnreadableRowError: it can't be read.
    """
    rows = VERDICT.rows(connection, uid=sop_instance_uid, sha256=sha256, profile=under.name, digest=under.digest)
    for others, *row in rows:
        found = read_review(row)
        if others and found not in since_others(steps(connection, sop_instance_uid, sha256)):
            return None
        return found
    return None


def steps(connection: Connection, sop_instance_uid: str, sha256: str) -> tuple[Review, ...]:
    """Return every step on exactly these bytes, oldest first.

    Raises:
        UnreadableRowError: one can't be read.
    """
    return tuple(map(read_review, OF_THE_OBJECT.rows(connection, uid=sop_instance_uid, sha256=sha256)))


def answered(connection: Connection, sop_instance_uid: str, sha256: str, item: str, own: Own) -> Shown | None:
    """Return the newest answer that a verdict on exactly these bytes gives to one item; None when none does.

    That it isn't shown counts of the picture as it is only, from somebody else than whoever asks (``own`` tells their
    verdicts), and until somebody rejects the picture; that it is shown counts whoever says so.
    """
    rejected = False
    for each in reversed(steps(connection, sop_instance_uid, sha256)):
        if each.profile == HIDING.name:
            continue  # what is hidden of others in identifiable copies is a matter of its own
        rejected = rejected or each.kind is Kind.REJECTED
        said = each.checklist.get(item) if each.kind is Kind.VERDICT else None
        if said is Shown.NOT_SHOWN and (rejected or each.hides or own(each)):
            continue
        if said is not None:
            return said
    return None


def ask(connection: Connection, asked: Asked) -> str | None:
    """Note who asked, once for each use; return the words that tie the row to its entry in the trail, if it is new."""
    known = next((Asked(*map(str, row)) for row in ASKED.rows(connection, **_asked_by(asked))), None)
    if known is None:
        connection.execute(review_requests.insert().values(asked._asdict()))
        return _request_seal(asked)
    if asked.profile in ("", known.profile):
        return None
    same = (review_requests.c[name] == value for name, value in _asked_by(asked).items())
    connection.execute(review_requests.update().where(*same).values(profile=asked.profile))
    return _request_seal(known._replace(profile=asked.profile))


def _asked_by(asked: Asked) -> dict[str, str]:
    values = asked._asdict()
    return {name: values[name] for name in ASKED_BY}


def request_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every request."""
    for row in connection.execute(select(review_requests), execution_options=IN_PARTS):
        yield _request_seal(Asked(**row._mapping))


def _request_seal(asked: Asked) -> str:
    values = asked._asdict()
    return sealed(REQUEST_SEAL, " ".join(values[name] for name in ASKED_BY), values)


def requests(connection: Connection, sop_instance_uid: str) -> tuple[Asked, ...]:
    """Return who asked for copies of a picture, in the order of their asking."""
    query = (
        select(review_requests)
        .where(review_requests.c.sop_instance_uid == sop_instance_uid)
        .order_by(review_requests.c.asked_at, review_requests.c.requester, review_requests.c.purpose)
    )
    return tuple(Asked(**row._mapping) for row in connection.execute(query))


def read_review(row: Iterable[object]) -> Review:
    """Return the step that a row with every column holds.

    Raises:
        UnreadableRowError: it can't be read.
    """
    values = dict(zip(COLUMNS, row, strict=True))
    del values["step"]
    try:
        checklist = {str(item): _shown(said) for item, said in json.loads(str(values["checklist"])).items()}
        regions, crop = _read_hidden(json.loads(str(values["regions"])))
        at = datetime.fromisoformat(str(values["reviewed_at"]))
    except (ValueError, TypeError, AttributeError):
        raise unreadable("reviews") from None
    kind = word(Kind, values["kind"], "reviews.kind")
    outcome = word(Anonymisable, values["outcome"], "reviews.outcome")
    read = {
        "checklist": checklist,
        "regions": regions,
        "crop": crop,
        "reviewed_at": at,
        "kind": kind,
        "outcome": outcome,
    }
    return Review(**{**values, **read})  # type: ignore[arg-type]


def _hidden(review: Review) -> object:
    """Return what is blanked, and what is kept where that isn't all, as the row has it."""
    return review.regions if review.crop is None else {"regions": review.regions, "crop": review.crop}


def _read_hidden(said: object) -> tuple[tuple[Outline, ...], Box | None]:
    match said:
        case list():
            return tuple(map(outline, said)), None
        case {"regions": list(regions), "crop": crop}:
            return tuple(map(outline, regions)), box(crop)
    raise ValueError("nothing hidden")


def _shown(said: object) -> Shown:
    return WAS[said] if isinstance(said, bool) else word(Shown, said, "reviews.checklist")
