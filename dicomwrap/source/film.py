"""Read a film of H.264, keeping its bits.

Knows the child that takes the picture track out of its container and writes it into a new one, and holds what comes
back against what may be in it. Must not know files or DICOM objects. Every slice and parameter set is the camera's,
byte for byte; sound, metadata and words within the stream are gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from typing import IO, Final

from dicomwrap.bitstream.boxes import boxes
from dicomwrap.bitstream.h264 import configuration, units
from dicomwrap.bitstream.h264sequence import SEQUENCE, Sequence, sequence
from dicomwrap.bitstream.mp4 import hidden
from dicomwrap.errors import (
    DamagedFilmError,
    DicomwrapError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedFilmError,
)
from dicomwrap.photograph import CaptureFacts, LossyStep, Orienting
from dicomwrap.source.filmfacts import capture_facts
from dicomwrap.source.filmrules import LARGEST, has_sound, is_turned, picture_track, refuse_sequence, transfer_syntax
from dicomwrap.source.isobmff import Movie, Track, is_film, read_movie
from dicomwrap.source.limits import Limits, run_limited

LOSSY_METHOD: Final = "ISO_14496_10"  # PS3.3 section C.7.6.1.1.5.1
_CHILD: Final = ("-I", "-m", "dicomwrap.source.filmchild")
_INDEX: Final = 1 << 26  # bytes by which a new index may be longer
_LONGEST_ANSWER: Final = 1 << 16
_LONGEST_SENTENCE: Final = 400
_UNEVEN: Final = 0.1
_REFUSALS: Final[Mapping[str, type[DicomwrapError]]] = {
    error.__name__: error for error in (TruncatedPhotographError, DamagedFilmError, UnsupportedFilmError)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One film, clean of everything but the picture.

    Attributes:
        stream: an MP4 with one track of H.264.
        transfer_syntax: the transfer syntax for it.
        rows: height in pixels.
        columns: width in pixels.
        frames: how many.
        frame_time_ms: milliseconds from one frame to the next; the average where they differ.
        facts: what the camera said.
        sha256: digest of the file as it came, hexadecimal.
        warnings: sentences for a person.
    """

    stream: bytes
    transfer_syntax: str
    rows: int
    columns: int
    frames: int
    frame_time_ms: float
    facts: CaptureFacts
    sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def cine_rate(self) -> int:
        """Frames a second, the nearest whole number."""
        return max(1, round(1000 / self.frame_time_ms))

    @property
    def duration(self) -> float:
        """Seconds from the beginning of the first frame to the end of the last."""
        return self.frames * self.frame_time_ms / 1000

    @property
    def lossy(self) -> tuple[LossyStep, ...]:
        """The camera's compression: three samples of a byte each, divided by what is stored."""
        ratio = self.rows * self.columns * 3 * self.frames / len(self.stream)
        return (LossyStep(ratio=ratio, method=LOSSY_METHOD),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What the child says of the film. Times are in ``unit`` seconds."""

    facts: Mapping[str, str]
    unit: Fraction
    frames: int
    span: int
    shortest: int
    longest: int
    last: int


def recognises(data: bytes) -> bool:
    """Tell whether the bytes begin as an MP4 or QuickTime film does."""
    return is_film(data[:12])


def read_film(data: bytes, *, drop_audio: bool, orienting: Orienting = Orienting.REENCODE) -> Film:
    """Read a film of H.264 in MP4 or QuickTime.

    Args:
        data: the file.
        drop_audio: leave the sound out; without it a film with sound is refused.
        orienting: KEEP leaves a film that the container turns as the sensor saw it; anything else refuses it.

    Raises:
        DicomwrapError: it can't be read, or can't stand in an object with its bits kept.
    """
    if len(data) > LARGEST:
        raise UnsupportedFilmError(
            f"The film has {len(data) >> 20} MiB; the limit is {LARGEST >> 20} MiB",
            "Cut the film into parts, or export it at 1080p or less, and wrap those files.",
        )
    if not recognises(data):
        raise NotAPhotographError("The file doesn't begin as a film does", "Give the MP4 or MOV that the camera wrote.")
    movie = read_movie(data)
    track = picture_track(movie, drop_audio=drop_audio, orienting=orienting)
    shapes = [sequence(unit) for unit in configuration(track.configuration).sequences]
    for shape in shapes:
        refuse_sequence(shape)
    stream, said = _written_anew(data, track.id)
    shape = _checked(stream, track, said, shapes[0])
    return _film(data, movie, track, stream, said, shape)


def _written_anew(data: bytes, track: int) -> tuple[bytes, _Said]:
    """Return the film in a new container, and what its frames' times are."""
    if find_spec("av") is None:
        raise UnsupportedFilmError("Films need PyAV, which is not installed", "Install consentgate[video].")
    limits = Limits(
        memory=(1 << 30) + 3 * len(data), seconds=60 + (len(data) >> 24), answer=len(data) + _INDEX + _LONGEST_ANSWER
    )
    with run_limited((sys.executable, *_CHILD, str(track)), data, limits) as (status, answer):
        end = answer.seek(0, os.SEEK_END)
        answer.seek(max(0, end - _LONGEST_ANSWER))
        line = answer.read(_LONGEST_ANSWER).rpartition(b"\n")[2]
        said = _said(line, status)
        return _bytes(answer, end - len(line) - 1), said


def _bytes(answer: IO[bytes], length: int) -> bytes:
    answer.seek(0)
    found = answer.read(length)
    if len(found) != length:
        raise DamagedFilmError("The film could not be written anew")
    return found


def _said(line: bytes, status: int) -> _Said:
    """Read the child's last line, as a stranger's word."""
    try:
        said = json.loads(line)
        if "refused" in said:
            raise _REFUSALS[said["refused"]](_sentence(said["reason"]), _sentence(said["remedy"]))
        facts = {str(key): str(text) for key, text in said["facts"].items()}
        numbers = {key: _whole(said[key]) for key in ("frames", "span", "shortest", "longest", "last")}
        return _Said(facts=facts, unit=Fraction(*map(_whole, said["unit"])), **numbers)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise DamagedFilmError(f"The film can't be read; its reader broke down (status {status})") from error


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return value


def _sentence(value: object) -> str:
    """Return a sentence that can do nothing to a terminal."""
    if not isinstance(value, str) or len(value) > _LONGEST_SENTENCE or not (value.isascii() and value.isprintable()):
        raise ValueError(value)
    return value


def _checked(stream: bytes, source: Track, said: _Said, shape: Sequence) -> Sequence:
    """Hold the new film against what may be in it; return its shape, at the highest level that it claims."""
    found = read_movie(stream)
    if hidden(stream) or len(found.tracks) != 1 or is_turned(found, found.tracks[0]):
        raise DamagedFilmError("The film could not be written anew without what it hides")
    track = found.tracks[0]
    record = configuration(track.configuration)
    if record != configuration(source.configuration) or track.samples != said.frames:
        raise DamagedFilmError("The film could not be written anew without a change")
    if source.samples > track.samples:
        raise TruncatedPhotographError("The film's picture data end too early")
    shapes = [shape, *(sequence(unit) for unit in _sequences(stream, record.prefix))]
    for each in shapes:
        refuse_sequence(each)
    if len({(each.rows, each.columns) for each in shapes}) != 1:
        raise UnsupportedFilmError("The film's size changes on the way")
    return max(shapes, key=lambda each: each.level)


def _sequences(stream: bytes, prefix: int) -> set[bytes]:
    """Return the sequence parameter sets among the frames; phones repeat them every second."""
    view = memoryview(stream)
    data = [view[box.body : box.end] for box in boxes(stream) if box.kind == b"mdat"]
    return {bytes(unit) for each in data for unit in units(each, prefix) if unit[0] & 0x1F == SEQUENCE}


def _film(data: bytes, movie: Movie, track: Track, stream: bytes, said: _Said, shape: Sequence) -> Film:
    step = _step(said)
    facts = capture_facts(said.facts)
    return Film(
        stream=stream,
        transfer_syntax=transfer_syntax(shape, float(1 / step)),
        rows=shape.rows,
        columns=shape.columns,
        frames=said.frames,
        frame_time_ms=float(1000 * step),
        facts=facts,
        sha256=hashlib.sha256(data).hexdigest(),
        warnings=(*facts.warnings, *_warnings(movie, track, said, step)),
    )


def _step(said: _Said) -> Fraction:
    """Return the seconds from one frame to the next, on average."""
    step = said.unit * (Fraction(said.span, said.frames - 1) if said.frames > 1 else said.last)
    if not Fraction(1, 100_000) < step < 100_000:
        raise DamagedFilmError("The film's frames have impossible times")
    return step


def _warnings(movie: Movie, track: Track, said: _Said, step: Fraction) -> tuple[str, ...]:
    found = []
    if has_sound(movie):
        found.append("the film's sound was left out, as asked")
    if (said.longest - said.shortest) * said.unit > _UNEVEN * step:
        slow, fast = (f"{float(1000 * said.unit * ticks):.4g}" for ticks in (said.longest, said.shortest))
        found.append(f"the film's frames last from {fast} to {slow} ms; the average is written as the frame time")
    if is_turned(movie, track):
        found.append("the camera says to turn the film; stored unturned, viewers will show it as the sensor saw it")
    return tuple(found)
