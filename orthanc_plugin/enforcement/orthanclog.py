"""The plugin's warnings in Orthanc's own log.

Knows Python's log and Orthanc's. Must not let an identifier through: of an exception its kind is told, never its text.
"""

from __future__ import annotations

import logging

from orthanc_plugin.enforcement.sdk import Sdk


class OrthancLog(logging.Handler):
    """Writes the plugin's warnings into Orthanc's log."""

    def __init__(self, sdk: Sdk) -> None:
        super().__init__(logging.WARNING)
        self.sdk = sdk

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; the kind of an exception, never its text, which could carry an identifier."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        self.sdk.LogWarning(f"Consentgate: {record.getMessage()}" + (f" ({kind})" if kind else ""))
