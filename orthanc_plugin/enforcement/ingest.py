"""The three hooks of the way in: Received, the C-STORE filter, OnStored.

Knows what each may answer Orthanc. Received fails open when it raises, so it refuses instead: MODIFY with no bytes
makes Orthanc answer an error to the sender and store nothing. The C-STORE filter then checks the calling node, and that
intake has accepted what is about to be stored. OnStored waits until that is on record (``underway``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from orthanc_plugin.config.bindings import DicomNode, Verb
from orthanc_plugin.enforcement import bynode, keyobjects
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.acceptances import Acceptance, Acceptances
from orthanc_plugin.enforcement.announced import Announced
from orthanc_plugin.enforcement.coming import Tell, Verdict
from orthanc_plugin.enforcement.intake import DOOR, WAY_OF_NODES, Intake
from orthanc_plugin.enforcement.reading import LONGEST_IDENTITY, IntakeRefusedError
from orthanc_plugin.enforcement.sdk import Instance, Sdk
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.enforcement.underway import Filing, Sent
from orthanc_plugin.errors import RegistryError, SpoolError
from orthanc_plugin.registry import devices, images
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

UNCHECKED: Final = "a stored instance could not be checked"
# DIMSE status codes (PS3.7 annex C, PS3.4 table B.2-1).
SUCCESS: Final = 0x0000
NOT_AUTHORIZED: Final = 0x0124
OUT_OF_RESOURCES: Final = 0xA700
# Orthanc's words for how a header is told: by keyword, without private, unknown or binary elements.
BY_KEYWORD: Final = 3
WORDS_ALONE: Final = 0
EXAMINATION_SECONDS: Final = 30.0  # a film is large, and every byte of it is looked at


class Received:
    """Asked about every object before it is stored."""

    def __init__(
        self,
        intake: Intake,
        worker: Worker,
        sdk: Sdk,
        senders: Senders,
        acceptances: Acceptances,
        announced: Announced | None = None,
    ) -> None:
        self.intake = intake
        self.worker = worker
        self.senders = senders
        self.acceptances = acceptances
        self.announced = announced or Announced(intake.services.gate)
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
            sent = Sent(content, came_by, account)
            work = self.worker.early(EXAMINATION_SECONDS, partial(self._examined, sent, threading.get_ident()))
            verdict = work.answer()
            if verdict.refused:
                return self.actions.MODIFY, b""
            if verdict.content is None:
                return self.actions.DISCARD, None
            # Only of what is expected by its name; nothing else is kept in memory until the thread's next object.
            filing = Filing(sent=sent, stored=verdict.content, work=work) if verdict.name else None
            self.acceptances.expect(verdict.name, filing)
            if came_by == WAY_OF_NODES:  # the others have no filter that could take it back
                before, name, nodes = verdict.before, verdict.name, verdict.nodes
                self.acceptances.note(Acceptance(content=content, before=before, name=name, nodes=nodes, filing=filing))
            if verdict.changed:
                return self.actions.MODIFY, verdict.content
            return self.actions.KEEP_AS_IS, None
        except (IntakeRefusedError, SpoolError) as error:
            self._noted(str(error.args[0]), origin)
            return self.actions.MODIFY, b""
        except BaseException:
            logger.exception("an object was refused because it could neither be filed nor kept")
            return self.actions.MODIFY, b""

    def _examined(self, sent: Sent, thread: int, tell: Tell) -> Verdict:
        """Have intake examine it; while a door is shut because something could not be filed, nobody is told early.

        What Orthanc's ``thread`` announced is taken here: of work that no thread begins it stays announced.
        """
        first = self.announced.take(thread)
        try:
            early = tell if self.intake.services.gate.closed is None else None
            return self.intake.examine(sent.content, sent.origin, sent.account, first, early)
        except BaseException:
            self.announced.leave(first)
            raise

    def _noted(self, reason: str, origin: object) -> None:
        """Record the refusal; it stands whether that succeeds or not."""
        logger.warning("an object was refused: %s", reason)
        try:
            self.worker.run(self.announced.write)
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
            aet = instance.GetInstanceRemoteAet()
            if acceptance is not None and acceptance.name and self._as_accepted(aet, instance, acceptance):
                return SUCCESS
            self.acceptances.expect("")
            header = json.loads(instance.GetInstanceSimplifiedJson())
            if acceptance is not None and acceptance.filing is not None:
                self._settle(acceptance.filing)
            return self.worker.within(EXAMINATION_SECONDS, self.status, aet, header, acceptance)
        except BaseException:
            logger.exception("a C-STORE was refused because its check failed")
            return OUT_OF_RESOURCES

    def _settle(self, filing: Filing) -> None:
        """Wait until it is certain whether the picture is on record; what isn't will be refused, and kept.

        Raises:
            TimeoutError: nobody can tell.
        """
        try:
            self.worker.settled(EXAMINATION_SECONDS, filing.work)
        except TimeoutError:
            raise
        except Exception:  # asked of the registry next, like whatever isn't plainly so
            logger.exception("a picture that was accepted could not be put on record")

    def _as_accepted(self, aet: str, instance: Instance, acceptance: Acceptance) -> bool:
        """Tell whether a picture that Received has just put on record is what Orthanc reads, and its node may send it.

        By what stood on record then, so nobody is asked again; what isn't plainly so is (``status``).
        """
        if acceptance.filing is not None and acceptance.filing.failed:
            return False
        node = self.services.policy.node(aet)
        if node is None or Verb.STORE not in node.may or devices.keyed(aet) in acceptance.nodes:
            return False
        # What is longer is given as null, so that it is no name that was accepted.
        names = json.loads(instance.GetInstanceAdvancedJson(BY_KEYWORD, WORDS_ALONE, LONGEST_IDENTITY))
        return images.read_as(names) == acceptance.name

    def status(self, aet: str, header: Mapping[str, object], acceptance: Acceptance | None) -> int:
        """Return the status for this sender, and the object whose header Orthanc reads so."""
        node = self.services.policy.node(aet)
        lost, known = self.intake.standing(aet, header)
        device, refusal = lost, _refusal(node, lost, known=known)
        if refusal is None:
            device, against = bynode.sent(self.services, aet, acceptance)
            refusal = _against(against)
        if refusal is None:
            keyobjects.sent(self.services, header, acceptance, node)
            return SUCCESS
        requester, uid = requesters.of_node(aet, node), str(header["SOPInstanceUID"])
        self.services.gate.refuse(requester, "C-STORE", refusal.reason, rule=refusal.rule, subject=uid)
        if acceptance is not None:
            told = f"{refusal.rule}: {refusal.reason}; that it was accepted is taken back"
            self.intake.take_back(acceptance, device, told)
        return refusal.status


def _refusal(node: DicomNode | None, lost: str, *, known: bool) -> Refusal | None:
    """Return why the object is not stored, None when it is."""
    if node is None or Verb.STORE not in node.may:
        return Refusal(NOT_AUTHORIZED, "UNKNOWN_AE", "the node is not bound in policy.toml to store")
    if lost:
        reason = "the device that sends under this AE title is reported lost"
        return Refusal(NOT_AUTHORIZED, "DEVICE_LOST", reason)
    return None if known else Refusal(OUT_OF_RESOURCES, "NOT_ACCEPTED", "intake has not accepted this object")


def _against(reasons: tuple[str, ...]) -> Refusal | None:
    """Return why a device's picture is not stored, None when nothing stands against it."""
    if not reasons:
        return None
    rule, _, words = "; ".join(reasons).partition(": ")
    return Refusal(NOT_AUTHORIZED, rule, words)


