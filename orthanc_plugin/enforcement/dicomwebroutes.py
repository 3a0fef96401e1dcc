"""The rows of DICOMweb (PS3.18: QIDO-RS, WADO-RS, STOW-RS, UPS-RS, WADO-URI) and of Orthanc's DICOMweb client.

Knows routes and why some are shut. Must not know how a request is matched (``exits``), nor who may use a row.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.route import Kind, Route, forbidden, images, wholes
from orthanc_plugin.enforcement.routes import NO_DELETE, NO_EXPLORER

NO_SERVERS: Final = "no consent goes with a picture to a DICOMweb server; send it to a bound DICOM node"
NO_WORKITEMS: Final = "there are no workitems here; the worklist is asked by C-FIND"
NO_BULK: Final = "bulk data is asked of one instance, by its attribute: .../instances/{uid}/bulk/{attribute}"
NO_DRAWING: Final = "pictures are drawn one at a time; ask for .../instances/{uid}/rendered or .../thumbnail"
NO_CACHE: Final = "the cache of metadata is a copy that no later change reaches"

_ROOT: Final = "/dicom-web"
_STUDY: Final = f"{_ROOT}/studies/{{study_uid}}"
_SERIES: Final = f"{_STUDY}/series/{{series_uid}}"
_INSTANCE: Final = f"{_SERIES}/instances/{{instance_uid}}"
_LEVELS: Final = (_STUDY, _SERIES, _INSTANCE)
_DRAWN: Final = ("rendered", "thumbnail")
_SEARCHES: Final = (
    *(f"{_ROOT}/studies", f"{_ROOT}/series", f"{_ROOT}/instances"),
    *(f"{_STUDY}/series", f"{_STUDY}/instances", f"{_SERIES}/instances"),
)

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", f"{_ROOT}/info", Kind.ADMIN),
    *(Route("GET", search, Kind.BODY, role=Role.LIST, unrecorded=True) for search in _SEARCHES),
    *wholes("study_uid", _STUDY, "", "/metadata"),
    *wholes("series_uid", _SERIES, "", "/metadata"),
    *forbidden(NO_DRAWING, *(f"GET {level}/{what}" for level in (_STUDY, _SERIES) for what in _DRAWN)),
    *images("instance_uid", _INSTANCE, "", "/metadata", *(f"/{what}" for what in _DRAWN)),
    *images("instance_uid", _INSTANCE, "/frames", "/frames/{frames}", "/bulk/{rest}"),
    *images("instance_uid", f"{_INSTANCE}/frames/{{frames}}", "/rendered", "/thumbnail"),
    Route("GET", "/wado", Kind.IMAGE, subject="?objectUID"),
    Route("POST", f"{_ROOT}/studies", Kind.INTAKE, unread=True),
    Route("POST", _STUDY, Kind.INTAKE, unread=True),
    *forbidden(NO_BULK, *(f"GET {level}/{what}" for level in _LEVELS for what in ("bulkdata", "pixeldata"))),
    *forbidden(NO_BULK, *(f"GET {level}/bulkdata/{{rest}}" for level in _LEVELS)),
    *forbidden(NO_DELETE, *(f"DELETE {level}" for level in _LEVELS)),
    *forbidden(NO_CACHE, f"POST {_STUDY}/update-dicomweb-cache"),
    *forbidden(NO_SERVERS, f"GET {_ROOT}/servers", f"GET,POST,PUT,DELETE {_ROOT}/servers/{{rest}}"),
    *forbidden(NO_WORKITEMS, *(f"GET,POST,PUT,DELETE {_ROOT}/{path}" for path in ("workitems", "workitems/{rest}"))),
    *forbidden(NO_EXPLORER, f"GET {_ROOT}/app/{{rest}}"),
)
