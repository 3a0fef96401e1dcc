"""Read a JPEG, keeping its bits wherever an object can hold them.

Knows which JPEG codings can stand in a DICOM object unchanged (PS3.5 sections 8.2.1 and 10.2: baseline, 8 bit, grey or
YCbCr, upright), which can be written anew without loss, and which must be decoded. Must not know files or objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dicomwrap.bitstream.clean import kept
from dicomwrap.bitstream.markers import (
    APP1,
    APP2,
    APPLICATION_MARKERS,
    COM,
    DAC,
    DHT,
    DQT,
    SCAN_DATA,
    SOF0,
    SOF1,
    ColourModel,
    Frame,
    Stream,
    parse,
)
from dicomwrap.bitstream.surplus import has_surplus
from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError, UnsupportedPhotographError
from dicomwrap.exif import EXIF_HEADER, capture_facts, without_places
from dicomwrap.photograph import (
    JPEG_BASELINE,
    UNTOLD_COLOURS,
    UPRIGHT,
    CaptureFacts,
    ColourProfile,
    LossyStep,
    Orienting,
    Photograph,
    Reading,
)
from dicomwrap.sharing import mark, warning

METHOD: Final = "ISO_10918_1"
_SOI: Final = b"\xff\xd8\xff"
_ICC_HEADER: Final = b"ICC_PROFILE\0"
_PHOTOMETRIC: Final = {ColourModel.GREY: "MONOCHROME2", ColourModel.YCBCR: "YBR_FULL_422"}
_UNREADABLE: Final = {
    0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical",
    0xCB: "arithmetic-coded lossless", 0xCD: "hierarchical", 0xCE: "hierarchical", 0xCF: "hierarchical",
}  # fmt: skip
_ARITHMETIC: Final = frozenset({0xC9, 0xCA})
_BITS_OF_A_BLOCK: Final = 2  # a Huffman-coded block takes a bit for its DC and one for its AC coefficients at least
_TRAILER_TOLD: Final = 64  # cameras pad with a few bytes; more than that is something
_ORIENTATIONS: Final = {
    2: "mirror it left to right", 3: "rotate by 180 degrees", 4: "mirror it upside down",
    5: "mirror and rotate by 90 degrees", 6: "rotate clockwise by 90 degrees", 7: "mirror and rotate by 90 degrees",
    8: "rotate anticlockwise by 90 degrees",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A JPEG taken apart, the same without what isn't the picture, and what is to be done with it."""

    stream: Stream
    picture: Stream
    left_out: str
    through: str
    facts: CaptureFacts
    orientation: int
    warnings: tuple[str, ...]


def recognises(data: bytes) -> bool:
    """Tell whether the bytes begin as a JPEG does."""
    return data.startswith(_SOI)


def read(data: bytes, reading: Reading | None = None, *, start: int = 0) -> Photograph:
    """Read a JPEG that begins at ``start``.

    Its bits are kept when it is baseline, grey or YCbCr, and upright. Other codings and turns are written anew without
    loss; what has no such way (four components, RGB components, a turn of incomplete blocks) is decoded.

    Raises:
        UnsupportedPhotographError: another bit depth or process, more pixels than allowed, or a turn that has a price
            when ``reading`` forbids to pay it.
        TruncatedPhotographError: the stream or a scan ends too early.
        DamagedPhotographError: the stream breaks its format, lacks a table or doesn't decode.
    """
    how = reading or Reading()
    stream = parse(data[start:] if start else data)
    _refuse_unsuitable(stream, how.most_pixels)
    found = _found(stream, how)
    if start:
        told = f"{start} bytes before the picture were left out"
        found = replace(found, warnings=(*found.warnings, told))
    sha256 = hashlib.sha256(data).hexdigest()
    if stream.colour not in _PHOTOMETRIC:
        return _decoded(found, sha256, how)
    if stream.frame.marker == SOF0 and found.orientation == UPRIGHT and not has_surplus(found.picture):
        return _untouched(found, sha256, how)
    return _without_loss(found, sha256) or _at_a_price(found, sha256, how)


