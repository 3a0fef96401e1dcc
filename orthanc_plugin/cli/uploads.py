"""``consentgate uploads``: run the upload guard, which looks into uploads by HTTP before Orthanc does."""

from __future__ import annotations

import signal
import threading

import click

from orthanc_plugin.cli.common import services, told
from orthanc_plugin.enforcement.uploads import MIB, UploadServer


@click.command()
@click.option("--listen", default="127.0.0.1:8045", show_default=True, help="HOST:PORT to listen on.")
@click.option("--most-mib", default=256, show_default=True, type=click.IntRange(1, 4096), help="Largest body taken.")
@told
def uploads(listen: str, most_mib: int) -> None:
    """Take uploads by HTTP, refuse what would end Orthanc, and pass the rest on; runs until it is stopped."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise click.UsageError("--listen is HOST:PORT, such as 127.0.0.1:8045.")
    with UploadServer(services(), (host, int(port)), most_mib * MIB) as server:
        for stopping in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stopping, lambda *_: threading.Thread(target=server.shutdown).start())
        click.echo(f"The upload guard listens on {listen}.")
        server.serve_forever()
