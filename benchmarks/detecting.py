"""How long proposals take, against decoding the photograph: the looking child alone, and each detector in it.

Run as ``python -m benchmarks.detecting [--rounds N]``; prints the table of docs/performance.md. Needs the extras
``face`` and ``text``. Arms take turns in every round; a ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pydicom
from pydicom.pixels.utils import pixel_array

from benchmarks.redaction import SIZE, Arm, rows
from benchmarks.wrapping import photograph
from dicomwrap.bitstream.clean import cleaned
from orthanc_plugin.deid.detectors import DETECTORS, Detector
from orthanc_plugin.deid.proposals import Outcome, asked
from tests.fakes.pictures import encoded
from tests.fakes.pictures import photograph as wrapped

QUALITY: Final = 80
NOBODY: Final = replace(DETECTORS["face"], finder="tests.fakes.finders:bright")


def main() -> None:
    """Measure, and print the table."""
    warnings.simplefilter("ignore", UserWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    for line in table(parser.parse_args().rounds):
        sys.stdout.write(line + "\n")


def table(rounds: int, size: tuple[int, int] = SIZE) -> Iterator[str]:
    """Yield the lines of the table."""
    content = encoded(wrapped(data=cleaned(photograph(*size, QUALITY))))
    arms: dict[str, Arm] = {
        "decoded by pydicom and Pillow": lambda: pixel_array(pydicom.dcmread(io.BytesIO(content))),
        "a child starts, decodes, and looks for bright places": lambda: _look(NOBODY, content),
        "a child looks for faces": lambda: _look(DETECTORS["face"], content),
        "a child looks for lettering": lambda: _look(DETECTORS["text"], content),
    }
    yield "| proposals for 12 MP | ms | ms of processor | ratio | limit |"
    yield "|---|---|---|---|---|"
    yield from rows(arms, rounds, {})


def _look(detector: Detector, content: bytes) -> None:
    finding = asked(detector, content)
    if finding.outcome is Outcome.NOT_CHECKED:
        raise SystemExit(finding.reason)


if __name__ == "__main__":
    main()
