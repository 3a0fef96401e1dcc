"""The rows of Orthanc's own REST API, every route of its OpenAPI from 1.10.1 to 1.13.0, and of its other HTTP doors.

Knows routes and why some are shut. Must not know how a request is matched (``exits``), nor who may use a row.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.route import Kind, Route, forbidden, images, wholes

ABOVE: Final = (("/patients/{patient}", "patient"), ("/studies/{study}", "study"), ("/series/{series}", "series"))
LEVELS: Final = (*ABOVE, ("/instances/{instance}", "instance"))

NO_DELETE: Final = "nothing is destroyed by a DELETE; disposition is planned, approved and certified"
NO_WEBDAV: Final = "WebDAV can be read past any filter; use DICOMweb"
NO_SCRIPT: Final = "a script could send any image anywhere"
NO_SHUTDOWN: Final = "the service is stopped and started by its administrator on the server, not by HTTP"
NO_EXPORT: Final = "a file on the server is outside every later decision; use consentgate or C-MOVE to a bound node"
NO_DESTINATION: Final = "destinations are bound in policy.toml and orthanc.json, never at run time"
NO_PEER: Final = "no consent goes with a picture to an Orthanc peer; send it to a bound DICOM node"
NO_STRAIGHT: Final = "nobody was asked about what is in the request; file the object first, then send it"
NO_QUERY: Final = "another archive is asked directly, and its pictures come in by C-STORE through the intake"
NO_SCU: Final = "storage commitment is asked of this archive by C-STORE peers; it asks nobody"
NO_COMMITMENT: Final = "reports of storage commitment name pictures, and removing by one destroys them"
NO_JOBS: Final = "jobs name pictures and destinations, and resubmit old sends; see consentgate disclosure"
NO_CHANGES: Final = "they name every patient's pictures, unasked; see consentgate audit and consentgate disclosure"
NO_LIST: Final = "ask for instances by POST /tools/find, or for those of a series"
NO_METADATA: Final = "metadata links anonymised copies to their originals and names who sent; see consentgate image"
NO_TAMPERING: Final = "what is on file with a picture is not changed by HTTP; facts are recorded by consentgate image"
NO_SIDE_FILE: Final = "it is a copy that no later change reaches; ask for the picture's file or its tags"
NO_PARENT: Final = "it names pictures that were not asked for; ask for the patient, study or series itself"
NO_REBUILDING: Final = "rebuilding rewrites what is on file; it is done with the doors shut, by the administrator"
NO_RUNTIME_CHANGE: Final = "the server's behaviour is set in orthanc.json, where the start-up check sees it"
NO_CREATION: Final = "objects are made by dicomwrap, and come in through the intake"
NO_PROTECTION: Final = "no patient is ever recycled, so none needs protection from it"
NO_LABELS: Final = "labels of the whole archive may name patients; ask for those of a study"
NO_LABEL: Final = "it only repeats what /labels of the same tells"
NO_ARRAY: Final = "pixels are decided on picture by picture; ask for /instances/{id}/numpy"
NO_SLICES: Final = "photographs have no slices to put in order; ask for /series/{id}/instances"
NO_EXPLORER: Final = "Orthanc Explorer shows no decision and no reason; use a DICOMweb viewer"
NO_ECHO: Final = "any host could be named; add it to orthanc.json and echo it by its name"

_INSTANCE: Final = "/instances/{instance}"
_FRAME: Final = f"{_INSTANCE}/frames/{{frame}}"
_DRAWN: Final = ("/preview", "/rendered", "/image-uint8", "/image-uint16", "/image-int16", "/matlab", "/numpy")
_FILE: Final = ("data", "size", "md5", "compressed-data", "compressed-size", "compressed-md5")
_FILE_PARTS: Final = (*_FILE, "is-compressed", "info", "uuid")
_LOGS: Final = ("", "-dicom", "-generic", "-http", "-jobs", "-lua", "-plugins", "-sqlite")


def _asked(method: str, role: Role, *paths: str) -> tuple[Route, ...]:
    return tuple(Route(method, path, Kind.BODY, role=role, unrecorded=role is Role.LIST) for path in paths)


def _told(*paths: str) -> tuple[Route, ...]:
    return tuple(Route("GET", path, Kind.ADMIN) for path in paths)


_SERVER: Final = (
    *(Route("GET", path, Kind.ADMIN, internal=True) for path in ("/system", "/plugins", "/modalities", "/peers")),
    *_told("/statistics", "/plugins/{name}", "/modalities/{modality}"),
    *_told("/modalities/{modality}/configuration", "/tools", "/tools/now", "/tools/now-local"),
    *_told("/tools/accepted-sop-classes", "/tools/accepted-transfer-syntaxes", "/tools/unknown-sop-class-accepted"),
    *_told("/tools/default-encoding", "/tools/dicom-conformance", "/tools/generate-uid", "/tools/metrics"),
    *_told("/tools/metrics-prometheus", *(f"/tools/log-level{log}" for log in _LOGS)),
    Route("POST", "/modalities/{modality}/echo", Kind.ADMIN),
)

_SEEN: Final = (
    Route("GET", f"{_INSTANCE}/file", Kind.IMAGE, subject="instance", internal=True),
    *images("instance", _INSTANCE, "/tags", "/simplified-tags", "/header", "/pdf", "/frames", *_DRAWN),
    *images("instance", _INSTANCE, "/content", "/content/{rest}"),
    *images("instance", _FRAME, "", *_DRAWN, "/raw", "/raw.gz"),
    Route("GET", f"{_INSTANCE}/attachments", Kind.IMAGE, subject="instance", internal=True),
    *images("instance", f"{_INSTANCE}/attachments", "/dicom", *(f"/dicom/{part}" for part in _FILE_PARTS)),
    Route("GET", _INSTANCE, Kind.IMAGE, subject="instance", internal=True),
    *images("instance", _INSTANCE, "/module", "/statistics", "/labels", "/labels/{name}"),
)

_WHOLE: Final = (
    *(row for base, name in ABOVE for row in wholes(name, base, "", "/instances", "/module", "/statistics", "/labels")),
    *(row for base, name in ABOVE for row in wholes(name, base, "/shared-tags", "/instances-tags")),
    *wholes("study", "/studies/{study}", "/series", "/module-patient"),
    *wholes("patient", "/patients/{patient}", "/studies", "/series"),
)

_DECIDED_INSIDE: Final = (
    *_asked("GET", Role.LIST, "/patients", "/studies", "/series"),
    *_asked("POST", Role.LIST, "/tools/find", "/tools/lookup", "/tools/bulk-content", "/tools/count-resources"),
    *_asked("POST", Role.SEND, "/modalities/{modality}/store"),
    *(
        row
        for method in ("GET", "POST")
        for row in (
            *_asked(method, Role.VIEW, *(f"/tools/create-{kind}" for kind in ("archive", "media", "media-extended"))),
            *_asked(method, Role.VIEW, *(f"{base}/{kind}" for base, _ in ABOVE for kind in ("archive", "media"))),
        )
    ),
    *_asked("POST", Role.VIEW, f"{_INSTANCE}/modify", f"{_INSTANCE}/anonymize"),
    *_asked("POST", Role.STORE, *(f"{base}/{verb}" for base, _ in ABOVE for verb in ("modify", "anonymize"))),
    *_asked("POST", Role.STORE, "/studies/{study}/split", "/studies/{study}/merge"),
    *_asked("POST", Role.STORE, "/tools/bulk-modify", "/tools/bulk-anonymize"),
)

_KEPT: Final = (
    *forbidden(NO_DELETE, *(f"DELETE {base}" for base, _ in ABOVE), "POST /tools/bulk-delete"),
    # The execution of what was approved; the filter looks for its mark.
    Route("DELETE", _INSTANCE, Kind.FORBIDDEN, subject="instance", reason=NO_DELETE, internal=True),
    *forbidden(NO_DELETE, "DELETE /changes", "DELETE /exports"),
    *forbidden(NO_CHANGES, "GET /changes", "GET /exports"),
    # An override of the path would have to take every upload, too.
    Route("GET", "/instances", Kind.FORBIDDEN, reason=NO_LIST, internal=True),
    *forbidden(NO_METADATA, *(f"GET {base}/metadata{tail}" for base, _ in LEVELS for tail in ("", "/{name}"))),
    *forbidden(NO_TAMPERING, *(f"PUT,DELETE {base}/metadata/{{name}}" for base, _ in LEVELS)),
    *forbidden(NO_TAMPERING, *(f"PUT,DELETE {base}/labels/{{name}}" for base, _ in LEVELS)),
    *forbidden(NO_TAMPERING, *(f"PUT,DELETE {base}/attachments/{{name}}" for base, _ in LEVELS)),
    *forbidden(
        NO_TAMPERING,
        *(f"POST {base}/attachments/{{name}}/{verb}" for base, _ in LEVELS for verb in ("compress", "uncompress")),
    ),
    *forbidden(NO_SIDE_FILE, *(f"GET {base}/attachments" for base, _ in ABOVE)),
    *forbidden(NO_SIDE_FILE, *(f"GET {base}/attachments/{{name}}" for base, _ in LEVELS)),
    Route("GET", f"{_INSTANCE}/attachments/{{name}}/info", Kind.FORBIDDEN, reason=NO_SIDE_FILE, internal=True),
    *forbidden(
        NO_SIDE_FILE,
        *(
            f"GET {base}/attachments/{{name}}/{tail}"
            for base, _ in LEVELS
            for tail in _FILE_PARTS
            if (base, tail) != (_INSTANCE, "info")
        ),
        *(f"POST {base}/attachments/{{name}}/verify-md5" for base, _ in LEVELS),
    ),
    *forbidden(NO_PARENT, *(f"GET {_INSTANCE}/{up}" for up in ("patient", "study", "series"))),
    *forbidden(NO_PARENT, *(f"GET /series/{{series}}/{up}" for up in ("patient", "study"))),
    *forbidden(NO_PARENT, "GET /studies/{study}/patient"),
    *forbidden(NO_EXPORT, f"POST {_INSTANCE}/export"),
    *forbidden(NO_REBUILDING, *(f"POST {base}/reconstruct" for base, _ in LEVELS)),
    *forbidden(NO_REBUILDING, "POST /tools/reconstruct", "POST /tools/invalidate-tags"),
    *forbidden(NO_PROTECTION, "GET,PUT /patients/{patient}/protected"),
    *forbidden(NO_ARRAY, "GET /series/{series}/numpy"),
    *forbidden(NO_SLICES, "GET /series/{series}/ordered-slices"),
    *forbidden(NO_LABEL, *(f"GET {base}/labels/{{name}}" for base, _ in ABOVE)),
    *forbidden(NO_LABELS, "GET /tools/labels"),
    *forbidden(NO_CREATION, "POST /tools/create-dicom"),
)

_ELSEWHERE: Final = (
    *forbidden(NO_STRAIGHT, "POST /modalities/{modality}/store-straight"),
    *forbidden(NO_DESTINATION, "PUT,DELETE /modalities/{modality}", "PUT,DELETE /peers/{name}"),
    *forbidden(NO_PEER, *(f"GET /peers/{{name}}{tail}" for tail in ("", "/configuration", "/system"))),
    *forbidden(NO_PEER, "POST /peers/{name}/store", "POST /peers/{name}/store-straight"),
    *forbidden(
        NO_QUERY,
        *(f"POST /modalities/{{modality}}/{verb}" for verb in ("query", "move", "get", "find-worklist", "find")),
        *(f"POST /modalities/{{modality}}/find-{level}" for level in ("patient", "study", "series", "instance")),
        *(f"GET /queries{tail}" for tail in ("", "/{name}", "/{name}/level", "/{name}/modality", "/{name}/query")),
        *(f"GET /queries/{{name}}/answers{tail}" for tail in ("", "/{frame}", "/{frame}/content")),
        *(f"POST /queries/{{name}}/answers/{{frame}}/query-{level}" for level in ("studies", "series", "instances")),
        "POST /queries/{name}/answers/{frame}/retrieve",
        "POST /queries/{name}/retrieve",
        "DELETE /queries/{name}",
    ),
    *forbidden(NO_SCU, "POST /modalities/{modality}/storage-commitment"),
    # The courier reads what a node has reported that it asked.
    Route("GET", "/storage-commitment/{name}", Kind.FORBIDDEN, reason=NO_COMMITMENT, internal=True),
    *forbidden(NO_COMMITMENT, "POST /storage-commitment/{name}/remove"),
    *forbidden(NO_JOBS, "GET /jobs", "GET,DELETE /jobs/{name}", "GET,DELETE /jobs/{name}/{rest}"),
    *forbidden(NO_JOBS, *(f"POST /jobs/{{name}}/{verb}" for verb in ("cancel", "pause", "resubmit", "resume"))),
)

_SWITCHES: Final = (
    *forbidden(
        NO_RUNTIME_CHANGE,
        *(f"PUT /tools/log-level{log}" for log in _LOGS),
        "PUT /tools/accepted-transfer-syntaxes",
        "PUT /tools/unknown-sop-class-accepted",
        "PUT /tools/default-encoding",
        "PUT /tools/metrics",
    ),
    *forbidden(NO_SHUTDOWN, "POST /tools/reset", "POST /tools/shutdown"),
    *forbidden(NO_SCRIPT, "POST /tools/execute-script"),
    *forbidden(NO_ECHO, "POST /tools/dicom-echo"),
    *forbidden(NO_EXPLORER, "GET /", "GET /app", "GET /app/{rest}", "GET /plugins/explorer.js"),
    *forbidden(NO_WEBDAV, "GET,PUT,POST,DELETE /webdav", "GET,PUT,POST,DELETE /webdav/{rest}"),
)

ROUTES: Final[tuple[Route, ...]] = (
    *_SWITCHES,  # before what has placeholders: /plugins/explorer.js is no plugin's name
    *_SERVER,
    Route("POST", "/instances", Kind.INTAKE, internal=True),
    *_SEEN,
    *_WHOLE,
    *_DECIDED_INSIDE,
    *_KEPT,
    *_ELSEWHERE,
)
