"""Copies that Orthanc's core would derive from a stored picture: they would leave its consent behind, so none is made.

Knows the routes that derive, and what to do instead. The one that has a safe form is ``anonymize`` of a picture: it
answers the copy that the account's profile of policy.toml gives, decided on and recorded like any other release, and
files nothing. Source: PS3.15 annex E for what such a copy keeps; Orthanc's own copies keep pixels and free text as they
are and carry no link to a consent.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.terms import Form
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.reply import FORBIDDEN, CallError, Reply
from orthanc_plugin.enforcement.resources import BODY_BYTES, body, found
from orthanc_plugin.enforcement.rest import Call, Endpoint, Handler
from orthanc_plugin.enforcement.withheld import nothing_leaves, withheld
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.sending.packing import Packer, Refusal
from orthanc_plugin.services import Services

DICOM: Final = "application/dicom"
ABOVE: Final = ("/patients/{patient}", "/studies/{study}", "/series/{series}")
INSTANCE: Final = "/instances/{instance}"
ANONYMISED_INSTEAD: Final = (
    "Ask for an archive or a C-MOVE with an account or to a node that policy.toml binds to the form ANONYMISED."
)
CORRECT_INSTEAD: Final = (
    "Correct the patient with 'consentgate patient', the facts of a picture with 'consentgate image'; wrap and store a"
    " picture again that is wrong itself."
)


def no_modified_copy(_services: Services, _call: Call) -> Reply:
    """Refuse a changed copy of a stored picture."""
    raise CallError("Refused: a changed copy has no consent.", status=FORBIDDEN, remedy=CORRECT_INSTEAD)


def no_anonymised_copy(_services: Services, _call: Call) -> Reply:
    """Refuse to file anonymised copies."""
    message = "Refused: Orthanc's anonymised copies keep pixels and free text, and have no consent."
    raise CallError(message, status=FORBIDDEN, remedy=ANONYMISED_INSTEAD)


class Copies:
    """Answers the route for an anonymised copy of one picture.

    Args:
        archive: reads the picture.
    """

    def __init__(self, archive: ImageArchive) -> None:
        self.archive = archive

    def anonymised(self, services: Services, call: Call) -> Reply:
        """Give a picture's anonymised copy, as the account's profile in policy.toml makes it."""
        body(call)  # options are refused: what the copy keeps is the profile's affair
        if call.user.form is not Form.ANONYMISED:
            message = "Refused: the account is not bound to the form ANONYMISED."
            raise CallError(message, status=FORBIDDEN, remedy=ANONYMISED_INSTEAD)
        packer = Packer(services, self.archive)
        (named,) = found(services.database, (call.names["instance"],), (Subject.INSTANCE,))
        if named.rows:
            packed = packer.pack(call.requester, named.rows[0], call.user, call.door)
        else:
            packed = packer.unknown(call.requester, call.door)
        if isinstance(packed, Refusal):
            stays = withheld(named, (packed,), left=0)
            return nothing_leaves((stays,) if stays else (), "The picture may not leave.")
        return Reply(content=packed.released.content, media=DICOM, filename="picture.dcm")


def endpoints(archive: ImageArchive) -> tuple[Endpoint, ...]:
    """Return the endpoints of the routes that derive."""
    modify, anonymise = "modify", "anonymize"
    refused: dict[str, Handler] = {f"{base}/{modify}": no_modified_copy for base in (*ABOVE, INSTANCE)}
    refused |= {f"/studies/{{study}}/{verb}": no_modified_copy for verb in ("split", "merge")}
    refused |= {"/tools/bulk-modify": no_modified_copy, "/tools/bulk-anonymize": no_anonymised_copy}
    refused |= {f"{base}/{anonymise}": no_anonymised_copy for base in ABOVE}
    handlers = {**refused, f"{INSTANCE}/{anonymise}": Copies(archive).anonymised}
    return tuple(
        Endpoint(
            method="POST",
            path=path,
            role=Role.VIEW if path.startswith(INSTANCE) else Role.STORE,
            summary=(handler.__doc__ or "").strip(),
            gives=DICOM,
            handler=handler,
            most=BODY_BYTES,
        )
        for path, handler in handlers.items()
    )
