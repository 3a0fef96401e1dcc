"""Kill couriers, Orthancs and PostgreSQL (SIGKILL) at random moments for many rounds, then compare who holds what.

``python -m tests.endurance --rounds 100`` takes about half an hour and is not part of CI. A seed gives the same order
of kills and withdrawals again; the moments are as random as the machine. ``--skew SECONDS`` has the second courier's
clock ahead (needs Debian's faketime: apt-get install faketime).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.endurance.checks import faults
from tests.endurance.people import Case
from tests.endurance.rounds import play, settle
from tests.endurance.scene import Scene, scene

COMPARED_EVERY = 10


def main() -> int:
    """Play the rounds; return 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--skew", type=int, default=0, help="seconds")
    parser.add_argument("--folder", type=Path, help="where everything is kept; a temporary one unless given")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 - moments, no secrets
    with tempfile.TemporaryDirectory(prefix="consentgate-endurance-") as temporary:
        return endure(asked.folder or Path(temporary), asked.rounds, chance, asked.skew)


def endure(folder: Path, rounds: int, chance: random.Random, skew: int = 0) -> int:
    """Play so many rounds in ``folder``, and compare every few."""
    cases: list[Case] = []
    began = time.monotonic()
    work = folder / "work"
    work.mkdir(parents=True)
    with scene(folder, skew=skew) as running:
        for number in range(1, rounds + 1):
            said = play(running, cases, number, work, chance)
            _say(f"{time.monotonic() - began:6.0f} s  round {number}: {said}")
            if (number % COMPARED_EVERY == 0 or number == rounds) and _compared(running, cases):
                return 1
    return 0


def _compared(running: Scene, cases: Sequence[Case]) -> bool:
    """Wait until everything has settled, compare, and say what came of it; tell whether anything is wrong."""
    found = [*settle(running, cases), *faults(running, cases)]
    pictures = sum(len(case.files) for case in cases)
    withdrawn = sum(case.withdrawn is not None for case in cases)
    _say(f"          {pictures} photographs of {len(cases)} patients, of whom {withdrawn} have withdrawn:")
    for each in found or ["everything is where it must be"]:
        _say(f"          {each}")
    return bool(found)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
