"""The peers' side of ``benchmarks.deidentifying``: runs in an environment of their own, which has nothing of ours.

For each line of standard input, the JSON list of peer, input and output, it has the peer anonymise the file as its own
documentation says, and answers with the seconds that took, by the clock and of the processor. Imports and start-up are
not in them.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

Peer = Callable[[str, str], None]


def dcmanon() -> Peer:
    """Return dcmanon's (Rust)."""
    from dcmanon import Anonymizer

    anonymizer = Anonymizer()
    return lambda given, made: void(Path(made).write_bytes(anonymizer.anonymize(given)))


def dicognito() -> Peer:
    """Return dicognito's."""
    import pydicom
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="benchmark")

    def run(given: str, made: str) -> None:
        with pydicom.dcmread(given) as dataset:
            anonymizer.anonymize(dataset)
            dataset.save_as(made)

    return run


def dicom_anonymizer() -> Peer:
    """Return Kitware's."""
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file

    return anonymize_dicom_file


def deid() -> Peer:
    """Return pydicom's, with its default recipe."""
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers

    recipe = DeidRecipe()

    def run(given: str, made: str) -> None:
        with tempfile.TemporaryDirectory(dir=Path(made).parent) as folder:
            done = replace_identifiers(dicom_files=[given], deid=recipe, save=True, output_folder=folder)
            shutil.move(done[0], made)

    return run


def void(_: object) -> None:
    """Return nothing."""


PEERS: dict[str, Callable[[], Peer]] = {
    "dcmanon": dcmanon, "dicognito": dicognito, "dicom-anonymizer": dicom_anonymizer, "deid": deid,
}  # fmt: skip


def main() -> None:
    """Answer line by line; the answers go to the first standard output, what peers print to standard error."""
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr
    ready = {name: make() for name, make in PEERS.items()}
    for line in sys.stdin:
        name, given, made = json.loads(line)
        begun, used = time.perf_counter(), time.process_time()
        ready[name](given, made)
        answers.write(f"[{time.perf_counter() - begun}, {time.process_time() - used}]\n")
        answers.flush()


if __name__ == "__main__":
    main()
