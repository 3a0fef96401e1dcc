"""Which films can stand in an object.

Knows what PS3.5 sections 8.2.7 and 8.2.8 and the Video Photographic Image ask of H.264 and of its container, and what
each film that can't be kept must be exported as. Must not know how a film is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicomwrap.bitstream.h264sequence import Sequence
from dicomwrap.errors import DamagedFilmError, NotAPhotographError, UnsupportedFilmError
from dicomwrap.photograph import Orienting
from dicomwrap.source.isobmff import UPRIGHT, Movie, Track

LARGEST: Final = 1 << 30
MOST_SIDE: Final = 4096  # of the levels that DICOM knows (H.264 table A-1: 256 macroblocks)
H264: Final = b"avc1"
_PICTURES: Final = b"vide"
_SOUND: Final = b"soun"
_ENCRYPTED: Final = frozenset({b"encv", b"drmi"})
_CODINGS: Final = {
    b"avc2": "a second form of H.264", b"avc3": "a second form of H.264", b"avc4": "a second form of H.264",
    b"hvc1": "HEVC (H.265)", b"hev1": "HEVC (H.265)", b"dvh1": "HEVC (H.265)", b"dvhe": "HEVC (H.265)",
    b"jpeg": "Motion JPEG", b"mjpa": "Motion JPEG", b"mjpb": "Motion JPEG", b"av01": "AV1", b"vp08": "VP8",
    b"vp09": "VP9", b"mp4v": "MPEG-4 part 2 or older", b"s263": "H.263", b"apch": "ProRes", b"apcn": "ProRes",
    b"apcs": "ProRes", b"apco": "ProRes", b"ap4h": "ProRes", b"ap4x": "ProRes",
}  # fmt: skip
_HEVC: Final = "Set the camera to 'Most compatible' (H.264), or export the film as MP4 with H.264, and wrap that file."
_DEINTERLACED: Final = "Export the film deinterlaced, as MP4 with H.264 at 1080p or less, and wrap that file."
_BASELINE, _MAIN, _HIGH = 66, 77, 100
_PROFILES: Final = {_BASELINE: "Baseline", 88: "Extended", 110: "High 10", 122: "High 4:2:2", 244: "High 4:4:4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of H.264 that DICOM has a transfer syntax for (H.264 table A-1).

    Attributes:
        level: level_idc.
        frame: macroblocks of a frame, at most.
        second: macroblocks of a second, at most.
        transfer_syntax: the transfer syntax (PS3.6 table A-1).
    """

    level: int
    frame: int
    second: int
    transfer_syntax: str


LEVELS: Final = (
    Level(level=41, frame=8_192, second=245_760, transfer_syntax="1.2.840.10008.1.2.4.102"),
    Level(level=42, frame=8_704, second=522_240, transfer_syntax="1.2.840.10008.1.2.4.104"),
)


def picture_track(movie: Movie, *, drop_audio: bool, orienting: Orienting) -> Track:
    """Return the one track that is wrapped.

    Raises:
        DicomwrapError: there is none, there are several, or it can't stand in an object.
    """
    tracks = [track for track in movie.tracks if track.handler == _PICTURES]
    if not tracks:
        raise NotAPhotographError("The file is a film without pictures", "Give the file that the camera wrote.")
    if len(tracks) > 1:
        raise UnsupportedFilmError(f"The film has {len(tracks)} picture tracks")
    _refuse_coding(tracks[0])
    _refuse_arrangement(tracks[0])
    if has_sound(movie) and not drop_audio:
        raise UnsupportedFilmError(
            "The film has sound; what is said in it can name the patient and others",
            "Wrap it with --drop-audio, which leaves the sound out, or export the film without sound.",
        )
    if is_turned(movie, tracks[0]) and orienting is not Orienting.KEEP:
        raise UnsupportedFilmError(
            "The camera says to turn or mirror the film, and DICOM has no place for that",
            "Export the film upright as MP4 with H.264 and wrap that file, or allow --orientation keep (not turned).",
        )
    return tracks[0]


def has_sound(movie: Movie) -> bool:
    """Tell whether a film has a sound track."""
    return any(track.handler == _SOUND for track in movie.tracks)


def is_turned(movie: Movie, track: Track) -> bool:
    """Tell whether the container asks players to turn, mirror or scale the picture."""
    return movie.matrix != UPRIGHT or track.matrix != UPRIGHT


def _refuse_coding(track: Track) -> None:
    if _ENCRYPTED.intersection(track.codings):
        raise UnsupportedFilmError("The film is encrypted", "Export it without protection and wrap that file.")
    if len(set(track.codings)) != 1 or len(track.codings) != 1:
        raise UnsupportedFilmError("The film's coding changes on the way, or isn't told")
    if track.codings[0] != H264:
        name = _CODINGS.get(track.codings[0], "a coding that DICOM doesn't know")
        raise UnsupportedFilmError(f"The film is coded in {name}, not in H.264", _HEVC if "HEVC" in name else None)


def _refuse_arrangement(track: Track) -> None:
    shown = [edit for edit in track.edits if not edit.empty]
    if len(shown) > 1 or not all(edit.plain for edit in shown):
        raise UnsupportedFilmError("The film's edit list reorders, repeats or slows what was recorded")
    if track.elsewhere:
        raise UnsupportedFilmError("The film's picture lies in another file")
    if track.cropped:
        raise UnsupportedFilmError("The film's container cuts a margin off the picture")
    if not track.square:
        raise UnsupportedFilmError("The film's pixels aren't square")


def refuse_sequence(shape: Sequence) -> None:
    """Refuse a stream that the transfer syntaxes for H.264 can't carry (PS3.5 section 8.2.7).

    A Main stream, and a Baseline one that is constrained to it, is what every High decoder decodes (H.264 section
    A.2.4).

    Raises:
        DicomwrapError: it is one.
    """
    if shape.profile not in (_MAIN, _HIGH) and not (shape.profile == _BASELINE and shape.constrained):
        name = _PROFILES.get(shape.profile, f"number {shape.profile}")
        raise UnsupportedFilmError(f"The film's H.264 profile is {name}, which DICOM doesn't know")
    if (shape.chroma, shape.depth) != (1, 8):
        raise UnsupportedFilmError("The film's colours aren't 4:2:0 with 8 bits")
    if not shape.progressive:
        raise UnsupportedFilmError("The film is, or may be, interlaced", _DEINTERLACED)
    if not shape.square:
        raise UnsupportedFilmError("The film's pixels aren't square")
    if min(shape.rows, shape.columns) < 1:
        raise DamagedFilmError("The film's picture has no size")


def transfer_syntax(shape: Sequence, rate: float) -> str:
    """Return the transfer syntax for a stream: that of the lowest level that it claims and keeps.

    Raises:
        UnsupportedFilmError: it claims or needs a higher level than DICOM knows.
    """
    macroblocks, wide = shape.macroblocks
    for level in LEVELS:
        fits = macroblocks <= level.frame and macroblocks * rate <= level.second
        if shape.level <= level.level and fits and 16 * wide <= MOST_SIDE:
            return level.transfer_syntax
    raise UnsupportedFilmError(
        f"The film is H.264 of level {shape.level / 10:.1f}, {shape.columns} by {shape.rows} pixels with {rate:.4g} "
        "frames a second; DICOM ends at level 4.2 (1080p with 60 frames)",
        "Export the film as MP4 with H.264 at 1080p with at most 60 frames a second, and wrap that file.",
    )
