"""What an Orthanc says of its own REST API, made compact: each route, and the names in the body that it takes.

``python -m tests.versions.openapi > tests/data/openapi/VERSION.json`` writes the list of the Orthanc on this machine.
A route maps to None when it takes no body, and to the names of its fields when it takes one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

STORED = Path(__file__).parents[1] / "data" / "openapi"
# Orthanc fetches samples of some answers for its description, and leaves a route out when it can't: the log names it.
LEFT_OUT = re.compile(r"Ignoring URI without API documentation: ([A-Z]+) (\S+)")
NOWHERE = "http://127.0.0.1:9"  # so that it never can, and the list is the same on every machine
Routes = dict[str, list[str] | None]


def fields(operation: dict[str, dict[str, dict[str, dict[str, dict[str, object]]]]]) -> list[str] | None:
    """Return the names in the body, of every media type that it may have; None when there is no body."""
    if "requestBody" not in operation:
        return None
    schemas = [each.get("schema", {}) for each in operation["requestBody"]["content"].values()]
    return sorted({name for schema in schemas for name in schema.get("properties", {})})


@cache
def live() -> tuple[str, Routes]:
    """Return the version and the routes of the Orthanc on this machine."""
    environment = {**os.environ, "https_proxy": NOWHERE, "HTTPS_PROXY": NOWHERE, "no_proxy": "", "NO_PROXY": ""}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.json"
        done = subprocess.run(
            ["Orthanc", f"--openapi={path}"], capture_output=True, text=True, check=True, timeout=120, env=environment
        )
        said = json.loads(path.read_text(encoding="utf-8"))
    found: Routes = {f"{method} {route}": None for method, route in LEFT_OUT.findall(done.stdout + done.stderr)}
    for route, operations in said["paths"].items():
        found |= {f"{method.upper()} {route}": fields(each) for method, each in operations.items()}
    return str(said["info"]["version"]), dict(sorted(found.items()))


@cache
def stored() -> dict[str, Routes]:
    """Return the lists that are kept, by version."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(STORED.glob("*.json"))}


RESOURCE = "6816cb19-844d5aee-85245eba-28e841e6-2414fae2"
EXAMPLES = {"{index}": "0", "{frame}": "0", "{path}": "0010-0010", "{label}": "1024", "{name}": "1024", "{key}": "out"}


def example(route: str, resource: str = RESOURCE) -> tuple[str, str]:
    """Return the method and a path of ``route``; ``resource`` is what it is asked of, where it is of a resource."""
    method, path = route.split(" ")
    of_resource = path.split("/")[1] in ("patients", "studies", "series", "instances")
    path = path.replace("{id}", resource if of_resource else "x")
    for placeholder, value in EXAMPLES.items():
        path = path.replace(placeholder, value)
    return method, path


if __name__ == "__main__":
    lines = (f"{json.dumps(route)}: {json.dumps(body)}" for route, body in live()[1].items())
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
