"""Read the text of a FHIR file: one Consent, or a Bundle of them.

Knows JSON and its traps: names written twice, endless nesting, numbers without end, files too large to be a consent.
Must not know what a Consent says.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.fhir.elements import FhirError, objects

LARGEST: Final = 256 * 1024
DEEPEST: Final = 32
MOST_DIGITS: Final = 18


def read_document(data: bytes) -> tuple[object, ...]:
    """Return the resources in ``data``: the one that it is, or those of a Bundle of type collection.

    Raises:
        FhirError: it is no JSON that can be read, or a Bundle of another kind.
    """
    value = _parsed(data)
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        return (value,)
    problems: list[str] = []
    found = _entries(Fields(value, "Bundle", problems))
    if problems:
        raise FhirError("The FHIR Bundle can't be read.", problems=tuple(problems))
    return found


def _entries(bundle: Fields) -> tuple[object, ...]:
    for name in ("resourceType", "id", "meta", "identifier", "timestamp"):
        bundle.take(name)
    if bundle.text("type") != "collection":
        bundle.fault("type", "must be collection; send one Consent, or a collection of them")
    bundle.must_have("entry")
    found = []
    for entry in objects(bundle, "entry"):
        entry.take("fullUrl")
        entry.must_have("resource")
        found.append(entry.take("resource"))
        entry.refuse_unknown()
    bundle.refuse_unknown()
    return tuple(found)


def _parsed(data: bytes) -> object:
    if len(data) > LARGEST:
        raise _unreadable(f"is larger than {LARGEST // 1024} KiB")
    try:
        value: object = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_int=_whole, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise _unreadable(f"line {error.lineno}, column {error.colno}: is no JSON ({error.msg})") from error
    except UnicodeDecodeError as error:
        raise _unreadable("is not written in UTF-8") from error
    except RecursionError as error:
        raise _unreadable(f"is nested more than {DEEPEST} deep") from error
    if _deeper(value, DEEPEST):
        raise _unreadable(f"is nested more than {DEEPEST} deep")
    return value


def _unreadable(problem: str) -> FhirError:
    return FhirError("The FHIR file can't be read.", problems=(problem,))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise _unreadable(f"{twice[:40]!r} is written twice in one object")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _unreadable(f"holds a number of more than {MOST_DIGITS} digits")
    return int(digits)


def _constant(name: str) -> object:
    raise _unreadable(f"holds {name}, which is no JSON")


def _deeper(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(not levels or _deeper(item, levels - 1) for item in inner)
