"""A private PostgreSQL server from Debian's package: in a folder of its own, on a socket, gone at the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL, make_url

from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database

VERSIONS = Path("/usr/lib/postgresql")
OWNER = "consentgate"
TEMPLATE = "migrated"
# The tests ask nothing of the disk; whoever kills the server asks for fsync.
HASTY = ("fsync=off", "synchronous_commit=on", "full_page_writes=off")


def programs() -> Path:
    """Return the folder of the newest PostgreSQL that is installed."""
    found = sorted(VERSIONS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("PostgreSQL is missing: run bin/test, which installs it, or apt-get install postgresql")
    return found[-1].parent


def _unprivileged() -> str | None:
    """Return whom to run as: PostgreSQL won't run as root."""
    return "postgres" if os.geteuid() == 0 else None


@dataclass(kw_only=True)
class Server:
    """One server in ``folder``; ``options`` are settings of postgresql.conf."""

    folder: Path
    options: tuple[str, ...] = HASTY
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def log(self) -> str:
        """Return what the server said."""
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def url(self, name: str) -> str:
        """Return the address of one database."""
        address = URL.create("postgresql", OWNER, self.password, database=name, query={"host": str(self.folder)})
        return address.render_as_string(hide_password=False)

    def make(self) -> None:
        """Make the server's files."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        if user := _unprivileged():
            for path in (self.folder, secret):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        data = str(self.folder / "data")
        self._run(
            "initdb", "-D", data, "-U", OWNER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "-N",
            "--locale=C.UTF-8",
        )  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", *self.options)
        words = " ".join(f"-c '{setting}'" for setting in settings)
        self._control("start", "-o", words, "-l", str(self.folder / "log"))

    def stop(self, how: str = "fast") -> None:
        """Stop it: ``immediate`` as if the power had failed."""
        self._control("stop", "-m", how)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", "-s", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        user = _unprivileged()
        told = self.folder / f"{program}.out"  # a file, because a server that lives on would hold a pipe open
        with told.open("wb") as out:
            done = subprocess.run(
                [programs() / program, *arguments],
                check=False,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
            )
        if done.returncode:
            raise RuntimeError(f"{program} failed ({done.returncode}):\n{told.read_text(errors='replace')}\n{self.log}")

    def database(self, template: str = TEMPLATE) -> str:
        """Return the address of a fresh database; it has the tables, unless ``template`` is another."""
        name = f"test{next(self.numbers)}"
        execute(self.url(name), f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


def execute(url: str, statement: str) -> None:
    """Have the server of ``url`` do something that concerns whole databases."""
    with psycopg.connect(
        make_url(url).set(database="postgres").render_as_string(hide_password=False), autocommit=True
    ) as connection:
        connection.execute(statement.encode())


def drop(url: str) -> None:
    """Drop a database, whoever uses it."""
    execute(url, f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")


@contextmanager
def running(options: tuple[str, ...] = HASTY) -> Iterator[Server]:
    """Give a server, with a migrated database to copy."""
    with tempfile.TemporaryDirectory(prefix="consentgate-pg-") as folder:
        server = Server(folder=Path(folder), options=options)
        server.make()
        server.start()
        try:
            execute(server.url(TEMPLATE), f"CREATE DATABASE {TEMPLATE}")
            template = open_database(server.url(TEMPLATE))
            schema.upgrade(template)
            template.close()
            yield server
        finally:
            server.stop()
