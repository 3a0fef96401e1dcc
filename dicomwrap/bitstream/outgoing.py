"""Clean the picture of an object that is about to leave, whatever its transfer syntax.

Knows which cleaner each coding has, and that a baseline JPEG is written anew from its coefficients, so that nothing but
the picture can be in it. Must not know where it goes. What can't be followed to its end is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dicomwrap.bitstream import h264
from dicomwrap.bitstream.boxes import boxes
from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.encapsulation import taken_apart
from dicomwrap.bitstream.markers import DQT, parse
from dicomwrap.bitstream.mp4 import hidden
from dicomwrap.bitstream.recipes import Recipes, recipe, way
from dicomwrap.bitstream.recoded import jpeg_2000_cleaned, jpeg_ls_cleaned, jpeg_xl_cleaned, rle_cleaned
from dicomwrap.bitstream.rewrite import rewriting, rewritten
from dicomwrap.bitstream.surplus import has_surplus
from dicomwrap.bitstream.verify import frames
from dicomwrap.bitstream.video import Film, film
from dicomwrap.errors import DamagedPhotographError, UnsupportedFilmError, UnsupportedPhotographError
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding, Loss, TransferSyntax

_START: Final = b"\0\0\1"
_OFFSETS: Final = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def clean_stream(dataset: Dataset, rewrite: Callable[[bytes], bytes] = rewritten) -> None:
    """Take everything out of an object's encapsulated pixel data that isn't the picture, in place.

    Uncompressed pixel data are left as they are; whatever is in them is a pixel. The object is changed at the very end
    or not at all. ``rewrite`` is how a JPEG is written anew; see ``begun``.

    Raises:
        DicomwrapError: a stream is broken, isn't what the transfer syntax says, or is of a kind that nobody here can
            follow to its end.
        UNREADABLE: the encapsulation is broken, or frames are missing (see ``dicomwrap.hostile``).
    """
    syntax = TRANSFER_SYNTAXES.get(str(dataset.file_meta.TransferSyntaxUID))
    if syntax is None or syntax.retired:
        raise UnsupportedPhotographError("The transfer syntax is retired or isn't known here")
    if not syntax.encapsulated:
        return
    if problems := taken_apart(dataset.PixelData).problems:
        raise DamagedPhotographError(f"The pixel data are broken: {problems[0]}")
    is_film = syntax.coding is Coding.VIDEO
    streams = _film(dataset) if is_film else _pictures(dataset, syntax, rewrite)
    padded = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    element = dataset["PixelData"]
    element.value = encapsulate(padded, has_bot=not is_film)  # a film's fragments are no frames (PS3.5 A.4)
    element.VR, element.is_undefined_length = "OB", True
    for keyword in _OFFSETS:
        dataset.pop(keyword, None)


@contextmanager
def begun(dataset: Dataset, known: Recipes | None = None) -> Iterator[Callable[[bytes], bytes]]:
    """Begin to write an object's JPEG anew, beside what is done to its header; yields what ``clean_stream`` asks for.

    It is begun with when the object holds one JPEG stream in one fragment, as photographs do. Any other stream than
    that one is written anew when it is asked for.

    Args:
        dataset: the object.
        known: remembers how a stream came out, where somebody does: one that is known isn't written anew.

    Raises:
        DicomwrapError: nothing can be written anew here.
    """
    first = _only_jpeg(dataset)
    if first is None:
        yield rewritten
    elif known is None:
        with rewriting(first) as finish:
            yield lambda stream: finish() if stream == first else rewritten(stream)
    else:
        with _once(first, known) as finish:
            yield lambda stream: finish() if stream == first else rewritten(stream)


def _only_jpeg(dataset: Dataset) -> bytes | None:
    """Return the stream of an object that has one, of which the coefficients are read; None for any other."""
    syntax = TRANSFER_SYNTAXES.get(str(dataset.file_meta.TransferSyntaxUID))
    whole = taken_apart(dataset.PixelData)
    if syntax is None or syntax.coding is not Coding.JPEG or syntax.loss is Loss.NEVER or len(whole.fragments) != 1:
        return None
    return bytes(dataset.PixelData[slice(*whole.fragments[0])])


@contextmanager
def _once(stream: bytes, known: Recipes) -> Iterator[Callable[[], bytes]]:
    """Begin to write a stream anew that nobody remembers; what is yielded returns it, cleaned."""
    sha256 = hashlib.sha256(stream).hexdigest()
    remembered = known.of(sha256)
    if remembered is not None:
        yield lambda: remembered.followed(stream)
        return
    with rewriting(stream, *way(stream)) as finish:

        def learnt() -> bytes:
            made = finish()
            if (found := recipe(stream, made)) is not None:
                known.keep(sha256, found)
            return made

        yield learnt


def _pictures(dataset: Dataset, syntax: TransferSyntax, rewrite: Callable[[bytes], bytes]) -> list[bytes]:
    found = frames(dataset)
    if syntax.coding is Coding.RLE:
        samples = int(dataset.Rows) * int(dataset.Columns)
        return [rle_cleaned(frame, samples) for frame in found]
    if syntax.coding is Coding.JPEG:
        return [_jpeg(frame, syntax, rewrite) for frame in found]
    return [_CLEANERS[syntax.coding](frame) for frame in found]


_CLEANERS: Final[dict[Coding, Callable[[bytes], bytes]]] = {
    Coding.JPEG_LS: jpeg_ls_cleaned,
    Coding.JPEG_2000: jpeg_2000_cleaned,
    Coding.JPEG_XL: jpeg_xl_cleaned,
}


def _jpeg(frame: bytes, syntax: TransferSyntax, rewrite: Callable[[bytes], bytes]) -> bytes:
    header = parse(frame).frame
    if header.marker not in syntax.frame_headers:
        raise DamagedPhotographError(f"The stream is FF{header.marker:02X}, which isn't {syntax.words}")
    if syntax.loss is not Loss.NEVER:
        if header.precision != 8:
            raise UnsupportedPhotographError("A lossy JPEG of 12 bits can't be written anew")
        return rewrite(frame)
    clean = cleaned(frame)
    stream = parse(clean)
    if stream.bodies(DQT) or has_surplus(stream):
        raise DamagedPhotographError("The lossless JPEG has tables or bytes that its picture doesn't need")
    return clean


def _film(dataset: Dataset) -> list[bytes]:
    value = dataset.PixelData
    data = b"".join(value[start:end] for start, end in taken_apart(value).fragments)
    kind = film(data)
    if kind is Film.H264:
        return [_h264(data)]
    if kind is Film.MP4 and not hidden(data):
        return [data[: list(boxes(data))[-1].end]]
    raise UnsupportedFilmError("The film can't be followed to its end, or has more than its picture in it")


def _h264(data: bytes) -> bytes:
    """Return a stream of NAL units without words (ITU-T H.264 annex B)."""
    kept = (h264.kept(unit.rstrip(b"\0")) for unit in data.split(_START)[1:])  # it begins with one, as films here do
    return b"".join(b"\0" + _START + bytes(unit) for unit in kept if unit is not None)
