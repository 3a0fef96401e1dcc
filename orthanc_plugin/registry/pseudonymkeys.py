"""Which key each name stands for, by its mark, since a pseudonym was first made with it.

Knows rows and marks, never keys. A file that was replaced by another key under the same name would give every patient
another pseudonym from one day to the next; here it is noticed, and nothing leaves. Nor does anything by a key that is
known by another name: whoever changed a domain's key, as for one that became known, would go on with it. Source: PS3.15
E.1.1, NIST SP 800-57 part 1, 5.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.vaulttables import pseudonym_keys

SEAL: Final = "pseudonym key record "
MARK: Final = prepared(select(pseudonym_keys.c.mark).where(pseudonym_keys.c.name == bindparam("known")))


def mark(connection: Connection, name: str) -> str | None:
    """Return the mark of the key that this name stands for; None when none was ever used under it."""
    return next((str(each) for (each,) in MARK.rows(connection, known=name)), None)


def confirm(connection: Connection, name: str, of_it: str, at: datetime) -> str | None:
    """Confirm that a key is the one that was used under its name before.

    Return the words that tie its row to an entry in the trail when it is used for the first time.

    Raises:
        ReleaseRefusedError: it is another one, or one that is known by another name.
    """
    known = mark(connection, name)
    if known is None:
        _require_new(connection, name, of_it)
        row = {"name": name, "mark": of_it, "first_used_at": at.isoformat()}
        connection.execute(pseudonym_keys.insert().values(row))
        return sealed(SEAL, name, row)
    if known != of_it:
        raise ReleaseRefusedError(
            f"The pseudonyms' key {name} is not the one that was used under this name before.",
            remedy="Restore that key, or give the new one a name of its own under [keys] in settings.toml.",
        )
    return None


def _require_new(connection: Connection, name: str, of_it: str) -> None:
    other = named(connection).get(of_it)
    if other is not None:
        raise ReleaseRefusedError(
            f"The pseudonyms' key {name} is the one that is known as {other}.",
            remedy="Make a new key: 'consentgate key rotate'.",
        )


def named(connection: Connection) -> dict[str, str]:
    """Return by which name the key of each mark is known."""
    return {str(row.mark): str(row.name) for row in connection.execute(select(pseudonym_keys))}


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every key."""
    for row in connection.execute(select(pseudonym_keys)):
        yield sealed(SEAL, str(row.name), dict(row._mapping))


def first_used(connection: Connection) -> dict[str, str]:
    """Return since when each name stands for a key."""
    return {str(row.name): str(row.first_used_at) for row in connection.execute(select(pseudonym_keys))}
