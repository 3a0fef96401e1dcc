"""Our own extensions: what the record says and PCF has no element for.

Knows each extension's name, type and how often it may stand. Must not know which element carries it. Source:
requirements 2.1. An extension's URL is ``OWN`` and the record's field name with hyphens; the parts of a complex one are
named by the field alone, as FHIR R4 (extensibility) has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.fhir.codes import OWN, Json
from orthanc_plugin.fhir.elements import objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A simple extension: ``kind`` completes FHIR's ``value[x]``; ``many``: may stand several times."""

    kind: str = "String"
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """A complex extension that may stand several times."""

    parts: Mapping[str, Leaf]


Shape = Leaf | Mapping[str, Leaf] | Each

TEXT: Final = Leaf()
TEXTS: Final = Leaf(many=True)
WORD: Final = Leaf(kind="Code")
WORDS: Final = Leaf(kind="Code", many=True)
DAY: Final = Leaf(kind="Date")
FLAG: Final = Leaf(kind="Boolean")

# Of the Consent itself; the names are those of the record's fields.
DETAILS: Final[dict[str, Shape]] = {
    "state": WORD,
    "state_reason": TEXT,
    "level": WORD,
    "giver": {
        "type": WORD,
        "id": TEXT,
        "competent_at_decision": WORD,
        "relationship": TEXT,
        "authority_document": TEXT,
        "competence_assessor": TEXT,
        "has_pr": FLAG,
    },
    "capacity": {"result": WORD, "decision": TEXT, "assessor": TEXT, "on": DAY, "method": TEXT},
    "tests": {"necessary": FLAG, "best_interests": FLAG, "no_less_restrictive": FLAG, "consulted": TEXTS},
    "explained": WORDS,
    "retention_told": {"text": TEXT, "until": DAY},
    "support": {"interpreter": TEXT, "language": TEXT, "easy_read": FLAG, "carer": TEXT, "aids": TEXTS},
    "discussion": {"note": TEXT, "author": TEXT, "role": TEXT, "at": Leaf(kind="DateTime")},
    "evidence": WORD,
    "document": {
        "object_uid": TEXT,
        "sha256": TEXT,
        "form_id": TEXT,
        "form_version": TEXT,
        "purposes_sha256": TEXT,
        "witness": TEXT,
    },
    "withdrawn_on": DAY,
    "withdrawn_purposes": WORDS,
    "withdrawn": Each(parts={"purpose": WORD, "on": DAY}),
    "withdrawal": {"by": TEXT, "phase": WORD, "reason": TEXT, "how_received": TEXT},
    "previous_id": TEXT,
    "source_system": TEXT,
    "recorded_by": TEXT,
}
# Of a provision. What narrows a permit is a modifier: who does not know it must not act on the provision (FHIR R4).
NARROWING: Final[dict[str, Shape]] = {
    "max_form": WORD,
    "named_recipients": TEXTS,
    "named_publication": TEXT,
    "conditions": TEXTS,
}
PLAIN: Final[dict[str, Shape]] = {"max_form": WORD, "legal_basis": TEXTS, "purpose_group": WORD}


def url(name: str) -> str:
    """Return an extension's URL."""
    return OWN + name.replace("_", "-")


def written(values: Mapping[str, object], shapes: Mapping[str, Shape]) -> list[Json]:
    """Return the extensions that say ``values``; what says nothing is left out."""
    return [each for name, shape in shapes.items() for each in _written(url(name), values.get(name), shape)]


def _written(address: str, value: object, shape: Shape) -> Iterator[Json]:
    if value in (None, "", []):
        return
    if isinstance(shape, Leaf):
        items = value if isinstance(value, list) else [value]
        yield from ({"url": address, f"value{shape.kind}": item} for item in items)
    elif isinstance(shape, Each):
        items = value if isinstance(value, list) else [value]
        yield from (each for item in items for each in _written(address, item, shape.parts))
    elif isinstance(value, dict) and value:
        parts = (each for name, leaf in shape.items() for each in _written(name, value.get(name), leaf))
        yield {"url": address, "extension": list(parts)}
    else:  # an object of which nothing is said is there all the same
        yield {"url": address, "valueBoolean": True}


def read(holder: Fields, key: str, shapes: Mapping[str, Shape]) -> dict[str, object]:
    """Take the extensions at ``key``; others' are passed over unless they modify, ours must be known."""
    found: dict[str, object] = {}
    by_url = {url(name): name for name in shapes}
    for inner in objects(holder, key):
        address = inner.text("url", 512)
        if address in by_url:
            _keep(found, inner, by_url[address], shapes[by_url[address]])
        elif address is None or address.startswith(OWN):
            inner.fault("url", "must be one of the extensions in docs/fhir.md")
        elif key == "modifierExtension":
            inner.fault("url", "changes the meaning in a way that is not known here; record this consent by hand")
    return found


def _keep(found: dict[str, object], inner: Fields, name: str, shape: Shape) -> None:
    parts = shape.parts if isinstance(shape, Each) else shape
    value = _value(inner, parts) if isinstance(parts, Leaf) else _parts(inner, parts)
    inner.refuse_unknown()
    if isinstance(shape, Each) or (isinstance(shape, Leaf) and shape.many):
        earlier = found.get(name)
        found[name] = [*(earlier if isinstance(earlier, list) else []), value]
    elif name in found:
        inner.fault("url", "is there twice; keep one")
    else:
        found[name] = value


def _value(inner: Fields, leaf: Leaf) -> object:
    key = f"value{leaf.kind}"
    value = inner.take(key)
    if not isinstance(value, bool if leaf.kind == "Boolean" else str):
        inner.fault(key, "must be true or false" if leaf.kind == "Boolean" else "must be text")
    return value


def _parts(inner: Fields, shape: Mapping[str, Leaf]) -> dict[str, object]:
    found: dict[str, object] = {}
    if inner.has("valueBoolean"):
        if inner.take("valueBoolean") is not True:
            inner.fault("valueBoolean", "must be true, which stands for an object without parts")
        return found
    if not inner.has("extension"):
        inner.fault("extension", "is missing; give the parts")
    for part in objects(inner, "extension"):
        name = part.text("url") or ""
        if name in shape:
            _keep(found, part, name, shape[name])
        else:
            part.fault("url", f"must be one of {', '.join(shape)}")
    return found
