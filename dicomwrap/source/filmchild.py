"""The child that takes one track of H.264 out of a stranger's film and writes it into a new MP4.

Knows PyAV (FFmpeg) and its protocol: the film comes on the input, the new one goes to the output, with a line of JSON
after it. Must not know DICOM. Runs under limits, as ``python -I -m dicomwrap.source.filmchild TRACK``; ``film`` alone
calls it, and checks what it says.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import IO, Any, Final, NamedTuple, TypeAlias

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from dicomwrap.bitstream.boxes import at_path, boxes
from dicomwrap.bitstream.h264 import cleaned, configuration
from dicomwrap.errors import (
    DamagedFilmError,
    DicomwrapError,
    TruncatedPhotographError,
    UnsupportedFilmError,
)
from dicomwrap.source.isobmff import UPRIGHT

_BUFFER: Final = 1 << 20
# By the container's word: nothing guessed from the stream.
_AS_TOLD: Final = {"fflags": "+nofillin+noparse"}
# The whole film, not only what an edit list shows of it.
_WHOLE: Final = {**_AS_TOLD, "ignore_editlist": "1"}
_PLAIN: Final = {"fflags": "+bitexact", "empty_hdlr_name": "1", "write_btrt": "0"}
_ASKED: Final = frozenset(
    {
        "creation_time", "date", "make", "model", "software", "com.android.manufacturer", "com.android.model",
        *(f"com.apple.quicktime.{key}" for key in ("creationdate", "make", "model", "software")),
    }
)  # fmt: skip
_LONGEST_FACT: Final = 200
_CUT: Final = "Export the film as MP4 with H.264, so that what was cut is gone, and wrap that file."
_ODD: Final = b"\0\0\0\x09free\0"
_MATRIX: Final = b"".join(number.to_bytes(4, "big") for number in (*UPRIGHT, 0, 0, 0x40000000))


_Packet: TypeAlias = "Packet[Any]"


class _Frame(NamedTuple):
    """Where a frame lies in the source, and when it is shown, in units of its track."""

    place: int
    shown: int


def main() -> None:
    """Read a film from the input; write the new one, and what it says of itself, to the output."""
    source = mmap.mmap(sys.stdin.fileno(), 0, access=mmap.ACCESS_READ)
    with os.fdopen(os.dup(sys.stdout.fileno()), "r+b", buffering=_BUFFER) as target:
        try:
            answer = _answer(source, target, int(sys.argv[1]))
        except DicomwrapError as error:
            answer = {"refused": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
        except (FFmpegError, ValueError) as error:  # FFmpeg's own words may quote the file
            answer = _broken(f"The film can't be read ({type(error).__name__})")
        target.seek(0, os.SEEK_END)
        target.write(b"\n" + json.dumps(answer).encode())


def _broken(reason: str) -> dict[str, object]:
    error = DamagedFilmError(reason)
    return {"refused": type(error).__name__, "reason": error.reason, "remedy": error.remedy}


def _answer(source: mmap.mmap, target: IO[bytes], track: int) -> dict[str, object]:
    frames = list(_frames(source, track, _WHOLE))
    if [frame.place for frame in _frames(source, track, _AS_TOLD)] != [frame.place for frame in frames]:
        raise UnsupportedFilmError("The film's edit list hides a part of what was recorded", _CUT)
    if not frames:
        raise DamagedFilmError("The film has no frames")
    shown = sorted(frame.shown for frame in frames)
    answer = _remux(source, target, track, shown[0])
    _finish(target)
    steps = [after - before for before, after in pairwise(shown)]
    return {
        **answer,
        "frames": len(shown),
        "span": shown[-1] - shown[0],
        "shortest": min(steps, default=0),
        "longest": max(steps, default=0),
    }


def _opened(source: mmap.mmap, options: dict[str, str]) -> InputContainer:
    """Open the film as nothing but MP4 or QuickTime; its texts need not be UTF-8."""
    return av.open(source, "r", format="mov", options=options, metadata_errors="replace", buffer_size=_BUFFER)


def _frames(source: mmap.mmap, track: int, options: dict[str, str]) -> Iterator[_Frame]:
    with _opened(source, options) as film:
        for packet in _packets(film, _stream(film, track)):
            if not packet.is_discard:
                yield _Frame(place=packet.pos or 0, shown=packet.pts or 0)


def _stream(film: InputContainer, track: int) -> VideoStream:
    for stream in film.streams.video:
        if stream.id == track and stream.codec_context.name == "h264":
            return stream
    raise DamagedFilmError("The film's picture track can't be read")


def _packets(film: InputContainer, stream: VideoStream) -> Iterator[_Packet]:
    for packet in film.demux(stream):
        if packet.is_corrupt:
            raise TruncatedPhotographError("The film's picture data end too early")
        if packet.size and (packet.pts is None or packet.dts is None):
            raise DamagedFilmError("The film has a frame without a time")
        if packet.size:
            yield packet


def _remux(source: mmap.mmap, target: IO[bytes], track: int, first: int) -> dict[str, object]:
    """Write the cleaned film, its first frame shown at zero."""
    with (
        _opened(source, _WHOLE) as film,
        av.open(target, "w", format="mp4", container_options=_PLAIN, buffer_size=_BUFFER) as new,
    ):
        stream = _stream(film, track)
        record = configuration(stream.codec_context.extradata or b"")
        copy = new.add_stream_from_template(stream, opaque=True)
        copy.codec_context.extradata = record.record()
        unit, last = stream.time_base or Fraction(1), 0
        for packet in _packets(film, stream):
            last = packet.duration or 0
            new.mux(_moved(_without_words(packet, record.prefix), copy, first))
        said = {**stream.metadata, **film.metadata}
    facts = {key: value[:_LONGEST_FACT] for key, value in said.items() if key in _ASKED}
    return {"facts": facts, "unit": [unit.numerator, unit.denominator], "last": last}


def _without_words(packet: _Packet, prefix: int) -> _Packet:
    """Return the packet, or one like it that holds nothing but the picture."""
    sample = bytes(packet)
    clean = cleaned(sample, prefix)
    if clean is sample:
        return packet
    new = Packet(clean)
    new.time_base, new.pts, new.dts, new.duration = packet.time_base, packet.pts, packet.dts, packet.duration
    new.is_keyframe = packet.is_keyframe
    return new


def _moved(packet: _Packet, stream: VideoStream, first: int) -> _Packet:
    packet.pts, packet.dts = (packet.pts or 0) - first, (packet.dts or 0) - first
    packet.stream = stream
    return packet


def _finish(target: IO[bytes]) -> None:
    """Take what FFmpeg always adds out of the index, which is the last box, and let the picture stand as recorded.

    DICOM has no place for the container's rotation; viewers that heeded it would show another picture than the others.
    """
    target.flush()
    with mmap.mmap(target.fileno(), 0, access=mmap.ACCESS_READ) as view, memoryview(view) as data:
        index = list(boxes(data))[-1]
        moov = bytearray(data[index.start : index.end])
    movie = next(boxes(moov))
    head = at_path(moov, movie, b"trak", b"tkhd")
    if movie.kind != b"moov" or head is None:
        raise DamagedFilmError("The film could not be written anew")
    at = head.body + (52 if moov[head.body] == 1 else 40)
    moov[at : at + len(_MATRIX)] = _MATRIX
    needed = (box for box in boxes(moov, movie.body, movie.end) if box.kind != b"udta")
    inner = b"".join([moov[box.start : box.end] for box in needed])
    target.seek(index.start)
    target.write((len(inner) + 8).to_bytes(4, "big") + b"moov" + inner)
    if target.tell() % 2:  # so that the object needs no padding, and gives the very file back
        target.write(_ODD)
    target.truncate()


if __name__ == "__main__":
    main()
