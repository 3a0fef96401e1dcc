"""Which part of the body a photograph shows.

Knows CID 4029 Dermatology Anatomic Sites (PS3.16), which of them show a face and which are intimate. Must not know
patients or files. A site outside both sets is not thereby anonymous: tattoos and scars identify too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomwrap.errors import PatientDetailsError

UNSPECIFIED: Final = "39937001"
# Plain words that stand for one site only; those that could stand for several are asked back.
_PLAIN: Final = {
    "arm": "Skin of upper extremity", "leg": "Skin of lower extremity", "finger": "Skin of digit of hand",
    "chest": "Skin of anterior surface of thorax", "groin": "Skin of inguinal region", "armpit": "Skin of axilla",
    "genitals": "Skin of external genitalia", "genitalia": "Skin of external genitalia", "belly": "Skin of abdomen",
    "eye": "Skin of eye region", "tongue": "Mucosa of tongue", "mouth": "Oral mucosa", "palm": "Skin of palm of hand",
    "shin": "Skin of anterior surface of lower leg", "calf": "Skin of posterior surface of lower leg",
    "knee": "Skin of anterior surface of knee", "elbow": "Skin of posterior surface of elbow",
    "nape": "Skin of nuchal region", "navel": "Skin of umbilicus", "temple": "Skin of temporal region",
    "sternum": "Sternal skin",
}  # fmt: skip
_TABLE: Final = Path(__file__).with_name("cid4029.txt")
_FACE: Final = frozenset({
    ("SCT", "73897004"), ("SCT", "68698007"), ("SCT", "36141000"), ("SCT", "23747009"), ("SCT", "113179006"),
    ("SCT", "79283007"), ("SCT", "314395006"), ("SCT", "367577003"), ("SCT", "41310005"), ("SCT", "40069000"),
    ("SCT", "88089004"), ("SCT", "16251004"), ("SCT", "66934001"), ("SCT", "110488009"), ("SCT", "244097004"),
    ("SCT", "37108007"), ("FMA", "59532"), ("DCM", "130311"), ("DCM", "130322"), ("DCM", "130314"),
    # also parts of a face: ala nasi, infra-alar groove, philtrum, eye region, canthi, caruncle, vermilion, head, temple
    ("SCT", "68598004"), ("DCM", "130312"), ("SCT", "84365009"), ("SCT", "362916000"), ("SCT", "27887005"),
    ("SCT", "37671003"), ("DCM", "130306"), ("FMA", "312651"), ("FMA", "312647"), ("SCT", "70762009"),
    ("SCT", "16621002"),
})  # fmt: skip
_EAR: Final = frozenset({
    ("SCT", "1902009"), ("SCT", "2059009"), ("SCT", "38407007"), ("SCT", "45591000"), ("SCT", "51098001"),
    ("SCT", "57726007"), ("SCT", "79313003"), ("SCT", "79502000"), ("SCT", "86409001"), ("SCT", "86719006"),
    ("DCM", "130305"), ("DCM", "130307"), ("DCM", "130308"), ("DCM", "130310"), ("DCM", "130315"), ("DCM", "130316"),
    ("DCM", "130318"), ("DCM", "130319"), ("DCM", "130320"), ("DCM", "130321"),
})  # fmt: skip
_INTIMATE: Final = frozenset({
    ("SCT", "60944009"), ("SCT", "35900000"), ("SCT", "244117002"), ("SCT", "244118007"), ("SCT", "7991003"),
    ("SCT", "81992007"), ("SCT", "73058008"), ("SCT", "128252004"), ("SCT", "128253009"), ("SCT", "29353003"),
    ("SCT", "76723005"), ("SCT", "23213005"), ("SCT", "279867004"), ("SCT", "4019005"), ("SCT", "48014002"),
    ("SCT", "59112000"), ("SCT", "22180002"), ("SCT", "63029009"), ("SCT", "39687006"), ("SCT", "280387007"),
    ("SCT", "72005009"), ("SCT", "54468004"), ("FMA", "61423"), ("FMA", "61426"), ("FMA", "61427"), ("FMA", "61439"),
    # also: vaginal introitus, external urethral orifices
    ("SCT", "18857001"), ("SCT", "279478000"), ("SCT", "279479008"),
})  # fmt: skip
_LATERALITY: Final = {
    "R": "R", "RIGHT": "R", "L": "L", "LEFT": "L", "U": "U", "UNPAIRED": "U", "B": "B", "BOTH": "B", "BILATERAL": "B",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySite:
    """One coded site of CID 4029."""

    value: str
    scheme: str
    meaning: str

    @property
    def recognisable(self) -> bool:
        """Tell whether the site by itself shows who the patient is (face, ear)."""
        return (self.scheme, self.value) in _FACE | _EAR

    @property
    def intimate(self) -> bool:
        """Tell whether the site is intimate, so that the picture is restricted."""
        return (self.scheme, self.value) in _INTIMATE


def body_site(text: str | None) -> BodySite:
    """Find a site by code value, keyword, meaning or plain word ("hand"), whatever the case; skin when nothing is said.

    Raises:
        PatientDetailsError: no such site in CID 4029; the nearest ones are named.
    """
    sites = _sites()
    wanted = " ".join((text or "").split()).casefold() or UNSPECIFIED
    for name in (wanted, f"skin of {wanted}", _PLAIN.get(wanted, "").casefold()):
        if name in sites:
            return sites[name]
    raise PatientDetailsError(
        (f"--body-site: unknown; {_suggestion(wanted)}",), "Name a site of CID 4029 by its code or its meaning."
    )


def laterality_from_text(text: str) -> str:
    """Return the term of ImageLaterality: R, L, U (unpaired) or B (PS3.3 section C.7.6.1.1.1).

    Raises:
        PatientDetailsError: another word.
    """
    try:
        return _LATERALITY[text.strip().upper()]
    except KeyError:
        raise PatientDetailsError(("--laterality: must be R, L, U (unpaired) or B (both)",)) from None


@functools.cache
def _sites() -> dict[str, BodySite]:
    """Return the sites by value, keyword and meaning; the table is PS3.16's, held against pydicom's by a test."""
    found: dict[str, BodySite] = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        scheme, value, keyword, meaning = line.split("\t")
        site = BodySite(value=value, scheme=scheme, meaning=meaning)
        for name in (keyword, value, meaning):
            found[name.casefold()] = site
    return found


def _suggestion(wanted: str) -> str:
    meanings = {site.meaning.casefold(): site.meaning for site in _sites().values()}
    near = [meaning for meaning in sorted(meanings, key=len) if wanted in meaning][:3]
    import difflib  # needed for a mistake only

    words = near or difflib.get_close_matches(wanted, meanings, n=3, cutoff=0.4)
    return f"did you mean {', '.join(repr(meanings[word]) for word in words)}?" if words else "see CID 4029 in PS3.16"
