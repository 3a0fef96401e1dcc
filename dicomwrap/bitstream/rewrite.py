"""Write a JPEG stream anew from its coefficients: nothing but the picture can be in the result.

Knows ``jpegtran`` (libjpeg-turbo) as a child process with limits: a hostile stream is parsed outside our own process.
Tables that no scan uses, data after the last block and whatever else a parser would have to believe are gone; every
coefficient, and so every decoded pixel, is the same. The entropy-coded bytes may not be.
"""

from __future__ import annotations

import re
import subprocess
from typing import Final

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError

SECONDS: Final = 60
MEMORY_BYTES: Final = 2 * 1024**3
WARNED: Final = 2
# Bytes between the last block and the end marker: what is written anew does not have them.
_EXTRANEOUS: Final = re.compile(rb"Corrupt JPEG data: \d+ extraneous bytes before marker 0x[0-9a-f]{2}")
COMMAND: Final = ("prlimit", f"--as={MEMORY_BYTES}", f"--cpu={SECONDS}", "--", "jpegtran", "-copy", "none")


def rewritten(stream: bytes) -> bytes:
    """Return the stream written anew and cleaned.

    Raises:
        DicomwrapError: it can't be read to its end without a complaint, or jpegtran is not installed.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            COMMAND, input=stream, capture_output=True, check=False, timeout=SECONDS
        )
    except FileNotFoundError as error:
        raise UnsupportedPhotographError(
            "jpegtran is not installed.", "Install the Debian package libjpeg-turbo-progs."
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DamagedPhotographError("The stream could not be written anew.", "Keep the original.") from error
    harmless = done.returncode == WARNED and _EXTRANEOUS.fullmatch(done.stderr.strip())
    if not done.stdout or (done.returncode != 0 and not harmless):
        raise DamagedPhotographError("The stream is not a whole JPEG.", "Take the photograph from the camera again.")
    return cleaned(done.stdout)
