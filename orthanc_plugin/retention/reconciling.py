"""After a backup was restored: destroy again what had been destroyed, before any door opens; tell what is missing.

Knows stubs, certificates and what the archive has now. Must not decide anew: what a certificate tells of was decided.
A registry that was restored has forgotten stubs; the certificates beside it, checked by their signature, bring them
back.

Sources: requirements 4, acceptance tests (e) and (f).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, func, select

from dicomwrap.durable import reason_of
from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, holdings, images, keptcopies, quarantine, remnants, stubs
from orthanc_plugin.registry.disposals import Marked, State
from orthanc_plugin.registry.engine import IN_PARTS, Database
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.plans import uid_sha256
from orthanc_plugin.registry.quarantine import Status
from orthanc_plugin.registry.stubs import Stub
from orthanc_plugin.registry.tables import images as image_rows
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention import erasing, unplanned
from orthanc_plugin.retention.acting import Act, require
from orthanc_plugin.retention.certificate import CertificateError, Kind, verify
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.stillheld import still_held
from orthanc_plugin.retention.vanished import vanished

NOT_OURS: Final = "Don't rely on it. Put your kept copy of it in its place, or move what is no certificate elsewhere."
MANY: Final = 100  # tasks that somebody can look into one by one
JUST_COME: Final = timedelta(hours=1)  # within which an archive says what it has
REMEMBERED: Final = "a restored registry had forgotten it; its certificate tells of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What was found and done.

    Attributes:
        remembered: stubs that the registry had forgotten, taken from certificates.
        destroyed: objects that had come back and are gone again.
        remaining: objects that had come back and could not be destroyed; the doors stay shut.
        missing: SOP Instance UIDs of pictures that the archive has lost, or of which it has no file; what another
            archive has isn't among them.
        held: objects that had come back and are kept, shut, because a hold is on them by now.
    """

    remembered: int
    destroyed: int
    remaining: int
    missing: tuple[str, ...]
    held: int = 0


def forgotten(connection: Connection, folder: Path) -> list[Path]:
    """Return the certificates that tell of stubs which the registry hasn't: it was restored from before them.

    What can't be read as a certificate is among them: nobody can tell of what it told.

    Raises:
        ConsentgateError: the folder can't be looked into, so nobody can tell.
    """
    known = disposals.numbers(connection)
    return [each for each in _files(folder) if each.stem not in known and _is_news(connection, each)]


def _files(folder: Path) -> list[Path]:
    """Return the files of certificates; no folder is no file, but one that can't be read is no answer."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConsentgateError(
            f"The folder of certificates can't be looked into ({reason_of(error)}), so nobody knows what is destroyed.",
            remedy="Give the folder to the user that Orthanc runs as ([trail] certificates in settings.toml).",
        ) from error
    return [folder / each for each in names if each.endswith(".json") and not each.startswith(".")]


def _is_news(connection: Connection, path: Path) -> bool:
    try:
        told = [str(each["stub_id"]) for each in json.loads(_read(path))["records"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return True
    return any(stubs.get(connection, each) is None for each in told)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConsentgateError(
            f"The certificate {path.name} can't be read ({reason_of(error)}).",
            remedy="Give it to the user that Orthanc runs as.",
        ) from error


def back(connection: Connection, present: frozenset[str], now: datetime) -> dict[str, str]:
    """Return what is destroyed, in the archive again and to go: Orthanc's names, each with its stub.

    It may be there under another name than before: then stock was taken of it, under the UID that is destroyed. What a
    hold is on by now isn't among it: it is kept, as shut as everything that is destroyed.
    """
    named = dict(disposals.instances(connection))
    rows = select(image_rows.c.orthanc_instance, image_rows.c.sop_instance_uid)
    for instance, uid in connection.execute(rows.where(image_rows.c.status == ImageStatus.DISPOSED.value)):
        stub_id = disposals.stub_of(connection, uid) if instance in present else None
        if stub_id is not None:
            named.setdefault(instance, stub_id)
    found = {instance: stub for instance, stub in named.items() if instance in present}
    held = {stub: still_held(connection, stub, now) for stub in set(found.values())}
    return {instance: stub for instance, stub in found.items() if not held[stub]}


def reconcile(
    database: Database, shredder: Shredder, acting: Callable[[], Act], folder: Path, key: Ed25519PublicKey
) -> Reconciled:
    """Bring registry and archive to what the certificates tell.

    Raises:
        NotAllowedError: whoever acts may not execute.
        CertificateError: a certificate doesn't hold, so nothing is done on its word.
        ArchiveError: Orthanc can't be reached.
    """
    shredder.require()
    require(acting(), Duty.EXECUTE)
    remembered = _remember(database, acting(), folder, key)
    present = shredder.archive.instances()
    with database.writing() as connection:
        _link_again(connection)
        keptcopies.forget_all(connection)
        holdings.keep(connection, shredder.name, present)
    with database.reading() as connection:
        again = back(connection, present, acting().at)
        kept = present.intersection(instance for instance, _ in disposals.instances(connection)) - set(again)
    why = _again(database, shredder, acting, again)
    _forget_destroyed(database, shredder, acting(), frozenset(why), kept)
    without_files = vanished(database, shredder, present.difference(again, kept))
    with database.reading() as connection:
        lacking = (*_lost(connection, present, shredder.name, acting().at), *without_files)
        expected = disposals.expected(connection, lacking)
        gone = tuple(each for each in lacking if each not in expected)
        _require_ours(connection, len(gone))
    if not lacking:
        _forget_keys(database, shredder, acting(), present)
    with database.writing() as connection:
        lost = unplanned.tell(connection, acting(), gone)
    keptcopies.tidy(database, shredder.spool.folder)
    return Reconciled(
        remembered=remembered, destroyed=len(again) - len(why), remaining=len(why), missing=lost, held=len(kept)
    )


def _forget_keys(database: Database, shredder: Shredder, act: Act, present: frozenset[str]) -> None:
    """Destroy the data keys of files that aren't there, which a restored registry has again."""
    still = present.intersection(shredder.archive.instances())
    with database.reading() as connection:
        removed = erasing.removed(connection, shredder, still, act.at)
    if removed:
        with database.writing() as connection:
            erasing.forget(connection, act, removed)


