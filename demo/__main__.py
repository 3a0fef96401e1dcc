"""Entry point of bin/demo."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

from demo.journey import Journey
from demo.peers import free_ports
from demo.server import ROOT, NotStartedError, Ports, Server, default_ports


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/demo", description="Walk a photograph's first journey on a real Orthanc."
    )
    parser.add_argument("--check", action="store_true", help="unattended: stop everything, exit 1 when a step is wrong")
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO", help="your own JPEG photographs")
    return parser.parse_args()


def _walk(folder: Path, ports: Ports, photos: tuple[Path, ...]) -> tuple[Server, bool]:
    server = Server(folder=folder / "orthanc", ports=ports)
    server.start()
    work = folder / "work"
    work.mkdir(exist_ok=True)
    try:
        right = Journey(server=server, work=work, today=date.today(), photos=photos).walk()  # noqa: DTZ011 - a day
    except BaseException:
        server.stop()
        raise
    return server, right


def main() -> int:
    """Run the demonstration; return the exit status."""
    arguments = _arguments()
    missing = [str(photo) for photo in arguments.photos if not photo.is_file()]
    if missing:
        print(f"bin/demo: no such photograph: {', '.join(missing)}", file=sys.stderr)  # noqa: T201
        return 2
    ports = None if arguments.check else default_ports()
    if ports is None:
        http, dicom, camera, workstation, teaching = free_ports(5)
        ports = Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)
    keep = not arguments.check
    parent = ROOT / ".demo"
    parent.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="journey-", dir=parent))
    try:
        server, right = _walk(folder, ports, tuple(photo.resolve() for photo in arguments.photos))
    except NotStartedError as error:
        print(f"bin/demo: Orthanc did not start:\n{error}", file=sys.stderr)  # noqa: T201
        return 1
    verdict = "Every step went as it must." if right else "A step went otherwise than it must: see WRONG above."
    print(verdict)  # noqa: T201
    if not keep:
        server.stop()
        if right:
            shutil.rmtree(folder)
        return 0 if right else 1
    _stay(server)
    return 0 if right else 1


def _stay(server: Server) -> None:
    """Say where everything is; Orthanc keeps running."""
    pids = " ".join(str(process.pid) for process in (server.courier, server.process) if process)
    print(f"\nOrthanc keeps running at {server.url} (DICOM port {server.ports.dicom}, AE title CONSENTGATE).")  # noqa: T201
    for name in ("derm", "uploader", "teacher", "admin", "epr", "governance"):
        print(f"  user {name:10} password {server.passwords[name]}")  # noqa: T201
    print(f"Configuration, registry and trail: {server.folder}\nStop it and the courier with: kill {pids}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
