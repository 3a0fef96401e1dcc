"""Site keys: the first one is put on record at the first start, another takes over by two people's word.

Knows the order, and who may. A key that isn't the one known by its name ends the start, for with it every new picture
would be wrapped by a key that nobody keeps. Rotation wraps every live data key anew, some at a time, so that it can be
taken up after a cut; the old key retires in the transaction that finds nothing left under it, and destroying it then
makes old backups of the registry unreadable. Source: NIST SP 800-57 part 1, 5.3 and 8.2.3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.datakeys import DataKeys
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.storagekeys import SiteKey, SiteKeyRecord, StorageKeyError
from orthanc_plugin.registry.trail import append

AT_ONCE: Final = 200  # data keys wrapped anew in one transaction


class RotationError(StorageKeyError):
    """A site key can't be proposed, or can't take over."""

    remedy = "See 'consentgate storage status', and docs/storage.md on rotation."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is wrong with the site keys, none for nothing; ``first`` is the one to put on record."""

    faults: tuple[str, ...] = ()
    first: SiteKey | None = None


def found(connection: Connection, keys: Collection[SiteKey]) -> Found:
    """Compare this process's site keys with those on record."""
    records, by_mark = storagekeys.site_keys(connection), {each.mark: each for each in keys}
    named = {each.name: each for each in records}
    faults = [
        f"site key '{each.name}' is not the one that is known by this name"
        for each in keys
        if each.name in named and named[each.name].mark != each.mark
    ]
    faults += [
        f"site key '{each.name}', which pictures are encrypted with, is missing"
        for each in records
        if each.approved_at and not each.retired_at and each.mark not in by_mark
    ]
    if records:
        return Found(faults=tuple(faults))
    if len(keys) != 1:
        return Found(faults=(f"{len(keys)} site keys are named, and nobody knows which is the first",))
    return Found(first=next(iter(keys)))


def begin(connection: Connection, act: Act, keys: Collection[SiteKey]) -> None:
    """Put the first site key on record, unless there is one; refuse keys that aren't those on record.

    Raises:
        ConfigurationError: every fault is named; nothing was written.
    """
    seen = found(connection, keys)
    if seen.faults:
        raise ConfigurationError(
            "Orthanc's files could not be read, or would be written with a key that nobody keeps.",
            problems=seen.faults,
            remedy="Put the right keys where [storage.site_keys] of settings.toml says; nothing was overwritten."
            " Without them what is encrypted can't be read by anybody: restore them from where they are kept.",
        )
    if seen.first is not None:
        at = act.at.isoformat()
        record = SiteKeyRecord(
            name=seen.first.name,
            mark=seen.first.mark,
            proposed_by=act.by,
            proposed_at=at,
            approved_by=act.by,
            approved_at=at,
        )
        _told(connection, act, "STORAGE_KEY_FIRST_USED", record)


def propose(connection: Connection, act: Act, key: SiteKey) -> SiteKeyRecord:
    """Propose that ``key`` takes over.

    Raises:
        RotationError: it is on record already, by this name or another.
        UnnamedPersonError: policy.toml doesn't know who proposes.
    """
    act.require_named()
    known = storagekeys.site_keys(connection)
    if any(key.name == each.name or key.mark == each.mark for each in known):
        raise RotationError("This site key is on record already.", remedy="Make a new key, under a name of its own.")
    if not known:
        raise RotationError("No site key is in use yet.", remedy="Start Orthanc with encryption first.")
    record = SiteKeyRecord(name=key.name, mark=key.mark, proposed_by=act.by, proposed_at=act.at.isoformat())
    return _told(connection, act, "STORAGE_KEY_PROPOSED", record)


def approve(connection: Connection, act: Act, name: str, keys: Iterable[SiteKey]) -> SiteKeyRecord:
    """Put a proposed site key in force; doing it again for one that is changes nothing.

    Raises:
        RotationError: nobody proposed it, or whoever approves did; or it isn't the key that was proposed.
        UnnamedPersonError: policy.toml doesn't know who approves.
    """
    record = next((each for each in storagekeys.site_keys(connection) if each.name == name), None)
    if record is None or record.retired_at:
        raise RotationError("Nobody has proposed this site key, or it is retired.")
    if record.mark not in {each.mark for each in keys}:
        raise RotationError("The site key that was proposed is not the one under this name in settings.toml.")
    act.require_named()
    if record.approved_at:
        if storagekeys.in_use(connection)[-1] != record:
            raise RotationError("This site key is in use, and another took over from it already.")
        return record
    if act.policy.one_person(act.by, record.proposed_by):
        raise RotationError("Nobody approves what they proposed.", remedy="Have somebody else rotate the keys.")
    approved = replace(record, approved_by=act.by, approved_at=act.at.isoformat())
    return _told(connection, act, "STORAGE_KEY_APPROVED", approved)


def rewrap(keys: DataKeys, act: Act, record: SiteKeyRecord) -> Iterator[int]:
    """Wrap every live data key by this site key, and retire the others; give how many were, transaction by transaction.

    Raises:
        StorageKeyError: a data key can't be opened; it is as it was, and so is the rest.
    """
    site = keys.site_keys[record.mark]
    while True:
        with keys.database.writing() as connection:
            some = storagekeys.not_under(connection, site.mark, AT_ONCE)
            if not some:
                _retire(connection, act, record)
                return
            seals = (storagekeys.change(connection, storagekeys.rewrapped(row, keys.clear(row), site)) for row in some)
            detail = "\n".join(seal for seal in seals if seal is not None)
            wrapped = act.event(
                EventType.APPLICATION_ACTIVITY, "DATA_KEYS_WRAPPED_ANEW", subject=record.name, detail=detail
            )
            append(connection, [wrapped])
        yield len(some)


def _retire(connection: Connection, act: Act, record: SiteKeyRecord) -> None:
    for each in storagekeys.in_use(connection):
        if each.name != record.name:
            _told(connection, act, "STORAGE_KEY_RETIRED", replace(each, retired_at=act.at.isoformat()))


def _told(connection: Connection, act: Act, effect: str, record: SiteKeyRecord) -> SiteKeyRecord:
    seal = storagekeys.put(connection, record)
    append(connection, [act.event(EventType.APPLICATION_ACTIVITY, effect, subject=record.name, detail=seal)])
    return record