def _link_again(connection: Connection) -> None:
    """Have a restored registry know again whose stub is whose, for as long as the pictures' rows still say so."""
    gone = disposals.destroyed(connection)
    for row in _known_still(connection, gone):
        if (stub := stubs.get(connection, gone[uid_sha256(row.sop_instance_uid)])) is not None:
            stubs.link(connection, (row.patient_id, row.issuer), stub.link_id)


def _remember(database: Database, act: Act, folder: Path, key: Ed25519PublicKey) -> int:
    with database.reading() as connection:
        told = [_verified(path, key) for path in forgotten(connection, folder)]
    with database.writing() as connection:
        return sum(_stubs_again(connection, act, content) for content in told)


def _verified(path: Path, key: Ed25519PublicKey) -> dict[str, object]:
    """Return what a file says, once its signature holds.

    Raises:
        CertificateError: it doesn't; the file is named.
    """
    try:
        return verify(_read(path), key, Kind.DESTRUCTION, Kind.INTERIM)
    except CertificateError as error:
        raise CertificateError(f"{path.name}: {error.args[0]}", remedy=NOT_OURS) from error


def _stubs_again(connection: Connection, act: Act, content: dict[str, object]) -> int:
    records = cast("list[dict[str, object]]", content["records"])
    remembered = 0
    for record in records:
        values = {each.name: record[each.name] for each in fields(Stub)}
        stub = Stub(**{**values, "holds": tuple(cast("list[str]", record["holds"]))})  # type: ignore[arg-type]
        pictures = cast("list[dict[str, str]]", record["pictures"])
        if stubs.get(connection, stub.stub_id) is None:
            seal = stubs.add(connection, stub)
            event = act.event(EventType.STUDY_DELETED, "STUB_RESTORED", subject=stub.stub_id, detail=seal)
            append(connection, [event])
            remembered += 1
        rows = [(each["uid_sha256"], each["orthanc_instance"]) for each in pictures]
        disposals.relist(connection, rows, plan_id=stub.plan_id, stub_id=stub.stub_id)
        _settle(connection, act, stub.stub_id)
    return remembered


def _settle(connection: Connection, act: Act, stub_id: str) -> None:
    """End the line that a restored registry still has as marked, though its stub was written."""
    for plan_id, line in disposals.lines_of(connection, stub_id):
        known = disposals.outcome_of(connection, plan_id, line)
        if known is None or known.state is not State.MARKED:
            continue
        rest = tuple(each for each in known.marked if disposals.is_on_its_way(connection, each.sop_instance_uid))
        if rest:  # the next execution takes these up
            disposals.settle(connection, replace(known, marked=rest))
            continue
        seal = disposals.settle(
            connection, replace(known, state=State.DESTROYED, marked=(), at=act.at.isoformat(), reason=REMEMBERED)
        )
        words = f"{plan_id} line {line}"
        append(connection, [act.event(EventType.STUDY_DELETED, "DISPOSITION_DESTROYED", subject=words, detail=seal)])


def _again(database: Database, shredder: Shredder, acting: Callable[[], Act], again: dict[str, str]) -> dict[str, str]:
    """Destroy what has come back; return what could not be, with the reason."""
    left: dict[str, str] = {}
    for instance, stub_id in again.items():  # by their old names first, for the new ones take their place
        with database.reading() as connection:
            rows = images.find(connection, Subject.INSTANCE, (instance,))
            uids = tuple(row.sop_instance_uid for row in rows) or (instance,)
            spooled = remnants.spooled(connection, uids)
        with database.writing() as connection:
            disposals.found_as(connection, uids[0], instance)
        files = shredder.files(instance) or ()
        marked = Marked(sop_instance_uid=uids[0], orthanc_instance=instance, status="", files=files)
        shredder.drop(spooled)
        why = shredder.destroy((marked,))
        if why:
            left[instance] = next(iter(why.values()))
        with database.writing() as connection:
            _told(connection, acting(), stub_id, uids, failed=bool(why))
    return left


