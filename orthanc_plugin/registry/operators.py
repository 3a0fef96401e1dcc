"""The register of operators: who may take clinical photographs, in which role, from when until when.

Knows rows: every change is a version of its own, sealed in the trail. An operator is known by the name that pictures
have in OperatorsName or by the staff number, both compared without case. Must not decide what becomes of a picture.

Source: requirements 000-19b (only clinical photographers are permitted to take photographs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, Select, bindparam, func, or_, select

from orthanc_plugin.errors import ConfigurationError, UnknownRecordError
from orthanc_plugin.policy.persons import folded
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import day, sealed, unreadable
from orthanc_plugin.registry.tables import operators

SEAL: Final = "operator record "
LONGEST: Final = {"name": 128, "role": 64}
COLUMNS: Final = tuple(column.name for column in operators.c)
_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


class IncompleteOperatorError(ConfigurationError):
    """An operator lacks what must be said."""

    remedy = "Complete what is said of the operator; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody who takes pictures.

    Attributes:
        operator_id: the staff number.
        name: as OperatorsName has it, such as ``Field^Alex``.
        role: such as clinical photographer.
        active_from: first day.
        active_until: last day; None without end.
    """

    operator_id: str
    name: str
    role: str
    active_from: date
    active_until: date | None = None

    def takes_pictures(self, on: date) -> bool:
        """Tell whether the operator may take pictures on this day."""
        return self.active_from <= on and (self.active_until is None or on <= self.active_until)


def keyed(name: str) -> str:
    """Return a name or number as it is compared: the alphabetic form, no case, no empty parts at its end."""
    parts = [folded(part) for part in name.replace("\0", "").partition("=")[0].split("^")]
    return "^".join(parts).rstrip("^ ").upper()[: LONGEST["name"]]


def gaps(operator: Operator) -> Iterator[str]:
    """Say what is missing or can't be."""
    if not _ID.fullmatch(operator.operator_id):
        yield "operator_id: must be 1 to 64 letters, digits, dots, dashes or underscores"
    for name, most in LONGEST.items():
        if not keyed(getattr(operator, name)):
            yield f"{name}: is missing"
        if len(getattr(operator, name)) > most:
            yield f"{name}: is longer than {most} characters"
    if operator.active_until is not None and operator.active_until < operator.active_from:
        yield "active_until: is before active_from"


def append(connection: Connection, operator: Operator, *, reason: str, by: str, at: datetime) -> str:
    """Record the next version of an operator; return the words that tie it to its entry in the trail.

    Raises:
        IncompleteOperatorError: with everything that is missing.
    """
    if problems := tuple(gaps(operator)):
        raise IncompleteOperatorError("The operator can't be on the register like this.", problems=problems)
    row = {
        **asdict(operator),
        "known_as": keyed(operator.name),
        "active_from": operator.active_from.isoformat(),
        "active_until": operator.active_until.isoformat() if operator.active_until else None,
        "version": _last_version(connection, operator.operator_id) + 1,
        "reason": reason.strip(),
        "recorded_at": at.isoformat(),
        "recorded_by": by,
    }
    connection.execute(operators.insert().values(row))
    return sealed(SEAL, f"{operator.operator_id} version {row['version']}", row)


def _last_version(connection: Connection, operator_id: str) -> int:
    query = select(func.max(operators.c.version)).where(operators.c.operator_id == operator_id)
    return int(connection.execute(query).scalar() or 0)


def known(connection: Connection, operator_id: str) -> bool:
    """Tell whether the staff number is on the register, ended or not."""
    return _last_version(connection, operator_id) > 0


def current(connection: Connection, operator_id: str) -> Operator:
    """Return the operator as they stand.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(_newest().where(operators.c.operator_id == operator_id)).first()
    if row is None:
        raise UnknownRecordError("No operator has this number.", remedy="See 'consentgate operator list'.")
    return _operator(row)


def listed(connection: Connection) -> list[Operator]:
    """Return the operators as they stand, by number."""
    return [_operator(row) for row in connection.execute(_newest().order_by(operators.c.operator_id))]


def known_by(connection: Connection, keys: Iterable[str]) -> list[Operator]:
    """Return those who go by one of these names or numbers."""
    found = [_operator(row) for key in keys if key for row in KNOWN_BY.rows(connection, key=key)]
    return list(dict.fromkeys(found))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every version on record."""
    for row in connection.execute(select(operators), execution_options=IN_PARTS):
        yield sealed(SEAL, f"{row.operator_id} version {row.version}", dict(row._mapping))


def _newest() -> Select[tuple[object, ...]]:
    later = operators.alias()
    newer = select(later.c.version).where(
        later.c.operator_id == operators.c.operator_id, later.c.version > operators.c.version
    )
    return select(*operators.c).where(~newer.exists())


# Asked about every picture that comes in where operators must be on the register.
KNOWN_BY: Final = prepared(
    _newest().where(
        or_(operators.c.known_as == bindparam("key"), func.upper(operators.c.operator_id) == bindparam("key"))
    )
)


def _operator(row: Sequence[object]) -> Operator:
    values = dict(zip(COLUMNS, row, strict=True))
    active_from = day(values["active_from"], "operators.active_from")
    if active_from is None:
        raise unreadable("operators.active_from")
    return Operator(
        operator_id=str(values["operator_id"]),
        name=str(values["name"]),
        role=str(values["role"]),
        active_from=active_from,
        active_until=day(values["active_until"], "operators.active_until"),
    )
