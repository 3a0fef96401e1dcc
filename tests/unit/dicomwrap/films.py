"""Films made on the spot, with everything a camera may hide in them."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import pytest

av = pytest.importorskip("av")

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

WIDTH, HEIGHT, FRAMES = 64, 48, 12
MAKE, MODEL, SOFTWARE = "Acme", "Film-o-Matic 3", "fw 1.2"
TAKEN = "2025-03-01T10:15:30+0100"
SECRETS = (
    b"Prying Eyes", b"+51.5007-000.1246", b"secret title", b"secret in free", b"secret in uuid", b"secret in a name",
    b"secret for the decoder", b"secret caption", b"secret track", b"secret settings", b"secret filler",
    b"secret private unit",
)  # fmt: skip
OURS = (b"Lavf", b"Lavc", b"x264", b"FFmpeg")
UNREGISTERED, REGISTERED, UNKNOWN = 5, 4, 200


def sei(*messages: tuple[int, bytes]) -> bytes:
    """Return an SEI unit. The payloads are short and free of zeros."""
    return b"\x06" + b"".join(bytes((kind, len(body))) + body for kind, body in messages) + b"\x80"


WORDS = sei((UNREGISTERED, b"0123456789abcdef" + b"secret for the decoder, by Prying Eyes"))
MIXED = sei((6, b"\x84\x40"), (REGISTERED, b"\xb5\x01secret caption"), (UNKNOWN, b"secret settings"))
FILLER = b"\x0csecret filler\x80"
PRIVATE = b"\x18secret private unit\x80"  # type 24: unspecified
DELIMITER = b"\x09\xf0"


def encoded(
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    container: str = "mp4",
    frames: int = FRAMES,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    rate: int = 30,
    options: dict[str, str] | None = None,
    layout: dict[str, str] | None = None,
    units: tuple[bytes, ...] = (),
    sound: bool = False,
    tracks: int = 1,
    words: str = "",
    times: Callable[[int], int] | None = None,
) -> bytes:
    """Return a film; ``units`` are put before every frame's own, ``times`` gives each frame's in 1/(100 * rate) s."""
    target = io.BytesIO()
    with av.open(target, "w", format=container, container_options=layout or {}) as film:
        pictures = [
            film.add_stream(codec, rate=rate, options=options or {"preset": "ultrafast"}) for _ in range(tracks)
        ]
        for stream in pictures:
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            stream.codec_context.time_base = Fraction(1, 100 * rate)
        audio = film.add_stream("aac", rate=8000, layout="mono") if sound else None
        text = film.add_mux_stream("mov_text", time_base=Fraction(1, 1000)) if words else None
        for stream in pictures:
            for packet in _pictures(stream, frames, size, times or (lambda number: 100 * number)):
                film.mux(_with_units(packet, units) if units else packet)
        for packet in [] if audio is None else _noise(audio):
            film.mux(packet)
        if text is not None:
            film.mux(_subtitle(text, words))
    return target.getvalue()


def _pictures(
    stream: VideoStream, frames: int, size: tuple[int, int], times: Callable[[int], int]
) -> Iterator[Packet[VideoStream]]:
    for number in range(frames):
        frame = av.VideoFrame(*size, stream.pix_fmt)
        for index, plane in enumerate(frame.planes):
            row = bytes((x * 3 + number * 5 + index * 7) % 251 for x in range(plane.line_size))
            plane.update(row * plane.height)
        frame.pts, frame.time_base = times(number), stream.codec_context.time_base
        yield from stream.encode(frame)
    yield from stream.encode()


def _with_units(packet: Packet[VideoStream], units: tuple[bytes, ...]) -> Packet[Stream]:
    new = av.Packet(b"".join(b"\0\0\0\1" + unit for unit in units) + bytes(packet))
    new.stream, new.time_base, new.is_keyframe = packet.stream, packet.time_base, packet.is_keyframe
    new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
    return new


def _noise(stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
    frame.sample_rate, frame.pts = 8000, 0
    frame.planes[0].update(struct.pack("<1024f", *((x % 50) / 50 for x in range(1024))))
    yield from stream.encode(frame)
    yield from stream.encode()


def _subtitle(stream: Stream, words: str) -> Packet[Stream]:
    packet = av.Packet(struct.pack(">H", len(words)) + words.encode())
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = 0
    packet.duration = 300
    return packet


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box."""
    return struct.pack(">I", len(body) + 8) + kind + body


