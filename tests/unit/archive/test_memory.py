"""Memory is kept for the next picture, unless somebody has said otherwise or the C library can't."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from orthanc_plugin.archive.memory import KEPT, LARGEST, OPTIONS, keep

PICTURE = 5 << 20
ROUNDS = 50
# Counts the pages that the system has to find while buffers of a picture's size come and go.
FAULTS = f"""
import os, resource, sys
from orthanc_plugin.archive.memory import keep
if sys.argv[1] == "keep":
    assert keep({{}})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ROUNDS}):
    buffers = [bytearray({PICTURE}) for _ in range(2)]
    for each in buffers:
        each[::4096] = b"x" * len(each[::4096])
    del buffers, each
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_it_asks_for_buffers_of_a_picture_s_size_to_be_kept() -> None:
    asked: list[tuple[int, int]] = []

    def note(option: int, value: int) -> int:
        asked.append((option, value))
        return 1

    assert keep({}, note)
    assert asked == list(OPTIONS) == [(-3, LARGEST), (-1, KEPT)]


@pytest.mark.parametrize("refused", [-1, -3])
def test_an_allocator_that_won_t_is_told(refused: int) -> None:
    assert not keep({}, lambda option, _: int(option != refused))


@pytest.mark.parametrize(
    ("environment", "kept"),
    [
        ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False),
        ({"MALLOC_MMAP_THRESHOLD_": "131072"}, False),
        ({"MALLOC_TOP_PAD_": "0"}, False),
        ({"GLIBC_TUNABLES": "glibc.elision.enable=1:glibc.malloc.trim_threshold=1"}, False),
        ({"GLIBC_TUNABLES": "glibc.elision.enable=1"}, True),
        ({"PATH": "/usr/bin"}, True),
    ],
)
def test_whoever_has_set_it_outside_is_obeyed(environment: dict[str, str], kept: bool) -> None:
    asked: list[int] = []

    def note(option: int, _value: int) -> int:
        asked.append(option)
        return 1

    assert keep(environment, note) is kept
    assert bool(asked) is kept


def faults(how: str) -> int:
    environment = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    command = [sys.executable, "-c", textwrap.dedent(FAULTS), how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def test_the_same_pages_serve_picture_after_picture() -> None:
    """Of what a process asks for without it, next to nothing."""
    assert faults("keep") * 10 < faults("leave")
