"""Our command line for tests that give many commands: a fresh process each, forked from one that has its imports done.

A command's own work takes a tenth of a second, its imports one. The program is what users run: its entry point, with
arguments, environment, folder, descriptors and exit status of its own. The installed script, with imports and all, is
run by the demonstration, by the couriers and watchdogs of the tests, and by the tests of starting.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).parent / "consentgate")
SECONDS = 120
LARGEST = 1 << 20  # bytes of a request: arguments, and an environment
READY = b"ready"


@cache
def _forge() -> Path:
    """Return the socket of this process's own forge: started by the first command, ended with the process."""
    folder = tempfile.TemporaryDirectory(prefix="consentgate-forge-")
    listening = Path(folder.name) / "socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.commands", str(listening)],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # its end is the forge's end, however this process ends
        stdout=subprocess.PIPE,
    )

    def end() -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(SECONDS)
        folder.cleanup()

    atexit.register(end)
    assert process.stdout is not None
    assert process.stdout.read(len(READY)) == READY
    return listening


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of ``consentgate`` to its end, as ``demo.server.run_program`` does."""
    program, *arguments = command
    assert program == PROGRAM, program
    asked = json.dumps({"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}).encode()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(SECONDS)
            line.connect(str(_forge()))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
            socket.send_fds(line, [asked], [out.fileno(), err.fileno()])
            status = int(line.recv(16) or b"-9")
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(list(command), status, *said)


def checked(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed."""
    done = run(command)
    assert done.returncode == 0, done.stderr
    return done


def _in_child(work: Callable[[], int]) -> int:
    """Do ``work`` in a child; return the child's id."""
    if child := os.fork():
        return child
    status = 70  # EX_SOFTWARE of sysexits.h
    try:
        status = work()
    finally:
        os._exit(status)


def _command(arguments: list[str]) -> int:
    """Run the entry point, and end as an interpreter ends; return the exit status."""
    from orthanc_plugin.cli.main import main  # the forge's, not the tests'

    sys.argv = [PROGRAM, *arguments]
    status = 0
    try:
        main(prog_name=Path(PROGRAM).name)
    except SystemExit as ended:
        status = int(ended.code or 0)  # click's, always a number
    except BaseException:  # noqa: BLE001 - the interpreter's own last resort
        traceback.print_exc()
        status = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


def _serve(line: socket.socket) -> int:
    """Answer one request: run its command in a process of its own, and say how that ended."""
    asked, descriptors, _, _ = socket.recv_fds(line, LARGEST, 2)
    request = json.loads(asked)

    def work() -> int:
        line.close()
        for at, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), *descriptors)):
            os.dup2(descriptor, at)
        os.closerange(3, 256)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        return _command(request["arguments"])

    _, ended = os.waitpid(_in_child(work), 0)
    line.sendall(str(os.waitstatus_to_exitcode(ended)).encode())
    return 0


def _main(listening: str) -> NoReturn:
    """Import everything, then fork for whoever asks, until the tests are gone."""
    table = import_module("orthanc_plugin.cli.main").COMMANDS
    for module, _ in table.values():
        import_module(module)
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(listening)
        door.listen()
        os.write(1, READY)
        keepers: set[int] = set()
        while True:
            ready, _, _ = select.select([door.fileno(), 0], [], [], 1)
            keepers -= {each for each in keepers if os.waitpid(each, os.WNOHANG)[0]}
            if 0 in ready:
                shutil.rmtree(Path(listening).parent, ignore_errors=True)  # whoever was killed can't
                sys.exit(0)
            if door.fileno() in ready:
                line, _ = door.accept()
                with line:
                    keepers.add(_in_child(lambda line=line: _serve(line)))  # type: ignore[misc]


if __name__ == "__main__":
    _main(sys.argv[1])
