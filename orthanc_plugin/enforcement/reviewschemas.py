"""The shapes of the REST calls on reviews. Knows nothing else."""

from __future__ import annotations

from typing import Final

from orthanc_plugin.enforcement.schemas import FLAG, MOMENT, NUMBER, TEXT, Schema, many, one_of, or_null, record
from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.reviewing import CHECKLIST, Shown, State

REGIONS: Final[Schema] = many(
    {
        "description": "x, y, width and height in pixels of the stored picture, or the corners of a polygon",
        "oneOf": [
            {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4},
            {"type": "array", "items": {"type": "array", "items": NUMBER}, "minItems": 3},
        ],
    }
)
CROP: Final[Schema] = {
    "description": "what is kept, as x, y, width and height in pixels of the stored picture; all of it without",
    "type": "array",
    "items": NUMBER,
    "minItems": 4,
    "maxItems": 4,
}
STEP: Final[dict[str, Schema]] = {
    **dict.fromkeys(("review", "image", "profile", "reviewer"), TEXT),
    "regions": REGIONS,
    "crop": or_null(CROP),
    "proposals": many(TEXT),
}
VERDICT: Final[dict[str, Schema]] = {
    **{name: schema for name, schema in STEP.items() if name != "proposals"},
    "anonymisable": one_of(Anonymisable),
}
WAITING: Final[dict[str, Schema]] = {
    **dict.fromkeys(("image", "profile", "reason", "open_by"), TEXT),
    **dict.fromkeys(("requesters", "proposals"), many(TEXT)),
    "state": one_of(State),
    "since": MOMENT,
    "open_since": or_null(MOMENT),
}
ANSWERS: Final = record(dict.fromkeys(CHECKLIST, one_of(Shown)), CHECKLIST)
# Under which profile; or that it is about other people, who are hidden in identifiable copies.
NAMED: Final[dict[str, Schema]] = {"profile": TEXT, "others": FLAG}
EITHER: Final = [{"required": [name]} for name in NAMED]
# How the picture is given: one JPEG, or the copy as an object where it has several frames or another code.
PICTURES: Final = ("image/jpeg", "application/dicom")

SCHEMAS: Final[dict[str, Schema]] = {
    "ReviewQueue": record({"reviews": many(record(WAITING, WAITING))}, ("reviews",)),
    "ReviewNamed": {**record(NAMED, ()), "anyOf": EITHER},
    "Review": record(STEP, STEP),
    "ReviewRegions": {**record({**NAMED, "regions": REGIONS, "crop": CROP, "proposed": FLAG}, ()), "anyOf": EITHER},
    "ReviewAnswers": {
        **record({**NAMED, "answers": ANSWERS, "note": TEXT}, ()),
        "anyOf": [{"required": ["profile", "answers"]}, {"required": ["others"]}],
    },
    "ReviewRejection": record({**NAMED, "reason": TEXT}, ("reason",)),
    "ReviewVerdict": record(VERDICT, VERDICT),
    "Picture": {"type": "string", "contentMediaType": PICTURES[0]},
}
