"""Work that several processes share ends with whoever began it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.peers import wait_until
from dicomwrap.cli.jobs import each

SECONDS = 20.0
SLOW = """
import os, time
from dicomwrap.cli.jobs import each

def work(task):
    print(os.getpid(), flush=True)
    time.sleep(600)

list(each(work, list(range(4)), 2))
"""


def runs(pid: int) -> bool:
    """Tell whether a process still does anything; one that has ended may wait for somebody to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_their_tasks(jobs: int) -> None:
    assert list(each(str, list(range(50)), jobs)) == [str(number) for number in range(50)]


def test_when_a_run_is_killed_its_processes_end_too() -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(runs, children))
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_until(lambda: not any(map(runs, children)), SECONDS)
