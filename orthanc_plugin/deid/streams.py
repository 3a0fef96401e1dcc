"""Clean a copy's pixel data again, whatever its transfer syntax, and say why one can't be proven clean.

Knows which cleaner and which reader each coding has (``dicomwrap.bitstream``). Must not decode a picture. What nobody
here can read to its end doesn't leave: JPEG XL, HEVC and MPEG-2 streams, and JPEG of 12 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from dicomwrap.bitstream.encapsulation import taken_apart
from dicomwrap.bitstream.mp4 import hidden
from dicomwrap.bitstream.outgoing import clean_stream
from dicomwrap.bitstream.verify import JPEG_BASELINE, contradictions, frames
from dicomwrap.bitstream.video import Film, film
from dicomwrap.errors import DicomwrapError
from dicomwrap.judging.findings import Finding, Severity
from dicomwrap.judging.picture import encapsulation_findings, picture_findings
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding, Loss, TransferSyntax
from orthanc_plugin.deid.unseenbits import cleared, has_unseen, high_bytes, require_described
from orthanc_plugin.errors import DeidentificationError

_TELLING: Final = frozenset({"HIDDEN_METADATA", "TRAILING_DATA", "UNKNOWN_TRANSFER_SYNTAX", "SOUND"})
_RLE_HEADER: Final = 64
_NOTHING: Final = 128
UNSEEN: Final = "there is something in bits of the picture that no viewer shows"


def syntax_of(dataset: Dataset) -> TransferSyntax:
    """Return the object's transfer syntax.

    Raises:
        DeidentificationError: it isn't known, is retired, or its streams can't be checked.
    """
    found = TRANSFER_SYNTAXES.get(str(dataset.file_meta.TransferSyntaxUID))
    if found is None or found.retired:
        raise DeidentificationError("The transfer syntax is not one that can be anonymised.")
    if found.coding is Coding.JPEG_XL:
        raise DeidentificationError(f"{found.words} streams can't be read to their end, so none is proven clean.")
    return found


def clean_pixels(copy: Dataset, syntax: TransferSyntax, *, blanked: bool, rewrite: Callable[[bytes], bytes]) -> None:
    """Take everything out of the pixel data of ``copy`` that isn't the picture, in place.

    Args:
        copy: the object.
        syntax: its transfer syntax.
        blanked: whether regions of it were blanked: a JPEG is then written anew, and proven, already.
        rewrite: how a JPEG is written anew; it may have been begun with.

    Raises:
        DeidentificationError: a stream is broken, or of a kind that can't be cleaned.
    """
    if syntax.coding in (Coding.NATIVE, Coding.RLE):  # of the others the stream itself says it
        require_described(copy)
    if syntax.coding is Coding.NATIVE:
        if len(copy.PixelData) % 2:  # written, it would be filled up
            raise DeidentificationError("The pixel data end too early.")
        if has_unseen(copy):
            copy["PixelData"].value = cleared(copy)
    try:
        if not (blanked and syntax.coding is Coding.JPEG):
            clean_stream(copy, rewrite)
    except DicomwrapError as error:
        raise DeidentificationError(f"The picture can't be anonymised: {error.reason}.") from error
    if syntax.coding is Coding.JPEG and syntax.loss is Loss.ALWAYS:
        made = taken_apart(copy.PixelData).fragments  # each frame is one, as they were just written
        pixels = int(copy.Rows) * int(copy.Columns) * int(copy.SamplesPerPixel) * len(made)
        copy.LossyImageCompressionRatio = [*_earlier(copy), f"{pixels / sum(end - start for start, end in made):.2f}"]


def _earlier(copy: Dataset) -> list[str]:
    """Return the ratios of all compressions but the last, one for each method, as numbers and nothing else."""
    ratios, methods = copy.get("LossyImageCompressionRatio"), copy.get("LossyImageCompressionMethod")
    if not isinstance(ratios, MultiValue) or not isinstance(methods, MultiValue) or len(ratios) != len(methods):
        return []
    return [f"{min(float(ratio), 9999):.2f}" for ratio in ratios[:-1]]


def impurities(copy: Dataset, syntax: TransferSyntax) -> tuple[str, ...]:
    """Return what keeps the pixel data of an encoded copy from being proven clean; empty when nothing does."""
    if syntax.uid == JPEG_BASELINE:  # these look at every byte of the stream, and at more than findings do
        return contradictions(copy) or _telling(encapsulation_findings(copy, syntax))
    return _telling(picture_findings(copy)) or tuple(_FURTHER.get(syntax.coding, _nothing)(copy))


def _telling(found: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(
        each.message
        for each in found
        if each.severity is Severity.ERROR or (each.code in _TELLING and each.severity is Severity.WARNING)
    )


def _nothing(_: Dataset) -> Iterator[str]:
    return iter(())


def _native(copy: Dataset) -> Iterator[str]:
    if len(copy.PixelData) % 2 or not copy.PixelData:
        yield "the pixel data are of odd length"
    elif has_unseen(copy) and cleared(copy) != copy.PixelData:
        yield UNSEEN


def _rle(copy: Dataset) -> Iterator[str]:
    """Say when a segment doesn't hold exactly its samples (PS3.5 G.3): in what is left over words could hide."""
    wanted = int(copy.Rows) * int(copy.Columns)
    for frame in frames(copy):
        words = [int.from_bytes(frame[at : at + 4], "little") for at in range(0, _RLE_HEADER, 4)]
        starts = [*words[1 : words[0] + 1], len(frame)]
        unpacked = [_unpacked(frame[start:end], wanted) for start, end in pairwise(starts)]
        if any(len(samples) != wanted or left not in (b"", b"\0") for samples, left in unpacked):
            yield "an RLE segment doesn't hold exactly its samples"
            return
        planes = [samples for samples, _ in unpacked]
        if has_unseen(copy) and any(
            high_bytes(copy, low, high) != high for high, low in zip(planes[::2], planes[1::2], strict=True)
        ):
            yield UNSEEN
            return


def _unpacked(segment: bytes, wanted: int) -> tuple[bytes, bytes]:
    """Return a segment's samples, as far as they come out, and the bytes after the one that gives the last."""
    samples, at = bytearray(), 0
    while len(samples) < wanted and at < len(segment):
        control = segment[at]
        if control < _NOTHING:
            samples += segment[at + 1 : at + control + 2]
            at += control + 2
        else:
            samples += segment[at + 1 : at + 2] * (257 - control if control > _NOTHING else 0)
            at += 1 + (control > _NOTHING)
    return bytes(samples), segment[at:]


def _film(copy: Dataset) -> Iterator[str]:
    value = copy.PixelData
    data = b"".join(value[start:end] for start, end in taken_apart(value).fragments)
    if film(data) is not Film.MP4:
        yield "the film is in no container that can be read to its end"
    else:
        yield from (
            f"metadata in the film ({name})" for name in hidden(data.removesuffix(b"\0") if _padded(data) else data)
        )


def _padded(data: bytes) -> bool:
    """Tell whether the last byte is DICOM's padding: the film has an even number of bytes, its boxes an odd one."""
    return data.endswith(b"\0") and len(data) % 2 == 0 and bool(_trailing(data))


def _trailing(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        at += size if size >= 8 else len(data)
    return at == len(data) - 1


_FURTHER: Final[dict[Coding, Callable[[Dataset], Iterator[str]]]] = {
    Coding.NATIVE: _native,
    Coding.RLE: _rle,
    Coding.VIDEO: _film,
}
