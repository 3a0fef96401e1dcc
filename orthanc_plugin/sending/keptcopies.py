"""Anonymised copies that are kept: which one a release may have, and which are kept no longer.

Knows everything that a copy comes of, of which nothing is of a single release: no moment, no decision, no recipient
beside the profile. Must not decide: whoever takes a copy from here has asked everything that whoever makes one asks. A
copy with something locked into it for custodians is never kept, since it is encrypted anew each time and their
certificates are read anew. Source: ADR 59.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

import pydicom
from sqlalchemy import Connection

from dicomwrap.bitstream.recipes import EDITION as STREAMS
from dicomwrap.confidentiality import PixelDuty
from dicomwrap.version import VERSION
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.deid.keys import Key
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Answer
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, ImageStatus
from orthanc_plugin.policy.reviewing import Review, Under
from orthanc_plugin.registry import images, reviews
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.keptcopies import About, Kept, KeptCopies, Limits, tidy
from orthanc_plugin.release import Context, Released, require
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.madeby import made_by
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

# Raised by hand whenever a copy may be made, proven or checked otherwise than before by the very same code.
EDITION: Final = 1
DOOR: Final = "copies"
PAGE: Final = 100  # copies that are looked at in one transaction


class Cause(NamedTuple):
    """What a copy comes of beside the original: the profile as it is, its domain's key, and who looked, if anybody."""

    profile: Under
    key: Key
    found: Review | None

    def about(self, row: ImageRow) -> About:
        """Return which copy of a picture it is."""
        of_ours = (str(EDITION), str(STREAMS), VERSION, pydicom.__version__, made_by())
        parts = (*of_ours, self.profile.digest, self.key.mark, *_looked_at(self.found))
        return About(picture=row.sop_instance_uid, original=row.sha256, profile=self.profile.name, parts=parts)


