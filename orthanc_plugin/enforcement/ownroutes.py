"""The rows of Consentgate's own REST calls (``endpoints``): each says the role that the account must have.

Knows paths and roles. Must not know what the calls do.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.route import Kind, Route

NO_HOLDINGS: Final = "where a picture's files lie is asked by the execution of a disposition alone"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/consentgate/refusal", Kind.OWN, anybody=True, unrecorded=True),
    Route("GET", "/consentgate/holdings", Kind.FORBIDDEN, reason=NO_HOLDINGS, internal=True),
    Route("GET", "/consentgate/health", Kind.OWN, role=Role.ADMIN, internal=True, unrecorded=True),
    *(
        Route(method, f"/consentgate/{tail}", Kind.OWN, role=role)
        for method, tail, role in (
            ("GET", "openapi.json", Role.CONSENT),
            ("POST", "consents", Role.CONSENT),
            ("POST", "consents/search", Role.CONSENT),
            ("POST", "consents/get", Role.CONSENT),
            ("POST", "consents/history", Role.CONSENT),
            ("POST", "consents/withdrawal", Role.CONSENT),
            ("GET", "consents/{consent}", Role.CONSENT),
            ("GET", "consents/{consent}/history", Role.CONSENT),
            ("POST", "consents/{consent}/withdrawal", Role.CONSENT),
            ("POST", "decisions", Role.CONSENT),
            ("POST", "disclosures/search", Role.CONSENT),
            ("GET", "approvals", Role.CONSENT),
            ("POST", "approvals/{approval}", Role.CONSENT),
            ("GET", "tasks", Role.TASKS),
            ("POST", "tasks/{task}/closure", Role.TASKS),
            ("POST", "break-glass", Role.BREAK_GLASS),
            ("GET", "reviews", Role.REVIEW),
            ("GET", "reviews/{instance_uid}/picture", Role.REVIEW),
            ("POST", "reviews/{instance_uid}/opening", Role.REVIEW),
            ("POST", "reviews/{instance_uid}/proposals", Role.REVIEW),
            ("POST", "reviews/{instance_uid}/regions", Role.REVIEW),
            ("POST", "reviews/{instance_uid}/confirmation", Role.REVIEW),
            ("POST", "reviews/{instance_uid}/rejection", Role.REVIEW),
            ("POST", "retention/facts", Role.FACTS),
        )
    ),
)
