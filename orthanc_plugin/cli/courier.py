"""``consentgate courier``: send what waits in the outbox; runs until it is stopped."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from threading import Event
from typing import Final

import click

from orthanc_plugin.archive import memory
from orthanc_plugin.cli.common import LONGEST_NAME, json_option, services, told
from orthanc_plugin.sending.courier import Turn
from orthanc_plugin.sending.post import Post
from orthanc_plugin.sending.sidebyside import side_by_side

# How long one thread may compute while others wait for the interpreter. With Python's own 5 ms the thread that
# sends, which waits for the network a dozen times a picture, would each time wait for the one that makes ready.
SWITCH_SECONDS: Final = 0.0005
MOST_WORKERS: Final = 16


class StderrLog(logging.Handler):
    """Writes warnings to stderr; of an exception its kind, never its text, which could carry an identifier."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        click.echo(f"consentgate courier: {record.getMessage()}" + (f" ({kind})" if kind else ""), err=True)


@click.command()
@click.option("--once", is_flag=True, help="Send what is due now, then end.")
@click.option(
    "--name", help="Name of this courier, which the queue shows first; the host's and the process's unless given."
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="How many processes send side by side; a recipient gets an association or connection from each.",
)
@json_option
@told
def courier(*, once: bool, name: str | None, workers: int, as_json: bool) -> None:
    """Send what routes have queued, each picture decided on at the moment of sending; runs until it is stopped.

    It waits while Orthanc is away or its doors are shut. Several may run, on one node or on several.
    """
    logging.getLogger("orthanc_plugin").addHandler(StderrLog(logging.WARNING))
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # its warnings quote values of elements,
    warnings.filterwarnings("ignore", module="pydicom")  # by either way
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    stop = Event()
    number = side_by_side(workers, stop.set)
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, lambda *_: stop.set())
    sys.setswitchinterval(SWITCH_SECONDS)
    memory.keep(os.environ)
    chosen = (name or f"{socket.gethostname()}-{os.getpid()}") + (f"-{number}" if name and number else "")
    Post(services, chosen[-LONGEST_NAME:], _teller(as_json=as_json), stop).work(once=once)


def _teller(*, as_json: bool) -> Callable[[Turn], None]:
    """Return what tells of each turn on a line, at once: whoever reads along is mostly a log."""

    def tell(turn: Turn) -> None:
        words = (
            f"{turn.route} to {turn.recipient}: {turn.pictures} picture(s), {turn.delivered} delivered,"
            f" {turn.refused} refused, {turn.waiting} waiting"
        )
        click.echo(json.dumps(asdict(turn)) if as_json else words)
        sys.stdout.flush()

    return tell
