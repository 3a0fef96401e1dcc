"""Judge a DICOM photograph, ours or anybody's: ``dicomwrap verify``.

Knows the order of the judgements, and that none of them may stop another. Must not print. Never raises on a file,
however hostile: whatever it is, is a finding. What the codes mean: ``FINDINGS``.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import Dataset

from dicomwrap.hostile import UNREADABLE
from dicomwrap.judging import attributes, consent, enumerated, history, picture, privacy, profile, proof
from dicomwrap.judging.findings import FINDINGS, Finding, Severity, error
from dicomwrap.judging.opening import UnfitFileError, file_findings, opened, order_findings, read
from dicomwrap.judging.walk import Walk, walked

__all__ = ["FINDINGS", "Finding", "Severity", "Verdict", "judged", "verify", "verify_file"]

MOST_OF_A_KIND: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found out about one file."""

    file: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether the object is fit: nothing that was found is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def verify_file(path: Path, *, key: bytes | None = None) -> Verdict:
    """Judge one file. ``key`` is the one that consent stamps were sealed with."""
    try:
        with opened(path) as file:
            return Verdict(file=str(path), findings=_verify(file, key))
    except UnfitFileError as unfit:
        return Verdict(file=str(path), findings=(unfit.finding,))


def verify(data: bytes, *, key: bytes | None = None) -> tuple[Finding, ...]:
    """Judge a file's bytes."""
    return _verify(BytesIO(data), key)


def judged(dataset: Dataset, *, key: bytes | None = None) -> tuple[Finding, ...]:
    """Judge an object that was read and that nobody has looked into yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        walk = walked(dataset)
        return tuple(_shortened((*walk.findings, *_judgements(dataset, walk, key))))


def _verify(file: BinaryIO, key: bytes | None) -> tuple[Finding, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = read(file)
        except UnfitFileError as unfit:
            return (unfit.finding,)
        around = tuple(_completed("the file", order_findings(file, dataset)))
    return (*around, *judged(dataset, key=key))


def _judgements(dataset: Dataset, walk: Walk, key: bytes | None) -> Iterator[Finding]:
    yield from _completed("the file meta information", file_findings(dataset))
    yield from _completed("the SOP class", attributes.sop_class_findings(dataset))
    yield from _completed("the required elements", attributes.type_findings(dataset, walk))
    yield from _completed("the values", enumerated.term_findings(dataset, walk))
    yield from _completed("the UIDs", enumerated.uid_findings(walk))
    yield from _completed("the orientation", enumerated.orientation_findings(dataset))
    yield from _completed("the site", attributes.anatomy_findings(dataset))
    yield from _completed("the patient", attributes.patient_findings(dataset))
    yield from _completed("the time of capture", attributes.time_findings(dataset))
    yield from _completed("the history", history.lossy_findings(dataset))
    yield from _completed("the derivation", history.derivation_findings(dataset))
    yield from _completed("the picture", picture.picture_findings(dataset))
    yield from _completed("the picture data", proof.proof_findings(dataset))
    yield from _completed("the document", attributes.document_findings(dataset))
    yield from _completed("the hidden data", privacy.privacy_findings(walk))
    yield from _completed("the colour profile", profile.profile_findings(dataset))
    yield from _completed("the consent stamp", consent.stamp_findings(dataset, key))


def _completed(subject: str, judgement: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what a judgement finds; when it breaks down, that is a finding, and the others go on."""
    try:
        yield from judgement
    except UNREADABLE as problem:
        yield error("UNREADABLE", f"{subject} can't be judged to the end ({type(problem).__name__})")


def _shortened(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out repetitions, and what is more than anybody reads."""
    told: Counter[tuple[str, Severity]] = Counter()
    for finding in dict.fromkeys(findings):
        kind = (finding.code, finding.severity)
        told[kind] += 1
        if told[kind] <= MOST_OF_A_KIND:
            yield finding
    for (code, severity), count in told.items():
        if count > MOST_OF_A_KIND:
            yield Finding(code="MORE", severity=severity, message=f"{code}: {count - MOST_OF_A_KIND} more")
