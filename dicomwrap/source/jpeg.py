"""Read a baseline JPEG, keeping its bits.

Knows which JPEG codings can stand in a DICOM object unchanged (PS3.5 sections 8.2.1 and 10.2: 8 bit, Huffman,
sequential, grey or YCbCr). Must not know files or DICOM objects. What it returns was decoded once to the end, as proof.
"""

from __future__ import annotations

import hashlib
import struct
from io import BytesIO
from typing import Final

from PIL.JpegImagePlugin import JpegImageFile

from dicomwrap.bitstream.clean import without_carriers
from dicomwrap.bitstream.markers import APP1, APP2, DHT, DQT, SCAN_DATA, SOF0, ColourModel, Frame, Stream, parse
from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError, UnsupportedPhotographError
from dicomwrap.exif import EXIF_HEADER, capture_facts
from dicomwrap.photograph import CaptureFacts, Photograph

MOST_PIXELS: Final = 200_000_000
_SOI: Final = b"\xff\xd8"
_PROBE: Final = bytes((number * 73 + 41) % 251 for number in range(256))  # no FF, so no marker
_ICC_HEADER: Final = b"ICC_PROFILE\0"
_PHOTOMETRIC: Final = {ColourModel.GREY: "MONOCHROME2", ColourModel.YCBCR: "YBR_FULL_422"}
_CODINGS: Final = {
    0xC1: "extended sequential", 0xC2: "progressive", 0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical",
    0xC7: "hierarchical", 0xC9: "arithmetic-coded", 0xCA: "arithmetic-coded progressive",
    0xCB: "arithmetic-coded lossless", 0xCD: "hierarchical", 0xCE: "hierarchical", 0xCF: "hierarchical",
}  # fmt: skip
_ORIENTATIONS: Final = {
    2: "mirror it left to right", 3: "rotate by 180 degrees", 4: "mirror it upside down",
    5: "mirror and rotate by 90 degrees", 6: "rotate clockwise by 90 degrees", 7: "mirror and rotate by 90 degrees",
    8: "rotate anticlockwise by 90 degrees",
}  # fmt: skip


def recognises(data: bytes) -> bool:
    """Tell whether the bytes begin as a JPEG does."""
    return data.startswith(_SOI)


def read(data: bytes, most_pixels: int = MOST_PIXELS) -> Photograph:
    """Read a baseline JPEG.

    Raises:
        UnsupportedPhotographError: another coding, colour model or bit depth, or more than ``most_pixels``.
        TruncatedPhotographError: the stream or a scan ends too early.
        DamagedPhotographError: the stream breaks its format, lacks a table or doesn't decode.
    """
    stream = parse(data)
    _refuse_unsuitable(stream, most_pixels)
    kept = without_carriers(stream)
    if parse(kept).colour != stream.colour:
        raise UnsupportedPhotographError("The JPEG says two things about its colours")
    _prove_complete(kept)
    facts = _facts(stream)
    return Photograph(
        stream=kept,
        rows=stream.frame.rows,
        columns=stream.frame.columns,
        samples=len(stream.frame.components),
        photometric=_PHOTOMETRIC[stream.colour],
        facts=facts,
        sha256=hashlib.sha256(data).hexdigest(),
        warnings=(*facts.warnings, *_warnings(stream, facts)),
    )


def _refuse_unsuitable(stream: Stream, most_pixels: int) -> None:
    frame = stream.frame
    problem = _coding_problem(frame) or _colour_problem(stream)
    if problem is not None:
        raise UnsupportedPhotographError(problem)
    if frame.rows * frame.columns > most_pixels:
        limit = most_pixels // 1_000_000
        raise UnsupportedPhotographError(
            f"The JPEG is {frame.columns} by {frame.rows} pixels; the limit is {limit} megapixels",
            "Export the picture in a smaller size and wrap that file.",
        )
    if not (stream.bodies(DQT) and stream.bodies(DHT)):
        raise DamagedPhotographError("The JPEG lacks its quantisation or Huffman tables")
    if stream.scanned != {component.id for component in frame.components}:
        raise TruncatedPhotographError("The JPEG lacks the scan of a colour component")


def _coding_problem(frame: Frame) -> str | None:
    if frame.precision != 8:
        return f"The JPEG has {frame.precision} bits a sample"
    if frame.marker != SOF0:
        return f"The JPEG is {_CODINGS[frame.marker]}, not baseline"
    return None


def _colour_problem(stream: Stream) -> str | None:
    if len(stream.frame.components) == 4:
        return "The JPEG has four colour components (CMYK or YCCK)"
    if stream.colour is ColourModel.OTHER:
        return f"The JPEG has {len(stream.frame.components)} colour components"
    if stream.colour is ColourModel.RGB:
        return "The JPEG holds RGB components, which a baseline object of this kind can't hold unchanged"
    return None


def _prove_complete(stream: bytes) -> None:
    """Decode the picture to its end, twice: as it is, and with bytes added to each scan.

    A decoder fills what is missing without a word. Bytes after a complete scan change nothing; where a scan is too
    short they are taken for the picture, and the two results differ. Only the fine detail of the last block escapes.
    """
    if _decoded(stream) != _decoded(_with_longer_scans(stream)):
        raise TruncatedPhotographError("The JPEG's picture data ends too early")


def _with_longer_scans(data: bytes) -> bytes:
    return b"".join(
        data[piece.start : piece.end] + (_PROBE if piece.marker == SCAN_DATA else b"") for piece in parse(data).pieces
    )


def _decoded(stream: bytes) -> bytes:
    """Decode the whole scan, at an eighth of the size so that memory stays small; every coefficient is still read."""
    try:
        # The class, not Image.open: the pixel limit is ours, checked above, and no other format may be guessed.
        with JpegImageFile(BytesIO(stream)) as image:
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
            return image.tobytes()
    except OSError as error:
        if "truncated" in str(error):
            raise TruncatedPhotographError("The JPEG's picture data ends too early") from error
        raise DamagedPhotographError("The JPEG's picture data can't be decoded") from error
    except (ArithmeticError, LookupError, SyntaxError, TypeError, ValueError, struct.error) as error:
        raise DamagedPhotographError("The JPEG can't be decoded") from error


def _facts(stream: Stream) -> CaptureFacts:
    blocks = [body for body in stream.bodies(APP1) if body.startswith(EXIF_HEADER)]
    return capture_facts(blocks[0]) if blocks else CaptureFacts()


def _warnings(stream: Stream, facts: CaptureFacts) -> tuple[str, ...]:
    found = []
    if facts.orientation in _ORIENTATIONS:
        turn = _ORIENTATIONS[facts.orientation]
        found.append(f"the camera says {turn}; stored unrotated, viewers will show it as the sensor saw it")
    if any(body.startswith(_ICC_HEADER) for body in stream.bodies(APP2)):
        found.append("the photograph's colour profile isn't carried over yet")
    return tuple(found)
