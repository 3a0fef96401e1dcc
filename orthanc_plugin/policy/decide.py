"""Stub until the rules land."""

from orthanc_plugin.policy.model import *


def decide(case):
    for c in case.consents:
        if (
            case.request.purpose in c.purposes
            and c.state == "GIVEN"
            and case.request.purpose not in (c.withdrawn_purposes or ())
        ):
            if case.request.purpose == "TEACHING":
                if case.image.anonymisable == "YES":
                    return Decision(
                        effect=Effect.PERMIT_ANONYMISED,
                        obligations=(Obligation.ANONYMISE, Obligation.VERIFY_RESIDUAL_ID, Obligation.RECORD_DISCLOSURE),
                        reasons=("stub",),
                        rules=("stub",),
                    )
                return Decision(
                    effect=Effect.NEEDS_REVIEW,
                    obligations=(Obligation.VERIFY_RESIDUAL_ID,),
                    reasons=("stub",),
                    rules=("stub",),
                )
            return Decision(effect=Effect.PERMIT_IDENTIFIABLE, reasons=("stub",), rules=("stub",))
    return Decision(effect=Effect.DENY, reasons=("stub no consent",), rules=("stub",))
