"""Programs of others that judge a DICOM file: dciodvfy, and dcmtk's dcmftest, dcmdump and dcmj2pnm."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageChops

DCIODVFY = Path(sys.executable).parent / "dciodvfy"
# What it says though nothing is wrong: private elements, a rule about trials that reads the wrong condition, a term
# newer than its list, and the lesion's identifiers in a photograph (a Standard Extended SOP Class, PS3.2).
_BLOCK = r'Warning - </\(0077,10[0-9a-f]{2},"DICOMWRAP CONSENT 1"\)> - '
_TRIAL = r"Error - </ConsentForClinicalTrialUseSequence\(0012,0083\)\[\d+\]/ClinicalTrialProtocolID\(0012,0020\)> - "
ALLOWED = (
    _BLOCK + "Unrecognized tag - assuming explicit value representation OK",
    _TRIAL + "Only permitted when DistributionType is NAMED_PROTOCOL",
    r"Warning - </Modality\(0008,0060\)\[1\]> - Unrecognized defined term = <DMS>",
    r"Warning - </Tracking(ID|UID)\(0062,002[01]\)> - Attribute is not present in standard DICOM IOD",
)


def complaints(path: Path) -> list[str]:
    """Return what dciodvfy says of a file, beyond its known false alarms."""
    run = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if re.match("Error|Warning", line)]
    return [line for line in said if not any(re.match(allowed, line) for allowed in ALLOWED)]


def is_part_10(path: Path) -> bool:
    """Tell whether dcmtk takes a file for a PS3.10 file."""
    run = subprocess.run(["dcmftest", path], capture_output=True, text=True, check=False)
    return run.returncode == 0 and run.stdout.startswith("yes")


def dumped(path: Path) -> str:
    """Return what dcmtk reads in a file; it must have nothing to complain of."""
    run = subprocess.run(["dcmdump", "+L", "-q", path], capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b""), run.stderr
    return run.stdout.decode("utf-8", "replace")


def displayed(path: Path) -> Image.Image:
    """Return the picture as dcmtk shows it."""
    run = subprocess.run(["dcmj2pnm", "+op", "-q", path, "/dev/stdout"], capture_output=True, check=True)
    with Image.open(io.BytesIO(run.stdout)) as image:
        image.load()
        return image


def furthest(one: Image.Image, other: Image.Image) -> int:
    """Return by how many levels two pictures of one size differ at most."""
    assert (one.size, one.mode) == (other.size, other.mode)
    extrema = ImageChops.difference(one, other).getextrema()
    return int(max(extrema[1:2] if one.mode == "L" else (most for _, most in extrema)))
