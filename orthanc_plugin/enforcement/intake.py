"""The way in: C-STORE, STOW-RS and POST /instances. Accept, clean, keep in quarantine, or refuse.

Knows what an object must bring. Nothing is lost: what may not be filed is in the quarantine spool before the sender is
told it arrived, and what can't even be kept is refused audibly. Orthanc's Received hook fails open, so it never raises,
and the C-STORE filter and the OnStored hook check that what is stored was asked about.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pydicom.dataset import Dataset
from sqlalchemy import Connection

from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.plaintext import text_of
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.enforcement import keyobjects
from orthanc_plugin.enforcement.acceptances import Acceptance
from orthanc_plugin.enforcement.announced import Events
from orthanc_plugin.enforcement.coming import Coming, Tell, Verdict, as_held, spooled
from orthanc_plugin.enforcement.describing import STAMPS, patient_id, row_of
from orthanc_plugin.enforcement.devicerules import Arrival, Judged, Remark, judged, look_into
from orthanc_plugin.enforcement.leftovers import leftovers
from orthanc_plugin.enforcement.objections import (
    day_of,
    must_wait,
    of_claim,
    of_records,
    of_stream,
    taken_back_in_session,
)
from orthanc_plugin.enforcement.reading import (
    IDENTITY,
    IntakeRefusedError,
    parsed,
    streams,
    without_hidden_metadata,
)
from orthanc_plugin.enforcement.taking import taking
from orthanc_plugin.enforcement.underway import LARGE, digested, is_plain
from orthanc_plugin.lifecycle import people
from orthanc_plugin.policy.model import ImageType
from orthanc_plugin.registry import captures, devices, disposals, images, patients, quarantine
from orthanc_plugin.registry.images import ImageRow, with_orthanc_ids
from orthanc_plugin.registry.quarantine import Held, Status
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

DOOR: Final = "intake"
WAY_OF_NODES: Final = "DICOM_PROTOCOL"  # Orthanc's word for what came by C-STORE
AWAITING: Final = "AWAITING_PATIENT_APPROVAL: the patient has not approved the picture yet"
OBJECTED: Final = "Delete it from the device; nothing of it is kept here."
DROPPED: Final = "deleted from the spool; it was never listed"
PLACES: Final = ("orthanc_series", "orthanc_study", "orthanc_patient")
FOUND_IN_SPOOL: Final = "FOUND_IN_SPOOL: the archive stopped before it had told the sender"


class Intake:
    """Examines what comes in.

    Args:
        services: registry, spool, policy, clock.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    def examine(
        self, content: bytes, origin: str, account: str = "", first: Events = (), tell: Tell | None = None
    ) -> Verdict:
        """Decide what becomes of ``content``, and write it down.

        Args:
            content: the object.
            origin: by which way it came.
            account: whose upload it is; '' when that isn't known.
            first: what is written to the trail before, such as the request that brought it.
            tell: is told of a photograph that nobody knows yet, and that is accepted, before that is written down:
                under the write lock, so that nothing slips in between (``underway``).

        Raises:
            ConsentgateError: it can't be taken and can't be kept; the sender must be told.
        """
        dataset = parsed(content)
        frames, stamp = streams(dataset), STAMPS.of(dataset)
        taken = taking(dataset, frames)  # before what is hidden in the stream is taken out
        kept = without_hidden_metadata(dataset, content, frames)
        row = self._row(dataset, stamp, "")
        coming = Coming(
            content=content, arrived="", dataset=dataset, stamp=stamp, row=row, taking=taken, origin=origin, first=first
        )
        if tell is None or len(content) > LARGE:
            coming = digested(coming, kept)
        found = of_stream(dataset, row, frames)  # the costly part, before the write lock is taken
        with self.services.database.writing() as connection:
            # Under one write lock, so that no withdrawal and no stop slips in between the question and the answer.
            new = self._is_new(connection, row)
            if not new or tell is None:
                coming, tell = digested(coming, kept), None
            held = self._still_wanted(connection, coming, new=new)
            coming = replace(coming, account=account or (held.account if held else ""))
            told = self._judged(connection, coming, held)
            row = replace(told.row, consent_id=self._reference(coming, held), size=len(kept), account=coming.account)
            coming = replace(coming, row=row)
            today = hospital_day(self.services.clock())
            known = of_records(connection, self.services.policy.intake, dataset, row, held=held, today=today, new=new)
            known += of_claim(self.services.policy, coming.row, coming.account, held)
            reasons = (*known, *(each.words for each in told.against), *found)
            if reasons or must_wait(connection, self.services.policy.approval.before_filing, coming.row, held):
                coming = digested(coming, kept)
                act = self.services.act(coming.origin, DOOR)
                look_into(connection, act, told.against)
                keyobjects.held(connection, act, coming.row, reasons)
                return replace(self._hold(connection, coming, reasons, held), refused=told.refused)
            self._prepare(connection, coming, told.remarks)
            nodes = devices.nodes(connection) if origin == WAY_OF_NODES else frozenset[str]()
            photograph = row.image_type is ImageType.CLINICAL_PHOTO  # so nothing more follows from it
            name = images.named(row, patient_id(dataset)) if photograph else ""
            verdict = Verdict(content=kept, changed=kept is not content, name=name, nodes=nodes)
            if tell is not None and photograph and is_plain(row):
                tell(verdict)
            coming = digested(coming, kept)
            before = self._accept(connection, coming, held, told.remarks, changed=kept is not content)
        return verdict if before is None else replace(verdict, before=before, name="")

    def _is_new(self, connection: Connection, row: ImageRow) -> bool:
        """Tell whether nobody ever heard of this picture, so that its digest is held against none."""
        uid = row.sop_instance_uid
        return not quarantine.knows(connection, uid) and images.stored_as(connection, uid) is None

    def take_back(self, acceptance: Acceptance, device_id: str, reason: str) -> None:
        """Keep in quarantine what was accepted a moment ago and won't be stored: nothing is lost, no row is left over.

        Args:
            acceptance: the object, and what was on record of it before.
            device_id: the device that sends it; '' when that isn't known.
            reason: why, as quarantine lists it.

        Raises:
            ConsentgateError: it could not be kept; the sender is told in any case.
        """
        coming = self._coming(acceptance.content, WAY_OF_NODES)
        coming = replace(coming, row=replace(coming.row, device_id=device_id or None))
        with self.services.database.writing() as connection:
            held = quarantine.same(connection, coming.row.sop_instance_uid, coming.arrived)
            images.take_back(connection, coming.row.sop_instance_uid, acceptance.before)
            self._hold(connection, coming, (reason,), held)

    def recover(self) -> None:
        """List what is in the spool without a row: the archive was killed between the two, and the sender not told.

        Raises:
            ConsentgateError: the spool or the registry failed.
        """
        with self.services.database.reading() as connection:
            listed = {held.spool_name for held in quarantine.listed(connection, None)}
        for name, content in leftovers(self.services, listed):
            coming = self._coming(content, "SPOOL")
            with self.services.database.writing() as connection:
                self._recovered(connection, coming, name)

    def _coming(self, content: bytes, origin: str) -> Coming:
        """Return an object as it came, to be held."""
        arrived = hashlib.sha256(content).hexdigest()
        dataset = parsed(content)
        stamp = STAMPS.of(dataset)
        return Coming(
            content=content,
            arrived=arrived,
            dataset=dataset,
            stamp=stamp,
            row=self._row(dataset, stamp, arrived),
            taking=taking(dataset, streams(dataset)),
            origin=origin,
        )

    def _recovered(self, connection: Connection, coming: Coming, name: str) -> None:
        """List what nobody asked about yet, unless the patient objected meanwhile: then nothing of it is kept."""
        try:
            self._still_wanted(connection, coming)
        except IntakeRefusedError as refused:
            reason = f"OBJECTED: {refused.args[0]}"
            self._note(connection, coming.origin, coming.row.sop_instance_uid, Outcome.REFUSED, (reason,), DROPPED)
            self.services.spool.drop(name)
        else:
            self._hold(connection, coming, (FOUND_IN_SPOOL,), None)

    def standing(self, aet: str, header: Mapping[str, object]) -> tuple[str, bool]:
        """Return the lost device that sends under this AE title, if any, and whether intake has accepted the instance.

        ``header`` is what Orthanc reads in it.
        """
        with self.services.database.reading() as connection:
            lost, row = devices.lost_node(connection, aet), images.get(connection, str(header["SOPInstanceUID"]))
        return lost, row is not None and row.orthanc_instance == images.read_as(header)

    def has_accepted(self, orthanc_instance: str) -> bool:
        """Tell whether it is on record under the name that Orthanc gives it by what it reads: patient and UIDs."""
        with self.services.database.reading() as connection:
            return bool(images.find(connection, images.Subject.INSTANCE, (orthanc_instance,)))

    def stored(self, header: Mapping[str, object], orthanc_instance: str, sha256: str = "") -> None:
        """Check, after the fact, that what Orthanc stored was accepted; if not, no door may show it.

        Args:
            header: the instance's elements by keyword; what Orthanc calls its series, study and patient, when that
                can't be told by them.
            orthanc_instance: Orthanc's identifier.
            sha256: digest of the stored bytes, when they were read.
        """
        uid = str(header["SOPInstanceUID"])
        seen = Dataset()
        for keyword in IDENTITY:
            setattr(seen, keyword, str(header.get(keyword) or ""))
        placed = {name: str(header[name]) for name in PLACES if name in header}
        found = {**with_orthanc_ids(self._row(seen, None, sha256), str(seen.PatientID)), **placed}
        with self.services.database.writing() as connection:
            row = images.get(connection, uid)
            if row is not None and found["orthanc_instance"] == row.orthanc_instance == orthanc_instance:
                return
            if row is None:
                patients.ensure(connection, str(found["patient_id"]), str(found["issuer"]), None)
            images.distrust(connection, {**found, "orthanc_instance": orthanc_instance})
            self._note(connection, "OnStored", uid, Outcome.FAILURE, ("STORED_UNASKED: refused at every door",))

    def _row(self, dataset: Dataset, stamp: ConsentStamp | None, sha256: str) -> ImageRow:
        issuer, now = self.services.policy.intake.default_issuer, self.services.clock()
        return row_of(dataset, stamp, sha256, issuer=issuer, at=now)

    def _judged(self, connection: Connection, coming: Coming, held: Held | None) -> Judged:
        """Ask the register of devices and operators; a picture came when its bytes first did."""
        arrival = Arrival(
            row=coming.row,
            stamp=coming.stamp,
            taking=coming.taking,
            recognisable=text_of(coming.dataset, "RecognizableVisualFeatures") == "YES",
            at=datetime.fromisoformat(held.received_at) if held else self.services.clock(),
            origin=held.origin if held else coming.origin,
            again=held is not None,
            account=coming.account,
            sender=(held.device_id or "") if held and coming.origin != WAY_OF_NODES else "",  # else the filter asks
        )
        return judged(connection, self.services.policy.intake, arrival)

    def _reference(self, coming: Coming, held: Held | None) -> str | None:
        """Return the consent the object brings, or the one an officer linked to it in quarantine."""
        if held is not None and held.consent_id:
            return held.consent_id
        return (coming.stamp.record_id or None) if coming.stamp else None

    def _still_wanted(self, connection: Connection, coming: Coming, *, new: bool = False) -> Held | None:
        """Return the row of this very object, when it was held before; of a new picture none was.

        Raises:
            IntakeRefusedError: the patient objected, so it is neither filed nor kept.
        """
        uid = coming.row.sop_instance_uid
        held = None if new else quarantine.same(connection, uid, coming.arrived)
        if held is not None and held.status is Status.FILING:
            return held  # accepted before anybody objected: the archive has it, or is about to
        if captures.of_study(connection, coming.row.study_instance_uid) is not None:
            raise IntakeRefusedError("The capture of this study was stopped.", remedy=OBJECTED)
        if not new and quarantine.taken_back(connection, uid) and disposals.stub_of(connection, uid) is None:
            raise IntakeRefusedError("The patient took this picture back before it was filed.", remedy=OBJECTED)
        today = hospital_day(self.services.clock())
        if taken_back_in_session(connection, self._reference(coming, held), coming.row, today):
            raise IntakeRefusedError("Its consent was withdrawn while the pictures were taken.", remedy=OBJECTED)
        return held

    def _hold(self, connection: Connection, coming: Coming, reasons: tuple[str, ...], held: Held | None) -> Verdict:
        """Keep the bytes as they came: file first, then the row; only then may the sender be told.

        Without ``reasons`` the picture waits for the patient's approval; a retry of the sender doesn't prolong it.
        """
        row, now = coming.row, self.services.clock()
        self.services.spool.put(spooled(coming), coming.content)
        until = (now + timedelta(minutes=self.services.policy.approval.window_minutes)).isoformat()
        waiting = held.approve_by if held and held.status is Status.AWAITING_PATIENT_APPROVAL else until
        told = reasons or (AWAITING,)
        keep = as_held(
            coming,
            quarantine_id=held.quarantine_id if held else self.services.ids(),
            reasons=told,
            received_at=held.received_at if held else now.isoformat(),
            status=Status.HELD if reasons else Status.AWAITING_PATIENT_APPROVAL,
            approve_by=None if reasons else waiting,
        )
        quarantine.hold(connection, keep)
        self._note(connection, coming.origin, row.sop_instance_uid, Outcome.REFUSED, told, first=coming.first)
        return Verdict(content=None, reasons=told)

    def _prepare(self, connection: Connection, coming: Coming, remarks: tuple[Remark, ...]) -> None:
        """Record what else an accepted instance says; what is remarked of one that is filed already is no news."""
        row, born = coming.row, day_of(text_of(coming.dataset, "PatientBirthDate"))
        sender, why = self.services.act(coming.origin, DOOR), f"told by the picture {row.sop_instance_uid}"
        people.know(connection, sender, (row.patient_id, row.issuer), born, why)
        if remarks and images.get(connection, row.sop_instance_uid) is None:
            look_into(connection, sender, remarks)

    def _accept(
        self, connection: Connection, coming: Coming, held: Held | None, remarks: tuple[Remark, ...], *, changed: bool
    ) -> ImageRow | None:
        """Record the instance before Orthanc has stored it, and return what was on record of it before."""
        dataset, row, sender = coming.dataset, coming.row, self.services.act(coming.origin, DOOR)
        before = images.expect(connection, row, patient_id(dataset))
        if coming.origin != WAY_OF_NODES:  # of those the filter knows who sends
            keyobjects.accepted(connection, sender, self.services, coming, before)
        if held is not None and held.status is not Status.RELEASED:
            quarantine.filing(connection, held)
        cleaned = ("hidden metadata taken out of the stream",) if changed else ()
        reasons = (*cleaned, *(each.words for each in remarks))
        detail = f"sha256 as it came {coming.arrived}"
        uid = row.sop_instance_uid
        self._note(connection, coming.origin, uid, Outcome.SUCCESS, reasons, detail, first=coming.first)
        return before

    def _note(
        self,
        connection: Connection,
        origin: str,
        subject: str,
        outcome: Outcome,
        reasons: tuple[str, ...],
        detail: str = "",
        first: Events = (),
    ) -> None:
        event = AuditEvent(
            id=self.services.ids(),
            at=self.services.clock(),
            event=EventType.IMPORT,
            outcome=outcome,
            actor=origin,
            door=DOOR,
            subject=subject,
            effect={Outcome.SUCCESS: "ACCEPTED", Outcome.REFUSED: "QUARANTINED"}.get(outcome, "UNASKED"),
            rules=tuple(reason.partition(":")[0] for reason in reasons),
            reasons=reasons,
            policy=self.services.policy.sha256,
            detail=detail,
        )
        append(connection, [*first, event])
