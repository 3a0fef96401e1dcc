"""Write the summary of an object as lines for a person.

Knows the labels and what to leave out when nothing is known. Must not know DICOM objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dicomwrap.summary import Facts, Summary

_INDENT: Final = 20
_SEALS: Final = {
    "MISSING": "no seal", "HOLDS": "seal holds", "CHANGED": "changed after sealing", "NEEDS_KEY": "seal not checked",
    "UNKEYED": "seal without a key holds",
}  # fmt: skip


def lines(summary: Summary) -> Iterator[str]:
    """Yield the lines: the file first, then what is known, a label each."""
    yield f"{summary.file}{f': {summary.error}' if summary.error else ''}"
    if not summary.error:
        for label, value in _rows(summary):
            if value:
                yield f"  {label:<{_INDENT}}{value}"


def _rows(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "what", _comma(summary.sop_class["name"] or summary.sop_class["uid"], _size(summary.picture))
    yield "coded as", _say(summary.transfer_syntax["name"] or summary.transfer_syntax["uid"])
    yield "patient", _patient(summary.patient)
    yield "study", _comma(*_of(summary.study, "date", "time", "description"), _labelled("id", summary.study["id"]))
    yield "accession number", _say(summary.study["accession_number"])
    yield "series", _comma(summary.series["number"], *_of(summary.series, "description", "modality"))
    yield "instance", _comma(summary.instance["number"], summary.instance["uid"])
    yield "taken", _comma(" ".join(_of(summary.taken, "at", "offset")))
    yield "by", "; ".join(summary.operators)
    yield "device", _comma(*_of(summary.device, "manufacturer", "model", "lens", "software", "serial_number"))
    yield "exposure", _exposure(summary.exposure)
    yield "shows", _comma(*_list(summary.view["sites"]), summary.view["side"], _lesion(summary.view))
    yield "colour profile", _comma(summary.colour_profile["description"], summary.colour_profile["color_space"])
    yield "lossy compression", "; ".join(_step(step) for step in summary.lossy)
    yield "derivation", summary.derivation
    yield from _consent_rows(summary.consent)
    for reference in summary.references:
        yield "refers to", _comma(*_of(reference, "purpose", "sop_class", "uid"))
    for hidden in summary.hidden:
        yield "hidden", hidden


def _consent_rows(consent: Facts | None) -> Iterator[tuple[str, str]]:
    if consent is None:
        yield "consent", "nothing is said"
        return
    version = f"version {consent['version']}" if consent["version"] else ""
    yield "consent", _comma(consent["status"], consent["record"], version)
    yield "  given", _comma(_by(consent["given_by"]), consent["decided_on"], _labelled("until", consent["not_after"]))
    yield "  permits", _comma(*_list(consent["permitted"]))
    yield "  denies", _comma(*_list(consent["denied"]))
    yield "  taken for", _say(consent["purpose_of_capture"])
    yield "  confidentiality", _say(consent["confidentiality"])
    yield "  stamp", _SEALS.get(_say(consent["seal"]), "")


def _size(picture: Facts) -> str:
    if not picture["frames"]:
        return ""
    frames = f", {picture['frames']} frames" if picture["frames"] != 1 else ""
    return f"{picture['columns']} x {picture['rows']} pixels{frames}"


def _patient(patient: Facts) -> str:
    number = _comma(_labelled("number", patient["id"]), _labelled("issued by", patient["issuer"]))
    removed = "identity removed" if patient["identity_removed"] == "YES" else ""
    return _comma(patient["name"], number, _labelled("born", patient["birth_date"]), patient["sex"], removed)


def _exposure(exposure: Facts) -> str:
    small = _say(exposure["focal_length_35mm"])
    of_film = f"({small} on 35 mm film)" if small else ""
    focal_length = " ".join(part for part in (_say(exposure["focal_length"]), of_film) if part)
    flash = f"flash {exposure['flash']}" if exposure["flash"] else ""
    return _comma(exposure["time"], exposure["aperture"], exposure["sensitivity"], focal_length, flash)


def _lesion(view: Facts) -> str:
    return _labelled("lesion", view["lesion"])


def _step(step: Facts) -> str:
    ratio = f"{step['ratio']} : 1" if step["ratio"] else ""
    return _comma(step["method"] or "unknown method", ratio)


def _by(giver: object) -> str:
    return f"by {giver}" if giver else ""


def _labelled(label: str, value: object) -> str:
    return f"{label} {value}" if value else ""


def _of(facts: Facts, *keys: str) -> Iterator[str]:
    return (_say(facts[key]) for key in keys if facts[key])


def _list(value: object) -> Iterable[str]:
    return (str(each) for each in value if each) if isinstance(value, list) else ()


def _comma(*parts: object) -> str:
    return ", ".join(_say(part) for part in parts if part)


def _say(value: object) -> str:
    return "" if value is None else str(value)
