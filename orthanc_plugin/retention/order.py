"""What is executed, on whose word."""

from __future__ import annotations

from dataclasses import dataclass

from orthanc_plugin.registry.disposals import Batch
from orthanc_plugin.registry.plans import Approval, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A plan, the approval it is executed under, and the execution."""

    plan: Plan
    approval: Approval
    batch: Batch
