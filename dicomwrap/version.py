"""The version of this program; pyproject.toml takes it from here.

A constant, because asking the installed package's metadata takes a sixth of the time that one photograph may take.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
