"""The REST call by which a source tells facts for retention.

Knows the call's fields, and how the words of a row are written in JSON. Must not know what they mean. The source is the
account: nobody tells in the name of another. A row's columns are those of the CSV file, in JSON's own types; null says
nothing, as an empty cell does, and an empty list says that there are none.

Source: requirements T-12 (inputs come from a feed with a freshness stamp).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.factschemas import DAYS, MOST_PARTS, MOST_ROWS, TEXTS
from orthanc_plugin.enforcement.reply import BASE, CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint, act, text
from orthanc_plugin.lifecycle import retentionbatch, scheduling
from orthanc_plugin.lifecycle.csvrows import FLAG_WORDS, LIST_SIGN, Cells
from orthanc_plugin.lifecycle.retentionbatch import Batch, BatchError
from orthanc_plugin.lifecycle.retentionrows import COLUMNS, FLAGS, NONE
from orthanc_plugin.policy.expiry import stale
from orthanc_plugin.registry import retentionfacts
from orthanc_plugin.services import Services

LONGEST: Final = 2000
# Control characters, which no value of ours has, and half a character (RFC 8259 section 8.2), which nothing can hold.
NO_TEXT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
YES_OR_NO: Final = {value: word for word, value in FLAG_WORDS.items()}


def tell(services: Services, call: Call) -> Reply:
    """Take in what the account, as a source, knew of patients at a moment: the whole batch or nothing of it."""
    values = call.fields("as_of", "facts", "part", "parts")
    parts = _number(values, "parts", MOST_PARTS)
    batch = Batch(
        source=call.user.name,
        as_of=_moment(values),
        rows=_rows(values),
        part=_number(values, "part", parts),
        parts=parts,
    )
    with services.database.reading() as connection:
        schedule = scheduling.in_force(connection)
    taken = retentionbatch.take_in(services.database, lambda: act(services, call), schedule, batch)
    with services.database.reading() as connection:
        feed = retentionfacts.feeds(connection).get(batch.source)
    told_at = feed.told_at if feed else None
    payload = {
        "source": batch.source,
        "as_of": batch.as_of.isoformat(),
        "recorded": taken.applied,
        "known": taken.known,
        "missing_parts": taken.missing,
        "fresh_as_of": told_at.isoformat() if told_at else None,
        "stale": stale(told_at, services.clock(), schedule),
    }
    return Reply(payload=payload)


def _moment(values: Mapping[str, object]) -> datetime:
    said = text(values, "as_of", most=40)
    try:
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise CallError("as_of: expected a moment with its offset, such as 2026-11-22T05:00:00+00:00.")


def _number(values: Mapping[str, object], name: str, most: int) -> int:
    value = values.get(name, 1)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise CallError(f"{name}: expected a whole number from 1 to {most}.")
    return value


def _rows(values: Mapping[str, object]) -> tuple[Cells, ...]:
    found = values.get("facts")
    if not isinstance(found, list) or len(found) > MOST_ROWS:
        raise CallError(
            f"facts: expected a list of at most {MOST_ROWS} objects.",
            remedy="Send more in several parts of the same as_of: part 1 of parts 3, and so on.",
        )
    problems: list[str] = []
    rows = tuple(dict(_cells(row, f"facts[{at}]", problems)) for at, row in enumerate(found))
    if problems:
        raise BatchError("The batch of facts can't be read.", problems=tuple(problems))
    return rows


def _cells(row: object, place: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Give the cells that a CSV file would have for a row; nothing for what is null."""
    if not isinstance(row, dict):
        problems.append(f"{place}: must be an object")
        return
    for name, value in row.items():
        if name not in COLUMNS:
            problems.append(f"{place}: {name[:40]!r} is unknown; the columns are {', '.join(COLUMNS)}")
        elif value is not None:
            try:
                yield name, _cell(name, value)
            except ValueError as error:
                problems.append(f"{place}.{name}: {error}")


def _cell(name: str, value: object) -> str:
    if name in FLAGS:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return YES_OR_NO[value]
    if name in (*TEXTS, *DAYS):
        return _word(value, "must be text that isn't empty; leave it out where nothing is known")
    if not isinstance(value, list):
        raise ValueError("must be a list of text, empty where there are none")
    words = [_word(each, f"must be a list of text without {LIST_SIGN}") for each in value]
    if any(LIST_SIGN in word for word in words) or NONE in words:
        raise ValueError(f"can't have a word {NONE}, nor one with {LIST_SIGN}; an empty list says that there are none")
    return LIST_SIGN.join(words) or NONE


def _word(value: object, wanted: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST or NO_TEXT.search(value):
        raise ValueError(wanted)
    return value.strip()


CALLS: Final = (
    Endpoint(
        method="POST",
        path=f"{BASE}/retention/facts",
        role=Role.FACTS,
        summary=(tell.__doc__ or "").strip().splitlines()[0],
        takes="RetentionFacts",
        gives="RetentionFactsTaken",
        handler=tell,
    ),
)
