"""Judge what an object says of how its picture came to be.

Knows lossy compression and its history (PS3.3 section C.7.6.1.1.5), ImageType and derivation (C.7.6.1.1.2 and 3). Must
not know bitstreams.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap import iodtables
from dicomwrap.judging.findings import Finding, error, warning
from dicomwrap.judging.picture import transfer_syntax_uid
from dicomwrap.judging.values import decimals, filled, text, texts
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Loss

_ORIGINS: Final = (
    "DerivationDescription", "DerivationCodeSequence", "SourceImageSequence", "SourceInstanceSequence",
)  # fmt: skip


def lossy_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say where lossy compression isn't told, or told in part."""
    if "PixelData" not in dataset:
        return
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid(dataset))
    said = text(dataset, "LossyImageCompression")
    if syntax is not None and syntax.loss is Loss.ALWAYS and said != "01":
        denied = bool(said) or _must_say(dataset)
        message = f"LossyImageCompression: must be 01, the picture is {syntax.words}"
        yield (error if denied else warning)("LOSSY_HISTORY", message)
    ratios, methods = texts(dataset, "LossyImageCompressionRatio"), texts(dataset, "LossyImageCompressionMethod")
    if said == "01" or (syntax is not None and syntax.loss is Loss.ALWAYS):
        yield from _steps(dataset, ratios, methods)
    elif ratios or methods:
        yield error("LOSSY_HISTORY", "LossyImageCompression: must be 01, there is a history of lossy compression")


def derivation_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when a derived picture doesn't tell its origin."""
    derived = texts(dataset, "ImageType")[:1] == ("DERIVED",)
    if derived and not any(filled(dataset, keyword) for keyword in _ORIGINS):
        yield warning("IMAGE_TYPE", "ImageType: says DERIVED, but nothing says from what or how")


def _must_say(dataset: Dataset) -> bool:
    """Tell whether the element is more than optional in the object's class (PS3.3 section C.8.12.1)."""
    sop_class = iodtables.SOP_CLASSES.get(text(dataset, "SOPClassUID"))
    return sop_class is not None and "vl-image" in sop_class.modules


def _steps(dataset: Dataset, ratios: tuple[str, ...], methods: tuple[str, ...]) -> Iterator[Finding]:
    if not any(ratios):
        yield warning("LOSSY_HISTORY", "LossyImageCompressionRatio: is missing or empty")
    elif not all(ratio > 0 for ratio in decimals(dataset, "LossyImageCompressionRatio") or (0,)):
        yield error("LOSSY_HISTORY", "LossyImageCompressionRatio: must be numbers above 0")
    if not any(methods):
        yield warning("LOSSY_HISTORY", "LossyImageCompressionMethod: is missing or empty")
    elif any(ratios) and len(ratios) != len(methods):
        yield error("LOSSY_HISTORY", "LossyImageCompressionMethod: must have as many values as the ratio")