def _found(stream: Stream, how: Reading) -> _Found:
    facts, picture = _facts(stream), kept(stream)
    if picture.colour != stream.colour:
        raise UnsupportedPhotographError("The JPEG says two things about its colours")
    believed = how.orientation or facts.orientation or UPRIGHT
    left_out, through = _left_out(stream), mark(_beside_the_picture(stream))
    warnings = [*facts.warnings, *filter(None, [left_out]), *([warning(through)] if through else ())]
    if how.orienting is Orienting.KEEP and believed != UPRIGHT:
        warnings.append(
            f"the camera says {_ORIENTATIONS[believed]}; stored unrotated, viewers will show it as the sensor saw it"
        )
        believed = UPRIGHT
    if believed != UPRIGHT:
        facts = without_places(facts)
    return _Found(
        stream=stream,
        picture=picture,
        left_out=left_out,
        through=through,
        facts=facts,
        orientation=believed,
        warnings=tuple(warnings),
    )


def _untouched(found: _Found, sha256: str, how: Reading) -> Photograph:
    """Return the camera's own bits."""
    pieces = found.picture.buffers()
    if how.prove:
        from dicomwrap.bitstream.rewrite import proven

        stream = b"".join(pieces)
        written = proven(stream)
        if written is not stream:
            return _photograph(found, sha256, (written,), parse(written), untouched=False)
    return _photograph(found, sha256, pieces, found.stream, untouched=True)


def _without_loss(found: _Found, sha256: str) -> Photograph | None:
    """Return the same coefficients as an upright baseline stream; None when the turn has a price."""
    from dicomwrap.bitstream.rewrite import turned

    stream = turned(_for_decoder(found), found.orientation)
    if stream is None:
        return None
    written = parse(stream)
    if written.frame.marker != SOF0 or written.colour != found.stream.colour:
        raise DamagedPhotographError("The JPEG could not be written as a baseline stream")
    return _photograph(found, sha256, (stream,), written, untouched=False)


def _at_a_price(found: _Found, sha256: str, how: Reading) -> Photograph:
    if how.orienting is Orienting.LOSSLESS:
        raise UnsupportedPhotographError(
            f"The camera says {_ORIENTATIONS[found.orientation]}, which isn't possible without loss: the picture's "
            "sides are no multiples of its blocks",
            "Allow --orientation reencode (a second compression, recorded) or keep (not turned).",
        )
    told = "turned upright at the price of a second compression, which is recorded"
    return _decoded(replace(found, warnings=(*found.warnings, told)), sha256, how)


def _decoded(found: _Found, sha256: str, how: Reading) -> Photograph:
    """Return the picture decoded, turned and compressed again, with both compressions on record."""
    from dicomwrap.source.decoded import reencode_jpeg

    source = _for_decoder(found)
    if (
        found.stream.frame.marker in _ARITHMETIC
    ):  # decoders that are fed in pieces can't read it; as Huffman codes they can
        from dicomwrap.bitstream.rewrite import turned

        source = turned(source, UPRIGHT) or source
    result = reencode_jpeg(source, orientation=found.orientation, most_pixels=how.most_pixels)
    written = parse(result.frame)
    profile, warnings = _profile(found) if len(found.stream.frame.components) != 4 else (None, ())
    return Photograph(
        frame=(result.frame,),
        transfer_syntax=JPEG_BASELINE,
        rows=written.frame.rows,
        columns=written.frame.columns,
        samples=len(written.frame.components),
        photometric=_PHOTOMETRIC[written.colour],
        facts=found.facts,
        sha256=sha256,
        lossy=result.steps,
        added_loss=True,
        derivation=result.derivation,
        profile=profile,
        left_out=found.left_out,
        through=found.through,
        warnings=(*found.warnings, *result.warnings, *warnings),
    )


