"""``consentgate watch``: the watchdog outside Orthanc, which shuts the ports off when nobody guards them.

Knows how to stop Orthanc. What a guarded one looks like is in ``archive.sighting``.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from orthanc_plugin.archive.sighting import Lookout, Sight, State
from orthanc_plugin.clock import Ticks, elapsed
from orthanc_plugin.config.settings import load_settings
from orthanc_plugin.errors import ConsentgateError

SERVICE: Final = "consentgate-orthanc.service"
SECONDS_BETWEEN_LOOKS: Final = 1.0
LOOKS_TO_STOP: Final = 50
NOT_CHECKED: Final = 2
UNGUARDED: Final = 3
NOTHING: Final = 4
SILENT: Final = 5
STATUSES: Final = {State.GUARDED: 0, State.UNGUARDED: UNGUARDED, State.NOTHING: NOTHING, State.SILENT: SILENT}
Stop = Callable[[], None]


class Patience:
    """Ends when Orthanc has been unguarded for some time without a break: a restart passes through such moments.

    A silent one is given longer, and has not been unguarded meanwhile.
    """

    def __init__(self, seconds: float, silence: float) -> None:
        self.most = {State.UNGUARDED: seconds, State.SILENT: max(seconds, silence)}
        self.since: dict[State, float] = {}

    def has_ended(self, sight: Sight, begun: float, ended: float) -> bool:
        """Tell whether it has ended with this look, which lasted from ``begun`` to ``ended``, in ticks."""
        if sight.state not in self.most:
            self.since.clear()
            return False
        self.since.setdefault(State.SILENT, begun)  # who is unguarded is no better than silent
        return ended - self.since.setdefault(sight.state, begun) >= self.most[sight.state]


def by_command(command: str) -> Stop:
    """Return what stops Orthanc by ``command``; one that fails is told, and tried again at the next look."""

    def stop() -> None:
        try:
            done = subprocess.run(shlex.split(command), check=False, capture_output=True, text=True)  # noqa: S603 - said
        except (OSError, ValueError, IndexError) as error:
            _say(f"the stop command can't be run ({type(error).__name__})")
            return
        if done.returncode != 0:
            _say(f"the stop command failed with status {done.returncode}: {done.stderr.strip()[:200]}")

    return stop


def _by_pid(pid: Callable[[], int | None]) -> Stop:
    """Return what ends the process, at once when it doesn't listen: one that hangs never would."""

    def stop() -> None:
        process = pid()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process is None or not _is_orthanc(process):
                return
            os.kill(process, number)
            _wait_for_end(process)

    return stop


def _is_orthanc(pid: int) -> bool:
    """Tell whether the process is an Orthanc that runs; the number may be another's by now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "Name:\tOrthanc\n" in status and "State:\tZ" not in status


def _wait_for_end(pid: int) -> None:
    for _ in range(LOOKS_TO_STOP):
        if not _is_orthanc(pid):
            return
        time.sleep(SECONDS_BETWEEN_LOOKS / 10)


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):
        return None


def _say(words: str) -> None:
    click.echo(f"consentgate watch: {words}", err=True)


def watched(lookout: Lookout, stop: Stop, patience: Patience, ticks: Ticks) -> None:
    """Look, until Orthanc had to be stopped and nothing listens any more.

    Raises:
        ArchiveError: nothing can be told.
    """
    before, stopped = "", False
    while True:
        begun = ticks()
        sight = lookout.look()
        if stopped and sight.state is State.NOTHING:
            _say("Orthanc was stopped; nothing listens any more")
            return
        if sight.words != before:
            before = sight.words
            _say(f"NOT GUARDED: {before}" if sight.state is State.UNGUARDED else before)
        if patience.has_ended(sight, begun, ticks()):
            _say(f"stopping Orthanc: {sight.words}")
            stop()
            stopped = True
        time.sleep(SECONDS_BETWEEN_LOOKS)


@click.command()
@click.option(
    "--once",
    is_flag=True,
    help="Look once, stop nothing: status 0 guarded, 3 not guarded, 4 nothing there, 5 guarded and answers nobody.",
)
@click.option(
    "--patience", default=10.0, show_default=True, help="Seconds that it may be unguarded before it is stopped."
)
@click.option(
    "--silence",
    default=120.0,
    show_default=True,
    help="The same, for a guarded one that answers nobody: busy, or hung.",
)
@click.option("--stop-command", default=f"systemctl stop {SERVICE}", show_default=True, help="Command that stops it.")
@click.option("--pid", type=int, help="End this process instead.")
@click.option(
    "--pid-file", type=click.Path(path_type=Path), help="End the process whose number is in this file instead."
)
@click.option("--dicom-port", type=int, help="Look whether this DICOM port is open, too.")
def watch(
    *,
    once: bool,
    patience: float,
    silence: float,
    stop_command: str,
    pid: int | None,
    pid_file: Path | None,
    dicom_port: int | None,
) -> None:
    """Watch the Orthanc of settings.toml, and stop it when it runs unguarded or its policy threads are dead.

    Shut doors are no reason: nothing leaves by them. Exit status 3 once it was stopped, 2 when it can't be watched.
    """
    path = click.get_current_context().find_root().params.get("settings")
    try:
        settings = load_settings(Path(path or "settings.toml"), os.environ)
        lookout = Lookout(
            url=settings.orthanc.url,
            boot_file=settings.path(settings.orthanc.boot_secret),
            user=settings.orthanc.user,
            seconds=max(1.0, min(patience, 5.0)),
            dicom_port=dicom_port,
        )
        if once:
            sight = lookout.look()
            _say(sight.words)
            sys.exit(STATUSES[sight.state])
        watched(lookout, _chosen(stop_command, pid, pid_file), Patience(patience, silence), elapsed)
    except ConsentgateError as error:
        _say(str(error))
        sys.exit(NOT_CHECKED)
    sys.exit(UNGUARDED)


def _chosen(command: str, pid: int | None, pid_file: Path | None) -> Stop:
    if pid_file is not None:
        return _by_pid(lambda: _read_pid(pid_file))
    return by_command(command) if pid is None else _by_pid(lambda: pid)
