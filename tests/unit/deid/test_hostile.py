"""Objects made to keep whoever reads them busy: refused with the reason, or gone through in one pass."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from dicomwrap.confidentiality import Option
from orthanc_plugin.deid import leakforms
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.leakneedles import Needles
from orthanc_plugin.deid.leaksecrets import Kind, Secret, secrets
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import encoded, photograph
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import uncompressed

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

KEEPING: Final = Profile(name="p", pseudonym_domain="p", options=frozenset({Option.RETAIN_INSTITUTION_IDENTITY}))
PSEUDONYMS: Final = Pseudonyms(key=bytes(range(32)), domain="p")


def people(count: int) -> Dataset:
    """Return a photograph with the names of so many people in a sequence."""
    original, items = photograph(), []
    for number in range(count):
        items.append(Dataset())
        items[-1].PersonName = f"Fam{number:05}^Giv{number * 7919 % 100003:05}"
    original.ContentCreatorIdentificationCodeSequence = items
    return original


def with_many_values() -> Dataset:
    return photograph(SelectorUCValue=["x"] * 100_000)


def with_many_items() -> Dataset:
    original = photograph()
    original.ContentSequence = [Dataset() for _ in range(60_000)]
    for item in original.ContentSequence:
        item.TextValue = "x"
    return original


REFUSED: dict[str, tuple[Callable[[], Dataset], str]] = {
    "thousands of names": (lambda: people(4000), "names and numbers than can be looked for"),
    "one element of many values": (with_many_values, "more than 100000 values"),
    "many items": (with_many_items, "more than 100000 values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_more_than_can_be_gone_through_is_refused_with_the_reason(name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(DeidentificationError, match=reason):
        deidentify(encoded(make()), KEEPING, PSEUDONYMS)


def test_a_thousand_names_are_looked_for_in_one_pass_and_one_that_stays_is_found() -> None:
    original = people(1000)
    assert b"Fam00001" not in deidentify(encoded(original), KEEPING, PSEUDONYMS).content
    original.InstitutionName = "Clinic of Giv94065 Fam00333"
    with pytest.raises(DeidentificationError, match="PersonName"):
        deidentify(encoded(original), KEEPING, PSEUDONYMS)


@pytest.mark.parametrize("place", [0, 4090, 4096, 8191, 12_000, 1 << 20])
def test_where_a_name_stands_makes_no_difference(place: int) -> None:
    needles = Needles([Secret("PatientName", "Doe^Jane", Kind.NAME), Secret("StudyID", "Doe^Jane-4711", Kind.NUMBER)])
    data = b".".ljust(place, b".") + b"DOE^jane-4711."
    assert needles.in_bytes(data) == needles.in_bits(data) == {"PatientName", "StudyID"}
    assert needles.in_samples(data) == {"StudyID"}
    assert needles.in_bytes(data.replace(b"DOE", b"xDOE").replace(b"-4711", b"y")) == set()


def test_a_very_long_text_is_found_by_its_beginning() -> None:
    text = "".join(f"{number:x}." for number in range(4000))
    needles = Needles([Secret("PatientAddress", text, Kind.NUMBER)])
    assert needles.in_bytes(text[:256].encode() + b" and more") == {"PatientAddress"}
    assert needles.in_bytes(text[:200].encode()) == set()


def test_nothing_is_looked_for_where_there_is_nothing_to_look_for() -> None:
    needles = Needles([])
    assert (needles.in_bytes(b"Doe"), needles.in_bits(b"Doe"), needles.in_samples(b"Doe")) == (set(), set(), set())


def test_more_places_than_can_be_looked_at_are_refused() -> None:
    needles = Needles([Secret("PatientName", "abababab"[:length], Kind.NAME) for length in range(4, 9)])
    with pytest.raises(DeidentificationError, match="looked at"):
        needles.in_bytes(b"ab" * 400_000)


def test_a_picture_packed_full_is_refused_rather_than_unpacked() -> None:
    full = zlib.compress(bytes(3 * 1024**2)) * 40
    with pytest.raises(DeidentificationError, match="looked through"):
        list(leakforms.packed(full))
    assert sum(map(len, leakforms.packed(full[: len(full) // 10]))) == 4 * 3 * 1024**2


def test_a_kept_number_that_begins_a_kept_one_is_no_secret() -> None:
    said = Dataset()
    said.InstitutionName, said.StationName, said.StudyID = "202503017", "2025030", "202503017"
    found = {secret.text for secret in secrets(said.iterall(), frozenset({"113112"}))}
    assert found == set()
    assert {secret.text for secret in secrets(said.iterall(), frozenset())} >= {"202503017", "2025030"}


def rle() -> Dataset:
    made = uncompressed(photos.picture(16, 16))
    made.compress(RLELossless)
    return made


KINDS: dict[str, Callable[[], Dataset]] = {
    "JPEG": lambda: photograph(data=photos.camera_photo()),
    "uncompressed": lambda: uncompressed(photos.picture(16, 16)),
    "RLE": rle,
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_cut_off_anywhere_is_refused_or_copied_whole(kind: str) -> None:
    content = encoded(KINDS[kind]())
    whole = dcmread(BytesIO(deidentify(content, KEEPING, PSEUDONYMS).content)).PixelData
    copied = 0
    for cut in {*range(0, len(content), max(1, len(content) // 60)), *range(len(content) - 12, len(content))}:
        try:
            copy = dcmread(BytesIO(deidentify(content[:cut], KEEPING, PSEUDONYMS).content))
        except DeidentificationError:
            continue
        copied += 1
        assert copy.PixelData == whole
    assert copied <= 12  # nothing is cut off but what follows the picture


def test_the_kinds_that_are_cut_off_are_of_three_codings() -> None:
    syntaxes = {kind: str(make().file_meta.TransferSyntaxUID) for kind, make in KINDS.items()}
    assert (syntaxes["uncompressed"], syntaxes["RLE"]) == (ExplicitVRLittleEndian, RLELossless)
    assert len(set(syntaxes.values())) == 3
