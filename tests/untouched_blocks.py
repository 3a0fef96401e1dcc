"""Blank a third of every JPEG of a folder and have another reader say that no block outside changed.

Run as ``python -m tests.untouched_blocks FOLDER``; tells what was found of each photograph. The exit code is 1 when a
block outside a region changed, or one inside wasn't blanked. Not part of the suite: the photographs are people's.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from dicomwrap.bitstream.verify import frames
from dicomwrap.errors import DicomwrapError
from orthanc_plugin.deid.regions import Region, redacted
from orthanc_plugin.errors import DeidentificationError
from tests.unit.deid.blocks import Blocks, compared
from tests.unit.dicomwrap.objects import wrapped

BEGINNINGS = (b"\xff\xd8\xff",)


def main() -> None:
    """Go through the folder."""
    warnings.simplefilter("ignore", UserWarning)
    totals, refused = [], 0
    for path in sorted(Path(sys.argv[1]).rglob("*")):
        if not path.is_file() or not path.read_bytes().startswith(BEGINNINGS):
            continue
        try:
            found = blanked(path.read_bytes())
        except (DicomwrapError, DeidentificationError) as error:
            refused += 1
            print(f"refused\t{path.name}\t{error}")  # noqa: T201
            continue
        totals.append(found)
        print(f"{'CHANGED' if found.changed or found.drawn else 'same'}\t{path.name}\t{found}")  # noqa: T201
    whole = Blocks(*(sum(column) for column in zip(*totals, strict=True)))
    print(f"{len(totals)} photographs, {refused} refused, {whole}")  # noqa: T201
    sys.exit(1 if whole.changed or whole.drawn else 0)


def blanked(photograph: bytes) -> Blocks:
    """Wrap a photograph, blank the middle third of it each way, and compare."""
    dataset = wrapped(photograph)
    (before,) = frames(dataset)
    box = (int(dataset.Columns) // 3, int(dataset.Rows) // 3, -(-int(dataset.Columns) // 3), -(-int(dataset.Rows) // 3))
    redacted(dataset, [Region.rectangle(*box)])
    return compared(before, frames(dataset)[0], [box])


if __name__ == "__main__":
    main()