class Shelf:
    """The copies that are kept beside this registry.

    Args:
        services: registry, release and settings.
    """

    def __init__(self, services: Services) -> None:
        made_by()  # now, for files may be exchanged beneath a process that goes on
        self.services = services
        spool = services.settings.spool
        self.copies = KeptCopies(
            services.database,
            services.spool.folder,
            services.heads.key.private_bytes_raw(),
            services.clock,
            Limits(megabytes=spool.copies_megabytes, days=spool.copies_days),
        )

    def about(self, decision: Decision, context: Context, row: ImageRow) -> About | None:
        """Return which copy the release is of, None where it is of none that is ever kept.

        Raises:
            ReleaseRefusedError: it is no permit, or an obligation can't be met.
            ConfigurationError: the key of its pseudonyms can't be had.
        """
        found = self.cause(decision, context, row)
        return None if found is None else found.about(row)

    def cause(self, decision: Decision, context: Context, row: ImageRow) -> Cause | None:
        """Return what the copy that is released comes of, None where it is of none that is ever kept.

        Raises:
            ReleaseRefusedError: it is no permit, or an obligation can't be met.
            ConfigurationError: the key of its pseudonyms can't be had.
        """
        require(decision, context)
        if decision.effect is not Effect.PERMIT_ANONYMISED:
            return None
        release = self.services.release
        profile, found = release.looked_at(context)
        if profile.custodians or (found is not None and found.sha256 != row.sha256):
            return None
        return Cause(release.under(profile.name), release.keys.of(profile.pseudonym_domain), found)

    def foreseen(self, connection: Connection, row: ImageRow, binding: Binding) -> Cause | None:
        """Return what a copy for this recipient would come of if it were permitted, which nobody has asked yet.

        Raises:
            ReleaseRefusedError: the recipient has no profile.
            ConfigurationError: the key of its pseudonyms can't be had.
        """
        release = self.services.release
        profile = release.profile(binding)
        under = release.under(profile.name)
        found = reviews.verdict(connection, row.sop_instance_uid, row.sha256, under)
        looked = found if found is not None and found.outcome is Anonymisable.YES else None
        if profile.custodians or (looked is None and profile.pixels is PixelDuty.CONFIRMED):
            return None
        return Cause(under, release.keys.of(profile.pseudonym_domain), looked)

    def take(self, decision: Decision, context: Context, row: ImageRow) -> Released | None:
        """Return the copy that would be made now, if it was made before and is exactly as it was proven.

        Raises:
            ReleaseRefusedError: it is no permit, or an obligation can't be met.
            ConfigurationError: the key of its pseudonyms can't be had.
        """
        cause = self.cause(decision, context, row)
        return None if cause is None else self.of(cause, row)

    def of(self, cause: Cause, row: ImageRow) -> Released | None:
        """Return the copy that comes of this, if it was made before and is exactly as it was proven."""
        kept = self.copies.of(cause.about(row))
        if kept is None:
            return None
        return Released(
            content=kept.content,
            sha256=kept.sha256,
            sop_instance_uid=kept.sop_instance_uid,
            profile=cause.profile.digest,
            review=cause.found.review_id if cause.found else "",
            key=cause.key,
        )

    def keep(self, answer: Answer, context: Context, row: ImageRow, made: Released) -> bool:
        """Keep what was made and proven, where it may be kept and is still permitted; tell whether it is kept."""
        about = self._said(answer.decision, context, row)
        if about is None:
            return False

        def still(connection: Connection) -> bool:
            try:
                now = self.services.gate.confirm(connection, answer)
            except ReleaseRefusedError:
                return False
            again = self.services.context_in(connection, now, context.binding)
            return self._said(now.decision, again, row) == about

        copy = Kept(content=made.content, sha256=made.sha256, sop_instance_uid=made.sop_instance_uid)
        return self.copies.keep(about, copy, still)

    def tidy(self) -> int:
        """Forget the copies that would be made otherwise now, that nobody may have, or that are old; return how many.

        Then delete the files that nobody can open any more.

        Raises:
            RegistryError: nobody can tell.
            SpoolError: a file is still there.
        """
        gone = self.copies.expire()
        if self.services.gate.closed is None and self.copies.held()[0]:
            gone += sum(map(self._forget, self._stale()))
        self.sweep()
        return gone

    def sweep(self) -> int:
        """Delete the files that nobody can open any more; return how many.

        Raises:
            RegistryError: nobody can tell which they are.
            SpoolError: one is still there.
        """
        return tidy(self.services.database, self.services.spool.folder)

    def _forget(self, numbers: list[int]) -> int:
        self.copies.unkeep(numbers)
        return len(numbers)

    def _stale(self) -> Iterator[list[int]]:
        """Give the rows that are to go, some at a time."""
        last, whose = 0, _by_profile(self.services)
        while True:
            with self.services.database.reading() as connection:
                page = self.copies.rows(connection, last, PAGE)
                good = partial(self._is_good, connection, whose)
                gone = [number for number, *said in page if not good(*said)]
            if not page:
                return
            last = page[-1][0]
            yield gone

    def _is_good(
        self, connection: Connection, whose: Mapping[str, list[Binding]], name: str, uid: str, profile: str
    ) -> bool:
        """Tell whether somebody may have a copy now, and would be given this one."""
        row = images.get(connection, uid)
        if row is None or row.status is not ImageStatus.ACTIVE:
            return False
        for binding in whose.get(profile, ()):
            found = permitted(self.services, connection, uid, binding)
            about = None if found is None else self._said(found[0].decision, found[1], row)
            if about is not None:
                return self.copies.name(about) == name
        return False

    def _said(self, decision: Decision, context: Context, row: ImageRow) -> About | None:
        try:
            return self.about(decision, context, row)
        except ConsentgateError:
            return None


def _looked_at(found: Review | None) -> tuple[str, ...]:
    """Return what of a verdict the copy comes of; a copy that nobody looked at says so itself."""
    if found is None:
        return ("nobody",)
    return (found.review_id, found.pixels, json.dumps(found.regions), json.dumps(found.crop))


def _by_profile(services: Services) -> Mapping[str, list[Binding]]:
    found: dict[str, list[Binding]] = {}
    for each in services.policy.bindings:
        found.setdefault(each.profile or "", []).append(each)
    return found


def permitted(services: Services, connection: Connection, uid: str, binding: Binding) -> tuple[Answer, Context] | None:
    """Return what a recipient would be answered now, and what its obligations are checked against; None of a no.

    Nothing is recorded, so nothing may leave by it.
    """
    request = AccessRequest(requester=bound(DOOR, binding), sop_instance_uid=uid, door=DOOR)
    answer = services.gate.answer(connection, request, services.clock())
    if answer.decision.effect is not Effect.PERMIT_ANONYMISED:
        return None
    context = services.context_in(connection, answer, binding)
    try:
        require(answer.decision, context)
    except ReleaseRefusedError:
        return None
    return answer, context