def _photograph(
    found: _Found, sha256: str, pieces: tuple[bytes | memoryview, ...], written: Stream, *, untouched: bool
) -> Photograph:
    frame = written.frame
    samples = len(frame.components)
    profile, warnings = _profile(found)
    length = sum(len(piece) for piece in pieces)
    return Photograph(
        frame=pieces,
        transfer_syntax=JPEG_BASELINE,
        rows=frame.rows,
        columns=frame.columns,
        samples=samples,
        photometric=_PHOTOMETRIC[written.colour],
        facts=found.facts,
        sha256=sha256,
        lossy=(LossyStep(ratio=frame.rows * frame.columns * samples / length, method=METHOD),),
        untouched=untouched,
        profile=profile,
        left_out=found.left_out,
        through=found.through,
        warnings=(*found.warnings, *warnings),
    )


def _for_decoder(found: _Found) -> bytes:
    """Return what a decoder needs: the picture, and the marker that tells what its colours are."""
    return b"".join(found.picture.buffers())


def _refuse_unsuitable(stream: Stream, most_pixels: int) -> None:
    frame = stream.frame
    problem = _coding_problem(frame)
    if problem is not None:
        raise UnsupportedPhotographError(problem)
    if frame.rows * frame.columns > most_pixels:
        limit = most_pixels // 1_000_000
        raise UnsupportedPhotographError(
            f"The JPEG is {frame.columns} by {frame.rows} pixels; the limit is {limit} megapixels",
            "Export the picture in a smaller size and wrap that file, or raise --max-megapixels.",
        )
    if not stream.bodies(DQT) or not (stream.bodies(DHT) or frame.marker in _ARITHMETIC or stream.bodies(DAC)):
        raise DamagedPhotographError("The JPEG lacks its quantisation or Huffman tables")
    if stream.scanned != {component.id for component in frame.components}:
        raise TruncatedPhotographError("The JPEG lacks the scan of a colour component")
    if frame.marker in (SOF0, SOF1) and _scan_bits(stream) < _BITS_OF_A_BLOCK * _blocks(frame):
        raise TruncatedPhotographError("The JPEG's picture data ends too early")


def _coding_problem(frame: Frame) -> str | None:
    if frame.marker in _UNREADABLE:
        return f"The JPEG is {_UNREADABLE[frame.marker]}"
    if frame.precision != 8:
        return f"The JPEG has {frame.precision} bits a sample"
    if len(frame.components) not in (1, 3, 4):
        return f"The JPEG has {len(frame.components)} colour components"
    return None


def _scan_bits(stream: Stream) -> int:
    return 8 * sum(piece.end - piece.start for piece in stream.pieces if piece.marker == SCAN_DATA)


def _blocks(frame: Frame) -> int:
    """Return how many blocks the picture has at least."""
    across = max(component.horizontal for component in frame.components)
    down = max(component.vertical for component in frame.components)
    return sum(
        -(-frame.columns * component.horizontal // (across * 8)) * -(-frame.rows * component.vertical // (down * 8))
        for component in frame.components
    )


def _facts(stream: Stream) -> CaptureFacts:
    blocks = [body for body in stream.bodies(APP1) if body.startswith(EXIF_HEADER)]
    return capture_facts(blocks[0]) if blocks else CaptureFacts()


def _beside_the_picture(stream: Stream) -> Iterator[bytes]:
    return (stream.body(piece) for piece in stream.pieces if piece.marker == COM or piece.marker in APPLICATION_MARKERS)


def _profile(found: _Found) -> tuple[ColourProfile | None, tuple[str, ...]]:
    stream = found.stream
    chunks = [body for body in stream.bodies(APP2) if body.startswith(_ICC_HEADER)]
    if not chunks:
        return None, (UNTOLD_COLOURS,) if found.facts.other_colours else ()
    from dicomwrap.icc import colour_profile, from_app2

    samples = len(stream.frame.components)
    icc = from_app2(chunks)
    profile = None if icc is None else colour_profile(icc, samples=samples)
    if profile is None:
        what = "of a grey picture" if samples == 1 else "is broken or of an unknown kind and"
        return None, (f"the colour profile {what} isn't carried over",)
    return profile, ()


def _left_out(stream: Stream) -> str:
    length = len(stream.data) - stream.end
    if length <= _TRAILER_TOLD:
        return ""
    return f"{length} bytes after the picture (a second picture, a film or the like) were left out"
