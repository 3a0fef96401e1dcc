"""Ask a guarded Orthanc for thousands of things at random, as every account, and look for one forbidden byte.

The requests are made of Orthanc's own description and of the table of exits: every route and method, with known and
made-up identifiers, arguments, headers, bodies and ways to write a path. A seed makes the same requests again.

``python -m tests.fuzz_doors --requests 10000`` asks as many as each account and prints what came of it.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from demo.peers import HOST
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.openapi import SCHEMAS
from tests.integration.doorways import ACCOUNTS as ADDED
from tests.integration.doorways import CARE_TEAM, Doors, filled_doors
from tests.integration.needles import found, pictures
from tests.versions.openapi import stored

OF_DEMO = ("derm", "teacher", "uploader", "admin", "epr", "governance")
# Nobody, whom nobody bound, and whoever policy.toml binds.
ACCOUNTS = ("", "consentgate", *OF_DEMO, *ADDED)
SHOWN_NOTHING = tuple(each for each in ACCOUNTS if each not in CARE_TEAM or each == "sender")
# What would change what is permitted: a door that opens after that has not leaked.
LEFT_ALONE = ("/consentgate/break-glass", "/tools/shutdown", "/tools/reset")
FAILED = 500
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "PATCH")
VALUES: tuple[object, ...] = (True, False, 0, 1, 100_000, "", "a", "../../etc/passwd", "*", None, [], {}, "TEACHING")
ARGUMENTS = (
    *("expand", "full", "short", "simplify", "requested-tags", "since", "limit", "quality", "transcode", "filename"),
    *("resources", "_method", "purpose", "whole", "ignore-length", "rendered", "PatientID", "PatientName", "00100010"),
    *("includefield", "fuzzymatching", "StudyInstanceUID", "SOPInstanceUID", "requestType", "contentType", "studyUID"),
    *("objectUID", "ObjectUID", "seriesUID", "anonymize", "frameNumber", "extended", "compress", "level"),
)
HEADERS = {
    "X-HTTP-Method-Override": ("GET", "PUT", "DELETE", "POST"),
    "X-Purpose-Of-Use": ("TEACHING", "DIRECT_CARE", "EMERGENCY_CARE", "nonsense"),
    "X-Consentgate-Boot": ("guess", ""),
    "X-Forwarded-User": ("derm", "admin"),
    "X-Remote-User": ("derm",),
    "X-Forwarded-For": ("127.0.0.1",),
    "Accept": ("*/*", "application/dicom", "image/jpeg", 'multipart/related; type="application/dicom"', "text/html"),
    "Range": ("bytes=0-99", "bytes=128-131"),
    "Content-Type": ("application/json", "application/dicom", "text/plain", "application/zip"),
    "Depth": ("0", "1", "infinity"),
    "Accept-Encoding": ("identity",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as it is written on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def said(self) -> bytes:
        """Return what the request itself names: an answer that repeats it tells nothing."""
        return f"{self.target} {unquote(self.target)} {self.headers}".encode() + self.body


@dataclass(kw_only=True)
class Tally:
    """What came of the requests of one account."""

    statuses: Counter[int] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Maker:
    """Makes requests: the same ones for the same seed.

    Args:
        doors: the archive, whose objects are named.
        seed: what the requests depend on.
    """

    def __init__(self, doors: Doors, seed: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a test's
        named = {name: each.named() for name, each in doors.objects.items()}
        self.names = [*named.values(), *[named["B"]] * 6]  # what some may have, and so answers with something in them
        self.texts = [str(each.dataset.PatientID) for each in doors.objects.values()]
        described = {route for each in stored().values() for route in each}
        self.routes = sorted(described | {f"{row.method} {row.path}" for row in ROUTES})
        self.fields = sorted({name for each in stored().values() for body in each.values() for name in body or ()})
        self.our_fields = sorted({name for each in SCHEMAS.values() for name in _properties(each)})

    def request(self) -> Request:
        """Return the next request."""
        route_method, path = self.random.choice(self.routes).split(" ")
        method = route_method if self.random.random() < 0.8 else self.random.choice(METHODS)
        body = self._body() if method in ("POST", "PUT", "PATCH") else b""
        return Request(method=method, target=self._target(path), headers=dict(self._headers()), body=body)

    def _target(self, path: str) -> str:
        if path in LEFT_ALONE:
            path = "/tools"
        parts = [
            self._segment(part, above) for above, part in zip(("", *path.split("/")), path.split("/"), strict=False)
        ]
        spelt = self._spelt("/".join(parts))
        count = self.random.choice((0, 0, 0, 1, 2, 3))
        arguments = "&".join(f"{name}={self._value()}" for name in self.random.choices(ARGUMENTS, k=count))
        if path == "/wado":
            arguments = f"requestType=WADO&objectUID={self._named('instance_uid')}&{arguments}"
        return f"{spelt}?{arguments}" if arguments else spelt

    def _segment(self, part: str, above: str) -> str:
        if not part.startswith("{"):
            return part
        key = {"patients": "patient", "studies": "study", "series": "series", "instances": "instance"}.get(above, "")
        known = part[1:-1] if part[1:-1] in self.names[0] else key
        if known and self.random.random() < 0.9:
            return self._named(known)
        return str(self.random.choice(("0", "1", "1,1", "1024", "4301", "dicom", "teaching", "0010-0010", "x", "")))

    def _named(self, key: str) -> str:
        return self.random.choice(self.names)[key]

    def _value(self) -> str:
        kinds = (self._named("study"), self._named("instance"), self._named("study_uid"), self._named("instance_uid"))
        more = (
            self.random.choice(self.texts),
            "",
            "1",
            "*",
            "WADO",
            "application/dicom",
            "PUT",
            "PatientName",
            "TEACHING",
        )
        return quote(self.random.choice((*kinds, *more)), safe="*")

    def _spelt(self, path: str) -> str:
        """Return the path written otherwise, now and then."""
        at = self.random.randrange(len(path) + 1)
        ways = (
            *(path,) * 40,
            path + "/",
            path + "//",
            "/" + path,
            path.replace("/", "//", 1),
            path + "%00",
            path + ";x",
            path + "/.",
            path + "/..",
            f"/x/..{path}",
            f"/.{path}",
            path.upper(),
            path[:at] + quote(path[at : at + 1], safe="").replace("/", "%2f") + path[at + 1 :],
            path[:at] + "%" + f"{ord(path[at]):02x}" + path[at + 1 :] if at < len(path) else path,
            path.replace("/", "\\"),
            f"http://{HOST}{path}",
            f"/webdav{path}",
            path + "/" + self.random.choice(("file", "archive", "attachments/dicom/data", "metadata", "tags", "pdf")),
        )
        return self.random.choice(ways).replace(" ", "%20")

    def _headers(self) -> Iterator[tuple[str, str]]:
        for name in self.random.sample(sorted(HEADERS), self.random.choice((0, 0, 1, 2))):
            yield name, self.random.choice(HEADERS[name])

    def _body(self) -> bytes:
        named = [self._named(key) for key in ("study", "instance", "series", "instance_uid")]
        shape = self.random.random()
        if shape < 0.15:
            return self.random.choice((b"", b"[]", b"{", b"null", self.random.randbytes(64), self._value().encode()))
        if shape < 0.25:
            return json.dumps(named).encode()
        fields = self.random.choice((self.fields, self.our_fields))
        values = (*VALUES, *named, *self.texts)
        body = {name: self.random.choice(values) for name in self.random.sample(fields, self.random.randrange(5))}
        if fields is self.our_fields and self.random.random() < 0.8:
            return json.dumps(body).encode()
        body |= {"Resources": named, "Level": self.random.choice(("Patient", "Study", "Series", "Instance"))}
        query = {
            self.random.choice(("PatientID", "PatientName", "StudyInstanceUID")): self.random.choice(("*", "D*", ""))
        }
        body |= {"Query": query} if self.random.random() < 0.6 else {}
        return json.dumps(body).encode()


def _properties(schema: Mapping[str, object]) -> Iterable[str]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else ()


def send(doors: Doors, account: str, request: Request) -> tuple[int, bytes]:
    """Send a request exactly as it is; return the status, 0 for none, and the whole answer with its headers."""
    password = doors.server.passwords.get(account, "wrong")
    headers = {**request.headers, "Content-Length": str(len(request.body))}
    if account:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()
    connection = http.client.HTTPConnection(HOST, doors.server.ports.http, timeout=60)
    try:
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body)
        answer = connection.getresponse()
        return answer.status, str(answer.headers).encode() + answer.read()
    except (OSError, http.client.HTTPException, ValueError):
        return 0, b""
    finally:
        connection.close()


def faults(account: str, request: Request, answer: tuple[int, bytes], forbidden: frozenset[bytes]) -> Iterator[str]:
    """Give what is wrong with an answer."""
    status, content = answer
    _, _, body = content.partition(b"\n\n")
    for needle in found(content, forbidden, known=request.said()) + found(body, forbidden, known=request.said()):
        yield f"{account or 'nobody'}: {request.method} {request.target}: {status}: {needle!r}"
    if account in SHOWN_NOTHING and (kinds := pictures(body)):
        yield f"{account or 'nobody'}: {request.method} {request.target}: {status}: {', '.join(kinds)}"


def fuzz(doors: Doors, account: str, count: int, seed: str) -> Tally:
    """Send ``count`` requests as ``account``."""
    maker, tally, forbidden = Maker(doors, f"{seed} {account}"), Tally(), doors.forbidden(account)
    for _ in range(count):
        request = maker.request()
        answer = send(doors, account, request)
        tally.statuses[answer[0]] += 1
        tally.broken += [f"{request.method} {request.target} {request.body[:300]!r}"] if answer[0] == FAILED else []
        tally.leaks += faults(account, request, answer, forbidden)
    return tally


def astray(doors: Doors) -> list[str]:
    """Return what a DICOM node has been sent that is not for it: the workstation may have B and D, teaching nothing."""
    mine = {str(doors.objects[name].dataset.SOPInstanceUID) for name in ("B", "D")}
    arrived = [str(each.SOPInstanceUID) for each in doors.journey.at_workstation.take()]
    wrong = [f"the workstation was sent {uid}" for uid in arrived if uid not in mine]
    return [*wrong, *(f"teaching was sent {each.SOPInstanceUID}" for each in doors.journey.at_teaching.take())]


def main() -> int:
    """Fuzz as every account; print the tallies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="for each account")
    parser.add_argument("--seed", default="consentgate")
    parser.add_argument("--account", action="append", choices=ACCOUNTS, help="repeatable; all when not given")
    chosen = parser.parse_args()
    accounts = chosen.account or ACCOUNTS
    with tempfile.TemporaryDirectory() as folder, filled_doors(Path(folder)) as doors, ThreadPoolExecutor(4) as pool:
        tallies = pool.map(lambda each: fuzz(doors, each, chosen.requests, chosen.seed), accounts)
        leaks = 0
        for account, tally in zip(accounts, tallies, strict=True):
            leaks += len(tally.leaks)
            sys.stdout.write(
                f"{account or 'nobody'}: {sum(tally.statuses.values())} requests, {len(tally.leaks)} leaks, "
            )
            sys.stdout.write(f"statuses {dict(sorted(tally.statuses.items()))}\n")
            sys.stdout.writelines(f"  {leak}\n" for leak in tally.leaks[:20])
            sys.stdout.writelines(f"  500: {each}\n" for each in tally.broken[:5])
            sys.stdout.flush()
        sent = astray(doors)
        sys.stdout.writelines(f"  {each}\n" for each in sent)
    return 1 if leaks or sent else 0


if __name__ == "__main__":
    sys.exit(main())
