"""The rules by name, and the guidance behind each.

Knows rule ids and citations, nothing else. Must not decide.

Sources: requirements 2.6 (R0 to R9) and section 1; "GMC recordings" is "Making and using visual and audio recordings of
patients"; "MDU 2013" and "MDU 2017" are the Medical Defence Union's advice on clinical photographs.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final


@unique
class Rule(StrEnum):
    """A clause of requirements 2.6. Values are what decisions and audit rows show."""

    UNKNOWN_PURPOSE = "R0.purpose"
    DISPOSED = "R0.disposed"
    FORBIDDEN_DESTINATION = "R0.destination"
    UNAPPROVED_CHANNEL = "R0.channel"
    QUARANTINED = "R0.quarantined"
    REJECTED = "R0.rejected"
    KEY_OBJECT = "R0.key-object"
    NOT_FILED_YET = "R0.not-filed"
    LAW_PERMITS = "R1.order"
    LAW_UNVERIFIED = "R1.unverified"
    LAW_NOT_COVERING = "R1.not-covering"
    PUBLIC_INTEREST_DECIDED = "R2.decided"
    PUBLIC_INTEREST_UNDECIDED = "R2.undecided"
    OWN_ACCESS = "R3.patient"
    ACCESS_UNVERIFIED = "R3.unverified"
    PARENT_ACCESS = "R3.parent"
    PARENT_ACCESS_CHILD_DECIDES = "R3.child-decides"
    EXECUTOR_ACCESS = "R3.executor"
    ACCESS_NOTED_AGAINST = "R3.no-access"
    ACCESS_AFTER_DEATH = "R3.deceased"
    ACCESS_BY_OTHERS = "R3.others"
    RECORDS_METADATA = "R4.metadata"
    RECORDS_PIXELS = "R4.pixels"
    RECORDS_OTHERS = "R4.others"
    COVERT = "R5"
    PARENTS_DISAGREE = "R6.parents"
    BREAK_GLASS = "R7"
    BREAK_GLASS_UNFOUNDED = "R7.unfounded"
    BREAK_GLASS_REFUSED = "R7.refused"
    BREAK_GLASS_MISUSED = "R7.other-purpose"
    CARE_RECIPIENT = "R8.recipient"
    CARE_SAFEGUARDING = "R8.safeguarding"
    CARE_DENIED = "R8.denied"
    CARE_IMPLICIT = "R8.implicit"
    CARE_CONSENT = "R8.consent"
    CARE_RENEW = "R8.renew"
    CARE_EXPIRED = "R8.expired"
    CARE_UNASSESSED = "R8.unassessed"
    CARE_PROPOSED = "R8.proposed"
    CARE_NO_CONSENT = "R8.none"
    CARE_AUDIT = "R8.audit"
    CARE_ANONYMISED = "R8.anonymised"
    CHILD_INTIMATE = "R9.a"
    SECONDARY_DENIED = "R9.b"
    PARENT_OBJECTS = "R9.c"
    SECTION_251 = "R9.d"
    CONSENTED = "R9.e"
    CONSENT_DEFECT = "R9.e.unusable"
    RECONSENT_DUE = "R9.e.reconsent"
    CHILD_UNASSESSED = "R9.e.unassessed"
    DECEASED_CONSENTED = "R9.e.deceased"
    UNCONSENTED = "R9.f"
    IMPLICIT_ANONYMISED = "R9.f.implicit"
    OLD_TEACHING_COLLECTION = "R9.f.pre-1997"
    GMC17_SWITCH = "R9.f.gmc17"
    DECEASED_UNCONSENTED = "R9.f.deceased"
    ANONYMISED = "R9.anonymised"
    AGE_UNKNOWN = "AGE"
    CHILD_DECIDED = "CHILD"
    OTHERS_HIDDEN = "OTHERS"
    OTHERS_PROPOSED = "OTHERS.proposed"
    SENT_OUTSIDE = "SEND"
    RECIPIENT_UNVERIFIED = "SEND.unverified"
    NO_RULE = "DEFAULT"


CITATIONS: Final[dict[Rule, str]] = {
    Rule.UNKNOWN_PURPOSE: "Caldicott principle 1; requirements 003-82",
    Rule.DISPOSED: "NHS Records Management Code 5; requirements R0",
    Rule.FORBIDDEN_DESTINATION: "MDU 2013 on sharing apps; requirements 000-12, 002-56, 003-78, 004-15b",
    Rule.UNAPPROVED_CHANNEL: "MDU 2017 on messaging apps; requirements 000-8, 001-6, 001-19a",
    Rule.QUARANTINED: "requirements 003-68a",
    Rule.REJECTED: "IHE RAD Imaging Object Change Management; PS3.16 CID 7010",
    Rule.KEY_OBJECT: "PS3.3 A.35.4; Caldicott principle 3",
    Rule.NOT_FILED_YET: "requirements 002-26b, 003-98c",
    Rule.LAW_PERMITS: "MDU 2013 item 9; requirements 000-35b, 003-100b",
    Rule.LAW_UNVERIFIED: "MDU 2013 item 9; requirements 000-35b",
    Rule.LAW_NOT_COVERING: "MDU 2013 item 9; requirements 000-35a, 000-35b",
    Rule.PUBLIC_INTEREST_DECIDED: "MDU 2013 item 9; requirements 000-35c",
    Rule.PUBLIC_INTEREST_UNDECIDED: "MDU 2013 item 9; requirements 000-35c",
    Rule.OWN_ACCESS: "UK GDPR article 15; requirements 003-86",
    Rule.ACCESS_UNVERIFIED: "UK GDPR article 15; requirements 003-86",
    Rule.PARENT_ACCESS: "GMC 0-18 years, access by parents; requirements R3",
    Rule.PARENT_ACCESS_CHILD_DECIDES: "GMC 0-18 years, access by parents; requirements R3",
    Rule.EXECUTOR_ACCESS: "Access to Health Records Act 1990; requirements R3",
    Rule.ACCESS_NOTED_AGAINST: "Access to Health Records Act 1990; GMC recordings 47; requirements R3",
    Rule.ACCESS_AFTER_DEATH: "Access to Health Records Act 1990; requirements R3",
    Rule.ACCESS_BY_OTHERS: "requirements 000-35a, R3",
    Rule.RECORDS_METADATA: "Caldicott principle 3; requirements R4",
    Rule.RECORDS_PIXELS: "Caldicott principle 3; requirements R4",
    Rule.RECORDS_OTHERS: "Caldicott principle 4; requirements R4",
    Rule.COVERT: "MDU 2013 item 10; requirements 000-36",
    Rule.PARENTS_DISAGREE: "GMC recordings 9; requirements R6",
    Rule.BREAK_GLASS: "requirements R7, 2.9",
    Rule.BREAK_GLASS_UNFOUNDED: "requirements R7, 2.9",
    Rule.BREAK_GLASS_REFUSED: "GMC recordings 9; Mental Capacity Act 2005 s1; requirements R7",
    Rule.BREAK_GLASS_MISUSED: "requirements R7, 2.9",
    Rule.CARE_RECIPIENT: "GMC recordings 9; Caldicott principle 4; requirements R8",
    Rule.CARE_SAFEGUARDING: "RCGP and NHS England on remote intimate assessment; requirements 003-62b",
    Rule.CARE_DENIED: "GMC recordings 9; requirements R8, 003-29",
    Rule.CARE_IMPLICIT: "GMC recordings 10; MDU 2013 item 3; requirements 000-29a, 003-44",
    Rule.CARE_CONSENT: "GMC recordings 8, 15; requirements 001-18a, 001-18b",
    Rule.CARE_RENEW: "GMC recordings 28, 35; requirements 000-34d, R8",
    Rule.CARE_EXPIRED: "GMC recordings 9; requirements G-9, R8",
    Rule.CARE_UNASSESSED: "GMC recordings 28, 34; requirements 003-42b",
    Rule.CARE_PROPOSED: "GMC recordings 24; requirements 2.4, R8",
    Rule.CARE_NO_CONSENT: "GMC recordings 8; requirements 001-18a, 001-18b, 003-61",
    Rule.CARE_AUDIT: "GMC recordings 15; requirements R8",
    Rule.CARE_ANONYMISED: "MDU 2017; requirements 001-20a, 001-20c",
    Rule.CHILD_INTIMATE: "Protection of Children Act 1978; requirements 003-62b",
    Rule.SECONDARY_DENIED: "GMC recordings 9; requirements 002-20b",
    Rule.PARENT_OBJECTS: "MDU 2013 item 8; requirements 000-34b",
    Rule.SECTION_251: "NHS Act 2006 s251; national data opt-out; requirements G-NDO",
    Rule.CONSENTED: "GMC recordings 8, 24; requirements 000-28a, 000-35a",
    Rule.CONSENT_DEFECT: "GMC recordings 9, 28-32; requirements 000-33b, 000-33c, 003-62a",
    Rule.RECONSENT_DUE: "GMC recordings 35; MDU 2013 item 8; requirements 000-34d",
    Rule.CHILD_UNASSESSED: "GMC recordings 28, 34; requirements 003-42b",
    Rule.DECEASED_CONSENTED: "GMC recordings 47-48; MDU 2013 item 11; requirements 000-37a, 000-37b",
    Rule.UNCONSENTED: "MDU 2013 item 2; GMC recordings 9; requirements 000-28a, 000-35a",
    Rule.IMPLICIT_ANONYMISED: "GMC recordings 10-12; MDU 2013 item 3; requirements 000-29b",
    Rule.OLD_TEACHING_COLLECTION: "GMC recordings 22-23; requirements G-22",
    Rule.GMC17_SWITCH: "GMC recordings 17; requirements G-17",
    Rule.DECEASED_UNCONSENTED: "GMC recordings 47-51; MDU 2013 item 11; requirements 002-34a, 002-34b",
    Rule.ANONYMISED: "GMC recordings 8, 17; requirements 001-20c, 002-58",
    Rule.AGE_UNKNOWN: "requirements 003-62b, 003-68a",
    Rule.CHILD_DECIDED: "MDU 2013 item 8; requirements 000-34a, 000-34b",
    Rule.OTHERS_HIDDEN: "UK GDPR article 15(4); requirements R3, 2.8",
    Rule.OTHERS_PROPOSED: "UK GDPR article 15(4); requirements R3, 2.4",
    Rule.SENT_OUTSIDE: "requirements 2.6 (last clause), 001-19a",
    Rule.RECIPIENT_UNVERIFIED: "requirements 001-10b, R0 (fail closed)",
    Rule.NO_RULE: "requirements R0 (fail closed)",
}
