"""Errors of the archive's side; each names its remedy.

Knows nothing but words. A message never carries a patient's identifiers: it may end up in a log.
"""

from __future__ import annotations


class ConsentgateError(Exception):
    """Something was refused or failed, and this is what to do about it.

    Args:
        message: what is wrong, without patient identifiers.
        remedy: what the reader should do; the class's own when left out.
    """

    remedy = "See the documentation."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.args[0]} {self.remedy}"


class ConfigurationError(ConsentgateError):
    """A configuration file can't be used; ``problems`` has every fault with its place."""

    remedy = "Correct the file, then start again."

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.problems = problems

    def __str__(self) -> str:
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"{self.args[0]}{listed}\n{self.remedy}" if listed else super().__str__()


class OpenExitError(ConfigurationError):
    """Orthanc is configured so that images could leave unasked."""

    remedy = "Close each exit in Orthanc's configuration as said, then restart Orthanc."


class RegistryError(ConsentgateError):
    """The registry can't be opened, read or written."""

    remedy = (
        "Check the database named in settings.toml and the rights on its folder, then run 'consentgate db upgrade'."
    )


class SpoolError(ConsentgateError):
    """The quarantine spool can't take or give back a picture."""

    remedy = "Free space or mend the rights on the spool folder named in settings.toml; the sender keeps its copy."


class UnknownImageError(ConsentgateError):
    """No such image in the registry."""

    remedy = "Check the identifier with 'consentgate quarantine list' or in the archive."


class UnknownRecordError(ConsentgateError):
    """No such consent, decision, review or quarantined object."""

    remedy = "List what there is with the matching 'list' command."


class IllegalTransitionError(ConsentgateError):
    """A consent can't go from where it is to where it was asked to go."""

    remedy = "Record a new consent instead; a withdrawn or refused one stays as it is."


class ReleaseRefusedError(ConsentgateError):
    """A permit's obligation can't be met, so nothing is released."""

    remedy = "Meet the obligation named, then ask again."


class DeidentificationError(ReleaseRefusedError):
    """The derived copy could not be proven clean."""

    remedy = "Keep the image; report the case, with the decision id, to information governance."


class ArchiveError(ConsentgateError):
    """The archive did not do what it was asked."""

    remedy = "See Orthanc's log; check that Orthanc is running and that its address in settings.toml is right."


class NotInArchiveError(ArchiveError):
    """The archive doesn't have what it was asked for."""
