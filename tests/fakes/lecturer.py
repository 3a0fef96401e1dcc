"""An account with three purposes: care with emergency access, anonymised teaching, and an audit that only lists."""

from __future__ import annotations

LECTURER = """
[[users]]
name = "lecturer"
roles = ["view", "break-glass"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
may_view_intimate = true

[[users.also]]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
roles = ["view"]

[[users.also]]
purpose = "LOCAL_AUDIT"
audience = "TRUST_CLINICIAN"
roles = ["list"]
"""
