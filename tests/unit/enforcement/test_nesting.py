"""The walk through an object's sequences: what is too deep, and what can't be followed, is refused."""

from __future__ import annotations

import struct
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.nesting import DEEPEST, MOST_ELEMENTS, StructureError, require_shallow
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from tests.fakes.nested import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PIXELS,
    PRIVATE,
    SEQUENCE,
    UNDEFINED,
    element,
    file_of,
    identified,
    item,
    nested,
    sequence,
)
from tests.fakes.pictures import photograph_bytes
from tests.fakes.world import World

BOTTOMLESS = 30_000


def fault(content: bytes) -> str:
    with pytest.raises(StructureError) as caught:
        require_shallow(content)
    assert caught.value.remedy
    return str(caught.value.args[0])


@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize(("syntax", "vr", "order"), [(EXPLICIT, "SQ", "<"), (IMPLICIT, "", "<"), (BIG, "SQ", ">")])
def test_so_deep_and_no_deeper(syntax: str, vr: str, order: str, delimited: bool) -> None:
    def made(levels: int) -> bytes:
        return file_of(nested(levels, vr, delimited=delimited, order=order), syntax)

    require_shallow(made(0))
    require_shallow(made(DEEPEST))
    assert "in each other" in fault(made(DEEPEST + 1))
    assert "in each other" in fault(made(80))


def test_a_bottomless_object_is_refused_at_once() -> None:
    """Sequences without a length open one after the other, as deep as the file is long."""
    opening = element(SEQUENCE, "SQ", b"", length=UNDEFINED) + struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
    assert "in each other" in fault(file_of(opening * BOTTOMLESS))


DEEP = DEEPEST + 1
HIDDEN = {
    "UN without a length": file_of(sequence(item(nested(DEEP, "")), "UN", tag=PRIVATE, delimited=True)),
    "UN that begins like a sequence": file_of(sequence(item(nested(DEEP, "")), "UN", tag=PRIVATE)),
    "implicit VR and no such element in the dictionary": file_of(nested(DEEP, "", tag=PRIVATE), IMPLICIT),
    "implicit VR, unknown, without a length": file_of(nested(DEEP, "", tag=PRIVATE, delimited=True), IMPLICIT),
    "pixel data that call themselves a sequence": file_of(nested(DEEP, "SQ", tag=PIXELS)),
    "pixel data as UN without a length": file_of(sequence(item(nested(DEEP, "")), "UN", tag=PIXELS, delimited=True)),
}


@pytest.mark.parametrize("content", HIDDEN.values(), ids=HIDDEN.keys())
def test_what_a_parser_could_take_for_a_sequence_is_one(content: bytes) -> None:
    assert "in each other" in fault(content)


FRAGMENTS = item(b"") + item(b"\xff\xd8" + b"\xfe\xff\x00\xe0" * 200)
HARMLESS = {
    "encapsulated pixels": file_of(sequence(FRAGMENTS, "OB", tag=PIXELS, delimited=True)),
    "native pixels that begin like an item": file_of(element(PIXELS, "OW", b"\xfe\xff\x00\xe0" * 50)),
    "implicit pixels that begin like an item": file_of(element(PIXELS, "", b"\xfe\xff\x00\xe0" * 50), IMPLICIT),
    "an unknown value": file_of(element(PRIVATE, "UN", b"anything")),
    "an empty sequence": file_of(element(SEQUENCE, "SQ", b"")),
    "side by side": file_of(sequence(item(nested(3)) * 40)),
    "empty": file_of(b""),
}


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_not_deep_passes(content: bytes) -> None:
    require_shallow(content)
    require_shallow(b"before" + content + b"after", 6, 6 + len(content))


ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
UNFOLLOWED = {
    "nothing": b"",
    "no DICOM": b"\0" * 300,
    "deflated": file_of(b"", DEFLATED),
    "no syntax": file_of(b"", ""),
    "a meta length too short": file_of(b"", length=4),
    "a meta length too long": file_of(element(SEQUENCE, "SQ", b""), length=10_000),
    "a sequence in the meta information": file_of(element((2, 0x100), "SQ", b"")),
    "an unknown VR": file_of(element(SEQUENCE, "ZZ", b"")),
    "an element longer than the file": file_of(element(SEQUENCE, "UT", b"ab", length=300)),
    "a sequence longer than the file": file_of(element(SEQUENCE, "SQ", item(b""), length=300)),
    "an item longer than its sequence": file_of(element(SEQUENCE, "SQ", item(b"")[:4] + b"\x08\0\0\0")),
    "an element where an item should be": file_of(sequence(element(PRIVATE, "UN", b""))),
    "an item where an element should be": file_of(item(b"")),
    "a delimiter where none should be": file_of(ITEM_END),
    "an item that never ends": file_of(sequence(item(b"", delimited=True)[:8])),
    "a sequence that never ends": file_of(element(SEQUENCE, "SQ", item(b""), length=UNDEFINED)),
    "a text without a length": file_of(element(PRIVATE, "UT", b"", length=UNDEFINED)),
    "encapsulated pixels as UN, which others take for a sequence": file_of(
        sequence(FRAGMENTS, "UN", tag=PIXELS, delimited=True)
    ),
    "half a header": file_of(b"\x40\x00\x30"),
    "a header without a length": file_of(b"\x40\x00\x30\xa7SQ"),
    "too many elements": file_of(sequence(item(b"") * (MOST_ELEMENTS + 1))),
}


@pytest.mark.parametrize("content", UNFOLLOWED.values(), ids=UNFOLLOWED.keys())
def test_what_can_t_be_followed_is_refused(content: bytes) -> None:
    assert "in each other" not in fault(content)


def test_a_real_photograph_passes() -> None:
    require_shallow(photograph_bytes())


@given(st.binary(max_size=400), st.sampled_from([EXPLICIT, IMPLICIT, BIG]))
def test_whatever_comes_ends_in_an_answer(noise: bytes, syntax: str) -> None:
    for content in (noise, file_of(noise, syntax), file_of(nested(2) + noise, syntax)):
        try:
            require_shallow(content)
        except StructureError:
            continue


def test_every_cut_of_an_object_ends_in_an_answer() -> None:
    whole = file_of(nested(3, delimited=True) + sequence(FRAGMENTS, "OB", tag=PIXELS, delimited=True))
    cuts = [whole[:at] for at in range(len(whole))]
    refused = 0
    for cut in cuts:
        try:
            require_shallow(cut)
        except StructureError:
            refused += 1
    assert refused >= len(cuts) - 2  # only right after the meta information or between elements it is an object still


@pytest.mark.parametrize(
    ("levels", "origin"), list(product((DEEP, 80, 5000), ("REST_API", "DICOM_PROTOCOL", "PLUGIN")))
)
def test_intake_refuses_what_is_too_deep_and_keeps_nothing_of_it(levels: int, origin: str, world: World) -> None:
    with pytest.raises(IntakeRefusedError, match="in each other"):
        Intake(world.services).examine(identified(levels), origin)
    assert (world.held(), world.services.spool.names(), list(Path(world.folder / "quarantine").glob("*"))) == (
        [],
        (),
        [],
    )
