"""What is in effect while Orthanc runs: its DICOM modalities, peers and plugins, checked once and held to from then on.

Knows what Orthanc says of itself, and policy.toml's nodes. A later difference, whoever made it, shuts every door until
what was checked is in effect again. Source: ``PUT /modalities`` and ``PUT /peers`` change destinations at run time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.archive.port import ArchiveControl
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.bindings import DicomNode, Verb
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.enforcement.finding import Finding, in_order, refused, require_safe, warned
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

CHANGED: Final = "Orthanc's modalities, peers or plugins are not the ones that were checked"
# What a modality may be asked by, which of policy.toml's verbs it needs; C-GET no plugin can stop, so none has it.
NEEDS: Final[dict[str, tuple[Verb, str]]] = {
    "AllowStore": (Verb.STORE, "C-STORE"),
    "AllowMove": (Verb.MOVE, "C-MOVE"),
    "AllowFind": (Verb.FIND, "C-FIND"),
    "AllowFindWorklist": (Verb.FIND, "the worklist"),
}
WRITTEN_OUT: Final = (*NEEDS, "AllowEcho", "AllowGet", "AllowNAction", "AllowEventReport")
KNOWN_OF_A_NODE: Final = frozenset(
    {*WRITTEN_OUT, "AET", "AllowStorageCommitment", "AllowTranscoding", "Host", "LocalAet", "Manufacturer", "Port",
     "RetrieveMethod", "Timeout", "UseDicomTls"}
)  # fmt: skip
GUARDED_PLUGINS: Final = frozenset({"python", "dicom-web", "postgresql-index", "postgresql-storage", "explorer.js"})
PLUGIN_DOORS: Final[dict[str, str]] = {
    "multitenant-dicom": "it opens DICOM servers of its own, past every hook",
    "serve-folders": "it serves folders of the disk",
    "transfers": "it sends and serves whole objects by routes of its own",
    "authorization": "its tokens are let through by routes of its own",
    "delayed-deletion": "it keeps what was destroyed",
    "worklists": "it answers worklist queries instead of Consentgate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InEffect:
    """What Orthanc says of itself."""

    modalities: Mapping[str, object]
    peers: Mapping[str, object]
    plugins: tuple[str, ...]


def ask(control: ArchiveControl) -> InEffect:
    """Return what is in effect now."""
    return InEffect(modalities=control.modalities(), peers=control.peers(), plugins=control.plugins())


def effective_findings(found: InEffect, policy: Policy) -> tuple[Finding, ...]:
    """Return what opens a door that nobody guards, refusals first."""
    return in_order(
        (
            *modality_findings(found.modalities, policy),
            *peer_findings(found.peers),
            *plugin_findings(found.plugins),
        )
    )


def modality_findings(modalities: Mapping[str, object], policy: Policy) -> Iterator[Finding]:
    """Check each DICOM modality: written out in full, C-GET off, and the same node in policy.toml."""
    for name, modality in modalities.items():
        option = f"DicomModalities.{name}"
        if not isinstance(modality, dict):
            yield refused(
                option,
                "The short form allows every service, C-GET included, which no plugin can stop.",
                'Write it as an object with "AET", "Host", "Port" and "AllowGet": false.',
            )
            continue
        yield from _modality_findings(option, modality, policy)


def _modality_findings(option: str, modality: Mapping[str, object], policy: Policy) -> Iterator[Finding]:
    if modality.get("AllowGet", True) is not False:
        yield refused(option, "C-GET is allowed, and no plugin can stop it.", 'Set "AllowGet": false.')
    node = policy.node(str(modality.get("AET", "")))
    if node is None or node.host != str(modality.get("Host", "")):
        yield refused(
            option,
            "No node of policy.toml has this AE title and host, so nobody has said what it may have.",
            "Add the node to policy.toml, or take the modality out of orthanc.json.",
        )
        return
    yield from _service_findings(option, modality, node)


def _service_findings(option: str, modality: Mapping[str, object], node: DicomNode) -> Iterator[Finding]:
    if Verb.STORE not in node.may and _commits(modality):
        yield refused(
            option,
            "Storage commitment is allowed, and tells which pictures exist to a node that stored none.",
            'Set "AllowNAction": false, and leave "AllowStorageCommitment" out.',
        )
    for service, (verb, name) in NEEDS.items():
        if verb not in node.may and modality.get(service, True) is not False:
            yield warned(option, f"{name} is allowed here and refused by policy.toml.", f'Set "{service}": false.')
    if unsaid := [f'"{service}"' for service in WRITTEN_OUT if service not in modality]:
        yield warned(option, "What a modality doesn't say, Orthanc allows.", f"Write out {', '.join(unsaid)}.")
    if unknown := sorted(modality.keys() - KNOWN_OF_A_NODE):
        yield warned(option, f"Orthanc does not know {', '.join(unknown)}.", "Correct it, or take it out.")


def _commits(modality: Mapping[str, object]) -> bool:
    """Tell whether storage commitment is allowed; the shorter option counts where both are there."""
    return modality.get("AllowStorageCommitment", modality.get("AllowNAction", True)) is not False


def peer_findings(peers: Iterable[str]) -> Iterator[Finding]:
    """Check that there is no peer: none is bound to a purpose, so none may have a picture."""
    for name in peers:
        yield refused(
            f"OrthancPeers.{name}", "Peers are sent images without being asked about.", "Take it out of orthanc.json."
        )


def plugin_findings(plugins: tuple[str, ...]) -> Iterator[Finding]:
    """Check the plugins loaded: one that is not known could open a door of its own."""
    for name in plugins:
        if name not in GUARDED_PLUGINS:
            yield refused(
                "Plugins",
                f"Plugin '{name}' is loaded: {PLUGIN_DOORS.get(name, 'its doors are not guarded')}.",
                'List only the Python and DICOMweb plugins under "Plugins", Python first.',
            )


class Standing:
    """What was checked at the start, and whether it still is what is in effect.

    Args:
        services: the gate and the policy.
        control: what Orthanc says of itself.
    """

    def __init__(self, services: Services, control: ArchiveControl) -> None:
        self.services = services
        self.control = control
        self.checked: InEffect | None = None
        self.differs = False

    def check(self) -> None:
        """Check what is in effect, and hold to it from now on.

        Raises:
            OpenExitError: a modality, a peer or a plugin opens a door.
        """
        found = ask(self.control)
        require_safe(effective_findings(found, self.services.policy))
        self.checked = found

    def look_again(self) -> None:
        """Shut every door while something else is in effect, or nobody can tell; open them once it is right again."""
        if self.checked is None:
            return
        differs = not self._is_in_effect(self.checked)
        if differs:
            self.services.gate.close(CHANGED)
        if differs is not self.differs:
            self.differs = differs
            self._note(CHANGED if differs else "what was checked is in effect again")
        if not differs:
            self.services.gate.open(CHANGED)

    def _is_in_effect(self, checked: InEffect) -> bool:
        try:
            return ask(self.control) == checked
        except Exception:  # an Orthanc that can't say what is in effect is treated as a changed one
            logger.exception("Orthanc could not be asked what is in effect")
            return False

    def _note(self, detail: str) -> None:
        logger.warning("%s", detail)
        self.services.gate.note(
            AuditEvent(
                id=self.services.ids(),
                at=self.services.clock(),
                event=EventType.APPLICATION_ACTIVITY,
                outcome=Outcome.FAILURE if self.differs else Outcome.SUCCESS,
                actor="consentgate",
                door="configuration",
                policy=self.services.policy.sha256,
                detail=detail,
            )
        )
