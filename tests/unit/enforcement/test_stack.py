"""What Consentgate does on Orthanc's own HTTP threads fits into 64 KiB of stack, where they have 100.

That is: who asks for what is found out, our own requests and the guard's health are answered, and the entry of a permit
that stands is written. Whatever else reads or writes the registry is done on threads of our own. A thread that needs
more than it has ends the whole process, so this has one of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.unit.enforcement.test_http import basic

KIB: Final = 1024
STACK: Final = 64 * KIB
MANY: Final = 200  # more headers than civetweb takes, and each as long as it takes all of them together
LONG: Final = 16 * KIB
INSTANCE: Final = "-".join(["0123abcd"] * 5)
PICTURE: Final = f"/instances/{INSTANCE}/file"
PATHS: Final = (
    PICTURE,
    f"/dicom-web/studies/{'1.2' * 21}/series/{'1.2' * 21}/instances/{'1.2' * 21}",
    "/instances/" + "a" * LONG,
    "/instances/" + "a/" * (LONG // 2),
    "/dicom-web/studies/" + "1." * (LONG // 2),
    f"/instances/{INSTANCE}/content/" + "0008-0005/0/" * (LONG // 12),
    "/consentgate/health",
    "/",
)
ACCOUNTS: Final = ("Basic " + "A" * LONG, "Bearer " + "A" * LONG, "Basic !", "", basic("consentgate"), basic("derm"))
METHODS: Final = (1, 2, 3, 4)
THREADS, OFTEN = 4, 400
CLAIMS: Final = 4  # of somebody else's name, or our own secret
ASK: Final = """
import json, sys, tempfile, threading
from pathlib import Path

from orthanc_plugin.archive.remote import SECRET_HEADER
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.enforcement.threadstates import keeping
from tests.fakes.world import make_world
from tests.unit.enforcement.test_http import INTERNAL

asked, stack, headers, deep = json.load(sys.stdin)
world = make_world(Path(tempfile.mkdtemp()))
worker = world.worker()
hook = keeping(Senders().noted(world.services, HttpFilter(world.services, INTERNAL, worker).hook))
sent = {f"X-Header-{number}-" + "N" * 200: "v" * 200 for number in range(headers)}
sent |= {"x-purpose-of-use": "DIRECT_CARE", "accept": "a" * 16384}
arguments = {f"name{number}": "b" * 200 for number in range(headers)}
answers = []

def sink(left):
    return sorted([left, 0], key=lambda each: sink(left - 1) if left and each else 0)

def ask():
    claims = ({}, {"x-remote-user": "u" * 16384}, {SECRET_HEADER: "s" * 16384}, {SECRET_HEADER: INTERNAL.secret})
    for uri, account, method in asked:
        for claim in claims:
            said = {**sent, **claim, "authorization": account}
            answers.append(hook(uri, method=method, ip="127.0.0.1", headers=said, get=arguments))
    if deep:
        sink(900)

threading.stack_size(stack)
thread = threading.Thread(target=ask)
thread.start()
thread.join()
world.close()
print(len(answers), sum(each is True for each in answers), sum(each is False for each in answers))
"""

AGAIN: Final = """
import json, sys, tempfile, threading
from pathlib import Path

from tests.fakes.pictures import CARE
from tests.fakes.world import make_world
from tests.unit.enforcement.test_again import ADDRESS, HEADERS, SERIES, Viewer

stack, threads, often = json.load(sys.stdin)
world = make_world(Path(tempfile.mkdtemp()))
rows = [world.file(CARE, uid=uid) for uid in SERIES]
viewer = Viewer(world)
for row in rows[:2]:
    viewer.ask(row)
answers, led = [], viewer.worker.led

def ask(number):
    uri = f"/instances/{rows[2 + number % 6].orthanc_instance}/file"
    answers.append(viewer.filter.hook(uri, method=1, ip=ADDRESS, headers=dict(HEADERS), get={}))

def asks():
    for number in range(often):
        ask(number)

def each(work):
    asking = [threading.Thread(target=work) for _ in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()

threading.stack_size(stack)
each(asks)
alone = viewer.worker.led == led
world.stop_the_trail()
each(lambda: ask(0))
world.close()
print(len(answers), sum(answer is True for answer in answers), alone)
"""


def told(asked: list[tuple[str, str, int]], *, stack: int = STACK, deep: bool = False) -> tuple[int, str]:
    """Return how the process ended, and how many were answered, by yes and by no."""
    given = json.dumps([asked, stack, MANY, deep])
    done = subprocess.run([sys.executable, "-c", ASK], input=given, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def test_who_asks_for_what_is_found_out_on_64_kib() -> None:
    asked = [(path, account, method) for path in PATHS for account in ACCOUNTS for method in METHODS]
    ended, counts = told(asked)
    answered, yes, no = (int(each) for each in counts.split())
    assert (ended, answered, yes + no) == (0, len(asked) * CLAIMS, len(asked) * CLAIMS)
    assert yes > 0  # our own, for the picture


def test_the_entry_of_a_permit_that_stands_is_written_on_64_kib() -> None:
    """So often that SQLite moves its log into the file in between, and at the end to a disk that is full."""
    given = json.dumps([STACK, THREADS, OFTEN])
    done = subprocess.run([sys.executable, "-c", AGAIN], input=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [str(THREADS * (OFTEN + 1)), str(THREADS * OFTEN), "True"])


def test_a_thread_that_needs_more_than_it_has_ends_the_process() -> None:
    """So the test above could fail: the same, and then something that recurses."""
    ended, counts = told([(PICTURE, ACCOUNTS[0], METHODS[0])], deep=True)
    assert (ended < 0, counts) == (True, "")
