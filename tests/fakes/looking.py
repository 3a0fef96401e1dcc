"""A world whose pictures reviewers can be shown: its archive answers over loopback HTTP, as a running Orthanc does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.policy.reviewing import CHECKLIST, Outline, Review, Shown
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import UID
from tests.fakes.world import POLICY, SETTINGS, World, make_world

REVIEWERS = """
[[users]]
name = "looker"
roles = ["review"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "second-looker"
roles = ["review"]
may_view_intimate = true
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "teacher-at-desk"
person = "A Teacher"
roles = ["review"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
LOOKING = POLICY.replace('name = "teacher"', 'name = "teacher"\nperson = "a  teacher"') + REVIEWERS
LOOKING += '[review]\ndetectors = ["nobody"]\n'
NOTHING = dict.fromkeys(CHECKLIST, Shown.NOT_SHOWN)


def _handler(archive: ArchiveSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = archive.objects.get(self.path.split("/")[2], b"")
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def looking(folder: Path, policy: str = LOOKING) -> Iterator[World]:
    """Give the world; what is in its archive is read over HTTP."""
    archive = ArchiveSimulator()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(archive))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings = f'{SETTINGS}[orthanc]\nurl = "http://127.0.0.1:{server.server_port}"\n'
    world = make_world(folder, policy=policy, settings=settings)
    world.archive = archive
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "boot.secret").write_text(json.dumps({"password": "p", "secret": "s", "storage": ""}))
    try:
        yield world
    finally:
        world.close()
        server.shutdown()
        thread.join()
        server.server_close()


def matter(world: World, profile: str = "teaching", uid: str = UID) -> reviewing.Matter:
    """Return what is reviewed."""
    with world.services.database.reading() as connection:
        return reviewing.matter(connection, uid, profile, world.services.release.under)


def opened(world: World, by: str = "looker", profile: str = "teaching", *, pixels: str = "") -> None:
    """Have somebody open the picture and be shown it."""
    act = world.services.act(by, "test")
    with world.services.database.writing() as connection:
        reviewing.open_(connection, act, matter(world, profile), pixels)
        reviewing.show(connection, act, matter(world, profile))


def redacted(world: World, *regions: Outline, by: str = "looker", profile: str = "teaching") -> None:
    """Have somebody set regions and be shown the picture with them."""
    act = world.services.act(by, "test")
    with world.services.database.writing() as connection:
        reviewing.redact(connection, act, matter(world, profile), regions)
        reviewing.show(connection, act, matter(world, profile))


def confirmed(world: World, by: str = "looker", profile: str = "teaching", **answers: Shown) -> Review:
    """Have somebody answer the whole checklist; ``answers`` are those other than that nothing is shown."""
    said = {**NOTHING, **{item.replace("_", " "): answer for item, answer in answers.items()}}
    with world.services.database.writing() as connection:
        return reviewing.confirm(connection, world.services.act(by, "test"), matter(world, profile), said, "")


def rejected(world: World, by: str = "looker", profile: str = "teaching") -> Review:
    """Have somebody reject the picture."""
    with world.services.database.writing() as connection:
        return reviewing.reject(connection, world.services.act(by, "test"), matter(world, profile), "a tattoo")
