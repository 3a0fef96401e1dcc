"""How the shapes of bodies and answers are written: JSON Schema, as OpenAPI 3.1 takes it.

Knows JSON Schema alone. Must not know what is described.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

Schema = dict[str, object]

DAY: Final[Schema] = {"type": "string", "format": "date"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "integer"}


def one_of(*kinds: type[StrEnum]) -> Schema:
    """Return the words of these kinds."""
    return {"type": "string", "enum": [word.value for kind in kinds for word in kind]}


def many(items: Schema) -> Schema:
    """Return a list."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """Return what may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: Mapping[str, Schema], needed: Iterable[str] = (), *, closed: bool = True) -> Schema:
    """Return an object, which has no other fields when it is ``closed``."""
    made: Schema = {"type": "object", "properties": dict(fields), "required": list(needed)}
    return {**made, "additionalProperties": False} if closed else made