def _told(connection: Connection, act: Act, stub_id: str, uids: Iterable[str], *, failed: bool) -> None:
    effect = "NOT_DISPOSED_AGAIN" if failed else "DISPOSED_AGAIN"
    outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
    append(connection, [act.event(EventType.STUDY_DELETED, effect, subject=stub_id, outcome=outcome)])
    stub = stubs.get(connection, stub_id)
    if stub is not None and not failed:
        for uid in uids:
            _forget(connection, act, uid, stub)


def _forget_destroyed(
    database: Database, shredder: Shredder, act: Act, left: frozenset[str], kept: frozenset[str]
) -> None:
    """Take out of a restored registry, and of the spool, what is destroyed; what a hold keeps stays in place, shut."""
    with database.writing() as connection:
        gone = disposals.destroyed(connection)
        shredder.drop(_sent_again(connection, act, gone, frozenset(shredder.spool.names())))
        for row in _known_still(connection, gone):
            stub = stubs.get(connection, gone[uid_sha256(row.sop_instance_uid)])
            if stub is not None and row.orthanc_instance not in left:
                _forget(connection, act, row.sop_instance_uid, stub, kept=row.orthanc_instance in kept)
                if not remnants.pictures(connection, row.study_instance_uid):
                    remnants.forget_record(connection, row.study_instance_uid)


def _sent_again(connection: Connection, act: Act, gone: Mapping[str, str], names: frozenset[str]) -> list[str]:
    """Forget what the quarantine holds of destroyed pictures of the same patient; return the spool's names of it."""
    found = []
    for held in quarantine.listed(connection, None):
        stub_id = gone.get(uid_sha256(held.sop_instance_uid)) if held.spool_name in names else None
        stub = None if stub_id is None else stubs.get(connection, stub_id)
        theirs = stubs.link_ids(connection, ((held.patient_id, held.issuer),))
        forgotten_before = held.status is Status.DELETED and not held.patient_id
        theirs_too = stub is not None and (forgotten_before or stub.link_id in theirs)
        if stub is not None and theirs_too and not still_held(connection, stub.stub_id, act.at):
            found.append(held.spool_name)
            remnants.forget_sent_again(connection, held.quarantine_id, by=act.by, at=act.at.isoformat())
            append(connection, [act.event(EventType.STUDY_DELETED, "DISPOSED_AGAIN", subject=stub.stub_id)])
    return found


def _known_still(connection: Connection, gone: Container[str]) -> list[ImageRow]:
    """Return the rows that say of a destroyed picture that it is there."""
    query = select(image_rows.c.sop_instance_uid).where(image_rows.c.status != ImageStatus.DISPOSED.value)
    uids = connection.execute(query, execution_options=IN_PARTS).scalars()
    found = [images.get(connection, uid) for uid in [each for each in uids if uid_sha256(each) in gone]]
    return [row for row in found if row is not None]


def _forget(connection: Connection, act: Act, uid: str, stub: Stub, *, kept: bool = False) -> None:
    row = images.get(connection, uid)
    if not kept:
        erasing.erase(connection, act, (row,) if row else ())
    note = f"destroyed: stub {stub.stub_id}"
    remnants.forget(connection, uid, stub.link_id, by=act.by, at=act.at.isoformat(), note=note)
    if kept and row:
        erasing.keep(connection, row)


def _require_ours(connection: Connection, lost: int) -> None:
    """Refuse to call every picture lost where the archive is another's, or was lost as a whole.

    Raises:
        ArchiveError: many are lost, and more than half of what is on record.
    """
    query = select(func.count()).where(image_rows.c.status != ImageStatus.DISPOSED.value)
    known = int(connection.execute(query).scalar_one())
    if lost > MANY and 2 * lost > known:
        raise ArchiveError(
            f"This archive hasn't {lost} of the {known} pictures on record, so nothing was put on anybody's list.",
            remedy="Run this on the node whose archive has them, with its files mounted; restore what was lost first.",
        )


def _lost(connection: Connection, present: frozenset[str], archive: str, at: datetime) -> Iterator[str]:
    """Give what no archive has; where there are several, what has just come may be in one that has not said so yet."""
    others = holdings.elsewhere(connection, archive)
    query = select(image_rows.c.orthanc_instance).where(image_rows.c.status != ImageStatus.DISPOSED)
    if others:
        query = query.where(image_rows.c.received_at < (at - JUST_COME).isoformat())
    for instance in connection.execute(query, execution_options=IN_PARTS).scalars():
        if instance not in present and instance not in others:
            yield str(instance)
