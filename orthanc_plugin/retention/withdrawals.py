"""Withdrawals, remembered outside the registry: one that is restored from a backup has forgotten the newest.

Knows files, each signed, of which consent was taken back, for what and since when; they name no patient. Must not know
what follows from a withdrawal: whoever has one done again says how. They are written before the trail's head is signed,
so none is behind a signed head. What is taken from a renewed consent is taken from those that it replaced, too: of two
that a backup parts, the older stands again.

Sources: requirements 4, acceptance test (e); UK GDPR 7(3).
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection

from dicomwrap.durable import Disk, reason_of
from dicomwrap.terms import ConsentState, Purpose, PurposeGroup, WithdrawalPhase, purposes_named
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry import consents
from orthanc_plugin.registry.consentrows import taken
from orthanc_plugin.registry.trail import effects
from orthanc_plugin.retention.certificate import CertificateError, Kind, issue, verify

FOLDER: Final = "withdrawals"  # in that of the certificates, which is copied to another machine
TAKE_BACK: Final = ("WITHDRAWN", "SUPERSEDED")  # what a renewed consent no longer covers is withdrawn from the old one
NOT_OURS: Final = "Don't rely on it. Put your kept copy of it in its place."
Word = Purpose | PurposeGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A withdrawal as it is remembered: which consent, and each use of it with the day since when it is withdrawn."""

    consent_id: str
    phase: WithdrawalPhase
    uses: tuple[tuple[Word, date], ...]

    def days(self) -> dict[date, tuple[Word, ...]]:
        """Return what was withdrawn since each day, the first day first."""
        found: defaultdict[date, list[Word]] = defaultdict(list)
        for word, on in self.uses:
            found[on].append(word)
        return {on: tuple(found[on]) for on in sorted(found)}


Again = Callable[[Connection, TakenBack], None]


def remember(connection: Connection, certificates: Path, key: Ed25519PrivateKey, since: int, heads: Path) -> None:
    """Write down what was withdrawn after entry ``since`` of the trail; all of it, where nothing was ever.

    What root writes is given to the owner of the signed ``heads``, who is Orthanc's user and must read it.

    Raises:
        ConsentgateError: it can't be written; it is on record, and is written with the next act.
    """
    folder = certificates / FOLDER
    try:
        first = 0 if not folder.exists() else since
        told = ((event, body) for effect in TAKE_BACK for event, body in effects(connection, first, effect))
        texts = {name: text for event, body in told for name, text in _texts(connection, event, body, key)}
        for each in (certificates, folder):
            if not each.exists():
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                _give(each, heads)
        for name, text in texts.items():
            Disk().put(folder / name, text.encode())
            _give(folder / name, heads)
    except OSError as error:
        raise ConsentgateError(
            f"A withdrawal is on record, but can't be written down outside the registry ({reason_of(error)}).",
            remedy="Free space or mend the rights on the folder of certificates; the next act writes it.",
        ) from error


def _give(path: Path, heads: Path) -> None:
    if os.geteuid() == 0 and heads.exists():
        owner = heads.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _texts(
    connection: Connection, event: str, body: dict[str, object], key: Ed25519PrivateKey
) -> Iterator[tuple[str, str]]:
    """Give a file for the consent, and one for each that it replaced: a backup may be from when that one stood."""
    known = consents.current(connection, str(body["subject"]))
    phase = known.withdrawal.phase if known.withdrawal is not None else WithdrawalPhase.LATER
    for number, each in enumerate(consents.line(connection, known) if known.withdrawn else ()):
        days = ((taken_back.purpose, max(taken_back.on, each.decided_on)) for taken_back in known.withdrawn)
        uses = [[str(purpose), on.isoformat()] for purpose, on in days]
        said = {"event": event, "at": body["at"], "by": body["actor"], "consent": each.id, "phase": phase, "uses": uses}
        yield f"{event}{f'-{number}' if number else ''}.json", issue(said, key, Kind.WITHDRAWAL).text


def forgotten(connection: Connection, certificates: Path) -> list[Path]:
    """Return the files of withdrawals that the registry knows nothing of; what can't be read is among them.

    Raises:
        ConsentgateError: the folder can't be looked into, so nobody can tell.
    """
    return [path for path in _files(certificates / FOLDER) if _is_news(connection, path)]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConsentgateError(
            f"The folder of withdrawals can't be looked into ({reason_of(error)}), so nobody knows what is withdrawn.",
            remedy="Give it to the user that Orthanc runs as ([trail] certificates in settings.toml).",
        ) from error


def _is_news(connection: Connection, path: Path) -> bool:
    try:
        told = _told(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return True
    return bool(_lacking(connection, told))


def _told(content: dict[str, object]) -> TakenBack:
    uses = cast("list[tuple[str, str]]", content["uses"])
    return TakenBack(
        consent_id=str(content["consent"]),
        phase=WithdrawalPhase(str(content["phase"])),
        uses=tuple((_word(purpose), date.fromisoformat(on)) for purpose, on in uses),
    )


def _word(text: str) -> Word:
    return Purpose(text) if text in [*Purpose] else PurposeGroup(text)


def _lacking(connection: Connection, told: TakenBack) -> frozenset[Purpose]:
    """Return what the registry still takes for agreed to; of a consent that it doesn't know nothing is."""
    if not taken(connection, told.consent_id):
        return frozenset()
    known = consents.current(connection, told.consent_id)
    gone = purposes_named(frozenset(word for word, _ in told.uses))
    return consents.still_covered(known) & gone if known.state is ConsentState.GIVEN else frozenset()


def again(connection: Connection, certificates: Path, key: Ed25519PublicKey, do: Again) -> int:
    """Have every withdrawal that the registry has forgotten done again; return how many there were.

    Raises:
        CertificateError: a file doesn't hold, so nothing is done on its word.
    """
    return sum(_again(connection, path, key, do) for path in forgotten(connection, certificates))


def _again(connection: Connection, path: Path, key: Ed25519PublicKey, do: Again) -> bool:
    try:
        told = _told(verify(path.read_bytes(), key, Kind.WITHDRAWAL))
    except CertificateError as error:
        raise CertificateError(f"{path.name}: {error.args[0]}", remedy=NOT_OURS) from error
    except OSError as error:
        raise CertificateError(f"{path.name} can't be read ({reason_of(error)}).", remedy=NOT_OURS) from error
    lacking = _lacking(connection, told)
    if not lacking:  # an earlier file has told the same
        return False
    uses = ((word, on) for word, on in told.uses if lacking & purposes_named(frozenset({word})))
    do(connection, replace(told, uses=tuple(uses)))
    return True