class Unchecked(NamedTuple):
    """What was stored and could not be checked: its elements, Orthanc's name for it, and how it was being filed."""

    header: Mapping[str, object]
    orthanc_instance: str
    filing: Filing | None


class OnStored:
    """Told of every instance that was stored; what it can't check shuts every door until it can.

    Orthanc answers the sender after that: so of what was accepted it waits until it is on record.
    """

    def __init__(self, services: Services, intake: Intake, worker: Worker, acceptances: Acceptances) -> None:
        self.services = services
        self.intake = intake
        self.worker = worker
        self.acceptances = acceptances
        self.unchecked: list[Unchecked] = []
        self._mutex = threading.Lock()

    def hook(self, instance: Instance, orthanc_instance: str) -> None:
        """Check what was stored; when that fails every door is shut, because a study could hold it unasked."""
        try:
            self._look_at(instance, orthanc_instance)
        finally:
            self.acceptances.forget()

    def _look_at(self, instance: Instance, orthanc_instance: str) -> None:
        expected = self.acceptances.expected(orthanc_instance)
        filing = expected.filing if expected is not None else None
        if (expected is not None and self._filed(filing)) or self._accepted(orthanc_instance):
            return
        stored = Unchecked({}, orthanc_instance, filing)
        try:
            stored = stored._replace(header=json.loads(instance.GetInstanceSimplifiedJson()))
            self.worker.run(self._check, stored)
        except BaseException:
            logger.exception("a stored instance could not be checked, so every door is shut until it is")
            with self._mutex:
                self.unchecked.append(stored)
                self.services.gate.close(UNCHECKED)

    def _filed(self, filing: Filing | None) -> bool:
        """Wait until the picture is on record; False when it isn't."""
        try:
            if filing is not None:
                self.worker.settled(self.worker.seconds, filing.work)
        except BaseException:
            logger.exception("a picture that the archive has stored could not be put on record")
            return False
        return True

    def _accepted(self, orthanc_instance: str) -> bool:
        """Tell whether intake has accepted it; where that can't be asked, its elements are looked at."""
        try:
            return self.worker.run(self.intake.has_accepted, orthanc_instance)
        except BaseException:
            logger.exception("a stored instance could not be looked up")
            return False

    def _check(self, stored: Unchecked) -> None:
        """File what could not be filed while it was stored; no door shows what may not be, or what nobody asked about.

        Raises:
            ConsentgateError: it still can't be.
        """
        filing, sha256 = stored.filing, ""
        if filing is not None:
            if not filing.work.ended:
                raise RegistryError("A picture is still being put on record.")
            if self.intake.has_accepted(stored.orthanc_instance):
                return
            sha256 = hashlib.sha256(filing.stored).hexdigest()
            with suppress(IntakeRefusedError):
                sent = filing.sent
                if self.intake.examine(sent.content, sent.origin, sent.account).content is not None:
                    return
        self.intake.stored(stored.header, stored.orthanc_instance, sha256)

    def settle(self) -> None:
        """Try again what could not be checked; open the doors once nothing is left.

        Raises:
            ConsentgateError: it still can't be.
        """
        while self.unchecked:
            self._check(self.unchecked[0])
            del self.unchecked[0]
        with self._mutex:
            if not self.unchecked:  # nothing came in between
                self.services.gate.open(UNCHECKED)