def keys(**values: str) -> bytes:
    """Return a QuickTime metadata box; dots in the names are written as underscores."""
    names = b"".join(box(b"mdta", f"com.apple.quicktime.{name}".replace("_", ".").encode()) for name in values)
    items = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0) + text.encode()))
        for number, text in enumerate(values.values(), start=1)
    )
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    return box(b"meta", handler + box(b"keys", struct.pack(">II", 0, len(values)) + names) + box(b"ilst", items))


def with_boxes(film: bytes, *, index: bytes = b"", top: bytes = b"") -> bytes:
    """Return a film whose index, its last box, has further boxes, and which has further boxes at its end."""
    at = film.rindex(b"moov") - 4
    size = int.from_bytes(film[at : at + 4], "big")
    assert at + size == len(film)
    return film[:at] + struct.pack(">I", size + len(index)) + film[at + 4 :] + index + top


def place() -> bytes:
    """Return the box in which phones write where a film was taken."""
    words = b"+51.5007-000.1246/"
    return box(b"\xa9xyz", struct.pack(">HH", len(words), 0x15C7) + words)


@cache
def camera_film() -> bytes:
    """Return a film as a phone writes it, with a secret in every place that one may be in."""
    film = encoded(
        container="mov", options={"preset": "ultrafast", "bf": "2"}, units=(DELIMITER, WORDS, MIXED, FILLER, PRIVATE),
        words="secret track of Prying Eyes",
    )  # fmt: skip
    facts = keys(
        make=MAKE, model=MODEL, software=SOFTWARE, creationdate=TAKEN, title="secret title", author="Prying Eyes",
        location_ISO6709="+51.5007-000.1246/",
    )  # fmt: skip
    user = box(b"udta", place() + box(b"\xa9nam", struct.pack(">HH", 16, 0x15C7) + b"secret in a name"))
    top = box(b"uuid", bytes(16) + b"secret in uuid") + box(b"free", b"secret in free")
    return with_boxes(film, index=facts + user, top=top)


def slices(film: bytes) -> list[bytes]:
    """Return slices and parameter sets in their order, as FFmpeg sees them."""
    with av.open(io.BytesIO(film)) as source:
        stream = source.streams.video[0]
        plain = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [each for packet in source.demux(stream) if packet.size for each in plain.filter(packet)]
    units = re.split(rb"\x00\x00\x00?\x01", b"".join(bytes(packet) for packet in packets))
    return [unit for unit in units if unit and unit[0] & 0x1F in (1, 5, 7, 8)]


def decoded(film: bytes) -> list[tuple[float, bytes]]:
    """Return the frames with their times."""
    with av.open(io.BytesIO(film)) as source:
        return [(frame.time, b"".join(bytes(plane) for plane in frame.planes)) for frame in source.decode(video=0)]


def sync_samples(film: bytes) -> list[bool]:
    """Tell of each frame whether the container says that a player can begin there."""
    with av.open(io.BytesIO(film), options={"fflags": "+nofillin+noparse"}) as source:
        return [packet.is_keyframe for packet in source.demux(video=0) if packet.size]


def rotated(film: bytes, matrix: tuple[int, ...] = (0, 1, 0, -1, 0, 0)) -> bytes:
    """Return a film whose track asks to be turned; a quarter clockwise, as in a phone held upright."""
    at = film.rindex(b"tkhd") + 4 + 40
    numbers = b"".join(struct.pack(">i", number << 16) for number in matrix)
    return film[:at] + numbers + film[at + len(numbers) :]


def with_edits(film: bytes, *edits: tuple[int, int, float]) -> bytes:
    """Return a film of one track with these edits: milliseconds shown, where they begin in its time scale, speed."""
    entries = b"".join(struct.pack(">IiI", shown, begin, int(rate * 0x10000)) for shown, begin, rate in edits)
    new = box(b"edts", box(b"elst", struct.pack(">II", 0, len(edits)) + entries))
    start = film.rindex(b"edts") - 4
    old = int.from_bytes(film[start : start + 4], "big")
    film = film[:start] + new + film[start + old :]
    for kind in (b"trak", b"moov"):
        at = film.rindex(kind) - 4
        size = int.from_bytes(film[at : at + 4], "big") + len(new) - old
        film = film[:at] + struct.pack(">I", size) + film[at + 4 :]
    return film


def coded_as(film: bytes, coding: bytes) -> bytes:
    """Return a film whose sample description has another type."""
    at = film.rindex(b"avc1")
    return film[:at] + coding + film[at + 4 :]
