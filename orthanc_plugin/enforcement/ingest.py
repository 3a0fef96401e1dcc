"""The three hooks of the way in: Received, the C-STORE filter, OnStored.

Knows what each may answer Orthanc. Received fails open when it raises, so it refuses instead: MODIFY with no bytes
makes Orthanc answer an error to the sender and store nothing. The C-STORE filter then checks the calling node, and that
intake has accepted what is about to be stored.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

from orthanc_plugin.config.bindings import DicomNode, Verb
from orthanc_plugin.enforcement import keyobjects
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.acceptances import Acceptance, Acceptances
from orthanc_plugin.enforcement.intake import DOOR, WAY_OF_NODES, Intake
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.enforcement.sdk import Instance, Sdk
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.errors import SpoolError
from orthanc_plugin.registry import devices, images
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

UNCHECKED: Final = "a stored instance could not be checked"
# DIMSE status codes (PS3.7 annex C, PS3.4 table B.2-1).
SUCCESS: Final = 0x0000
NOT_AUTHORIZED: Final = 0x0124
OUT_OF_RESOURCES: Final = 0xA700
EXAMINATION_SECONDS: Final = 30.0  # a film is large, and every byte of it is looked at


class Received:
    """Asked about every object before it is stored."""

    def __init__(self, intake: Intake, worker: Worker, sdk: Sdk, senders: Senders, acceptances: Acceptances) -> None:
        self.intake = intake
        self.worker = worker
        self.senders = senders
        self.acceptances = acceptances
        self.actions = sdk.ReceivedInstanceAction
        origins = sdk.InstanceOrigin
        names = ("DICOM_PROTOCOL", "REST_API", "PLUGIN", "LUA", "WEB_DAV")
        self.origins = {getattr(origins, name): name for name in names if hasattr(origins, name)}

    def hook(self, content: bytes, origin: object) -> tuple[object, bytes | None]:
        """Answer Orthanc; never raises, because raising would store the object unasked."""
        try:
            came_by = self.origins.get(origin, "UNKNOWN")
            account = self.senders.account()
            self.acceptances.note(None)
            self.acceptances.expect("")
            verdict = self.worker.within(EXAMINATION_SECONDS, self.intake.examine, content, came_by, account)
            if verdict.refused:
                return self.actions.MODIFY, b""
            if verdict.content is None:
                return self.actions.DISCARD, None
            self.acceptances.expect(verdict.name)
            if came_by == WAY_OF_NODES:  # the others have no filter that could take it back
                self.acceptances.note(
                    Acceptance(content=content, before=verdict.before, name=verdict.name, lost=verdict.lost)
                )
            if verdict.changed:
                return self.actions.MODIFY, verdict.content
            return self.actions.KEEP_AS_IS, None
        except (IntakeRefusedError, SpoolError) as error:
            self._noted(str(error.args[0]), origin)
            return self.actions.MODIFY, b""
        except BaseException:
            logger.exception("an object was refused because it could neither be filed nor kept")
            return self.actions.MODIFY, b""

    def _noted(self, reason: str, origin: object) -> None:
        """Record the refusal; it stands whether that succeeds or not."""
        logger.warning("an object was refused: %s", reason)
        try:
            sender = requesters.unknown(self.origins.get(origin, "UNKNOWN"))
            self.worker.run(self.intake.services.gate.refuse, sender, DOOR, reason, rule="INTAKE_REFUSED")
        except BaseException:
            logger.exception("the refusal of an object could not be recorded")


class Refusal(NamedTuple):
    """Why an object is not stored, and what its sender is told."""

    status: int
    rule: str
    reason: str


class CStoreFilter:
    """Gives the status of each C-STORE whose object Orthanc is about to store; what it refuses is kept, too."""

    def __init__(self, services: Services, intake: Intake, worker: Worker, acceptances: Acceptances) -> None:
        self.services = services
        self.intake = intake
        self.worker = worker
        self.acceptances = acceptances

    def hook(self, instance: Instance) -> int:
        """Answer Orthanc: 0, or the status the sender gets."""
        acceptance = self.acceptances.take()
        try:
            header, aet = json.loads(instance.GetInstanceSimplifiedJson()), instance.GetInstanceRemoteAet()
            if acceptance is not None and self._as_accepted(aet, header, acceptance):
                return SUCCESS
            self.acceptances.expect("")
            return self.worker.within(EXAMINATION_SECONDS, self.status, aet, header, acceptance)
        except BaseException:
            logger.exception("a C-STORE was refused because its check failed")
            return OUT_OF_RESOURCES

    def _as_accepted(self, aet: str, header: Mapping[str, object], acceptance: Acceptance) -> bool:
        """Tell whether a picture that Received has just put on record is what Orthanc reads, and its node may send it.

        By what stood on record then, so nobody is asked again; what isn't plainly so is (``status``).
        """
        node = self.services.policy.node(aet)
        named = bool(acceptance.name) and images.read_as(header) == acceptance.name
        return named and node is not None and Verb.STORE in node.may and devices.keyed(aet) not in acceptance.lost

    def status(self, aet: str, header: Mapping[str, object], acceptance: Acceptance | None) -> int:
        """Return the status for this sender, and the object whose header Orthanc reads so."""
        node = self.services.policy.node(aet)
        lost, known = self.intake.standing(aet, header)
        refusal = _refusal(node, lost, known=known)
        if refusal is None:
            keyobjects.sent(self.services, header, acceptance, node)
            return SUCCESS
        requester, uid = requesters.of_node(aet, node), str(header["SOPInstanceUID"])
        self.services.gate.refuse(requester, "C-STORE", refusal.reason, rule=refusal.rule, subject=uid)
        if acceptance is not None:
            told = f"{refusal.rule}: {refusal.reason}; that it was accepted is taken back"
            self.intake.take_back(acceptance, lost, told)
        return refusal.status


def _refusal(node: DicomNode | None, lost: str, *, known: bool) -> Refusal | None:
    """Return why the object is not stored, None when it is."""
    if node is None or Verb.STORE not in node.may:
        return Refusal(NOT_AUTHORIZED, "UNKNOWN_AE", "the node is not bound in policy.toml to store")
    if lost:
        reason = "the device that sends under this AE title is reported lost"
        return Refusal(NOT_AUTHORIZED, "DEVICE_LOST", reason)
    return None if known else Refusal(OUT_OF_RESOURCES, "NOT_ACCEPTED", "intake has not accepted this object")


class OnStored:
    """Told of every instance that was stored; what it can't check shuts every door until it can."""

    def __init__(self, services: Services, intake: Intake, worker: Worker, acceptances: Acceptances) -> None:
        self.services = services
        self.intake = intake
        self.worker = worker
        self.acceptances = acceptances
        self.unchecked: list[tuple[Mapping[str, object], str]] = []

    def hook(self, instance: Instance, orthanc_instance: str) -> None:
        """Check what was stored; when that fails every door is shut, because a study could hold it unasked."""
        if self.acceptances.expected(orthanc_instance) or self._accepted(orthanc_instance):
            return
        header: Mapping[str, object] = {}
        try:
            header = json.loads(instance.GetInstanceSimplifiedJson())
            self.worker.run(self.intake.stored, header, orthanc_instance)
        except BaseException:
            logger.exception("a stored instance could not be checked, so every door is shut until it is")
            self.unchecked.append((header, orthanc_instance))
            self.services.gate.close(UNCHECKED)

    def _accepted(self, orthanc_instance: str) -> bool:
        """Tell whether intake has accepted it; where that can't be asked, its elements are looked at."""
        try:
            return self.worker.run(self.intake.has_accepted, orthanc_instance)
        except BaseException:
            logger.exception("a stored instance could not be looked up")
            return False

    def settle(self) -> None:
        """Try again what could not be checked; open the doors once nothing is left.

        Raises:
            ConsentgateError: it still can't be.
        """
        while self.unchecked:
            header, orthanc_instance = self.unchecked[0]
            self.intake.stored(header, orthanc_instance)
            del self.unchecked[0]
        self.services.gate.open(UNCHECKED)
