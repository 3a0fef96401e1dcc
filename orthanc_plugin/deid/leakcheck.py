"""Look for the patient in a copy that is about to leave: the last look before the wire.

Knows the original's data set and the copy's bytes as they will be sent. Finds whatever identifies the original and
still stands anywhere in them, in whatever writing, and where the copy's header claims what isn't so. Shares nothing
with the engine that made the copy (an import contract holds it to that), so that one's oversight isn't the other's. A
find is a refusal, never a repair; it names the attribute and never tells the value. Source: PS3.15 E.1.1, PS3.3 C.12.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from orthanc_plugin.deid.leakclaims import codes_of, false_claims
from orthanc_plugin.deid.leakforms import APART, opened, packed, written
from orthanc_plugin.deid.leakneedles import Needles
from orthanc_plugin.deid.leakplaces import Places, coded_words, places, walked
from orthanc_plugin.deid.leaksecrets import places_of, proper_words, secrets


def leaks_in(original: Dataset, encoded: bytes) -> tuple[str, ...]:
    """Return the attributes whose value in the original still stands in the copy, and those that claim what isn't so.

    What a copy says it kept on purpose, by the codes of its De-identification Method Code Sequence, is no leak.

    Args:
        original: the data set that the copy was made of.
        encoded: the finished copy, as it will be sent.

    Raises:
        DeidentificationError: there is more to look for, or through, than can be.
        UNREADABLE: one of the two can't be read as DICOM (see ``dicomwrap.hostile``).
    """
    return leaks_among(walked(original), encoded)


def leaks_among(original: Iterable[DataElement], encoded: bytes) -> tuple[str, ...]:
    """Return the same for the original's elements of all depths, or for those of them that mustn't be in the copy."""
    copy = pydicom.dcmread(BytesIO(encoded))
    kept, where = codes_of(copy), places(copy, encoded)
    elements = tuple(original)
    needles, whence = Needles(secrets(elements, kept)), places_of(elements, kept)
    found = {*_in_the_header(needles, where), *_in_the_picture(needles, where), *needles.in_bits(where.locked)}
    issuers = {whence[word] for text in where.named for word in proper_words(text) & whence.keys()}
    return tuple(sorted({*found, *issuers, *false_claims(copy, where.elements)}))


def _in_the_header(needles: Needles, where: Places) -> frozenset[str]:
    found = {name for value, free in where.values for name in needles.in_value(value, free=free)}
    found.update(name for text in where.sentences for name in needles.in_sentences(text))
    rest = where.rest
    if needles.in_bytes(rest):  # what a code of the standard says isn't the patient's, though a patient be called so
        for word in coded_words(where.elements):
            rest = rest.replace(word, b"\0")
    return frozenset(found) | needles.in_bytes(rest)


def _in_the_picture(needles: Needles, where: Places) -> Iterator[str]:
    yield from where.strange_segments
    if not where.coded:
        yield from needles.in_samples(where.pixels)
        return
    yield from needles.in_bits(opened(written(where.pixels)))
    inflated = APART.join(map(opened, packed(where.pixels)))
    yield from needles.in_bytes(inflated)
