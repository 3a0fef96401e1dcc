"""The core's routes that Consentgate answers instead of the core, because what they hand out depends on their body.

Knows the modules that answer and how Orthanc is told of their paths. Must not decide. Every BODY row of the table has
an endpoint here and every endpoint has such a row; a method of these paths that has none is refused, never the core's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from orthanc_plugin.archive.port import CoreApi, ImageArchive
from orthanc_plugin.enforcement import archives, copies, levels, listings, qido, sends, wado
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.rest import Endpoint
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.errors import OpenExitError
from orthanc_plugin.sending.delivery import Courier
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services


def overrides(
    services: Services,
    archive: ImageArchive,
    core: CoreApi,
    modalities: Mapping[str, str],
    readers: Worker,
    settled: levels.Settled,
) -> tuple[Endpoint, ...]:
    """Return every endpoint of the core's paths.

    Args:
        services: for what is sent.
        archive: reads and sends pictures.
        core: is searched for what is listed.
        modalities: name of the Orthanc modality by AE title.
        readers: read ahead what is sent.
        settled: tells when all that the archive may hold is on record.
    """
    courier = Courier(services, archive, modalities, readers)
    return (
        *listings.endpoints(core),
        *qido.endpoints(core),
        *sends.endpoints(courier, modalities),
        *archives.endpoints(archive),
        *copies.endpoints(archive),
        *levels.endpoints(core, settled),
        *wado.endpoints(archive, core),
    )


def require_answered(endpoints: Sequence[Endpoint]) -> None:
    """Refuse to start when the filter would let through to the core what one of ours should answer.

    Raises:
        OpenExitError: a BODY row has no endpoint, or an endpoint no such row or another role.
    """
    rows = {(route.method, route.path, route.needs) for route in ROUTES if route.kind is Kind.BODY}
    ours = {(endpoint.method, endpoint.path, endpoint.role) for endpoint in endpoints}
    if wrong := sorted(f"{method} {path} ({role})" for method, path, role in rows ^ ours):
        raise OpenExitError("Routes that Consentgate must answer itself, and doesn't.", problems=tuple(wrong))


def by_path(endpoints: Sequence[Endpoint]) -> Iterator[tuple[str, tuple[Endpoint, ...]]]:
    """Give each path's expression, as Orthanc's router takes it, with the path's endpoints.

    It is wider than the template, which the door asks again: what fits only the expression is answered by nobody.
    """
    for path, group in groupby(sorted(endpoints, key=attrgetter("path", "method")), key=attrgetter("path")):
        yield re.sub(r"\{\w+\}", "([^/]+)", path), tuple(group)
