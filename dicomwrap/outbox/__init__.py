"""A folder of photographs on their way to an archive, safe against crashes at any moment."""

from dicomwrap.outbox.machine import Outbox, claimed
from dicomwrap.outbox.ports import Archive, Made, Told, What, Wrap
from dicomwrap.outbox.task import State, Task, Uids

__all__ = ["Archive", "Made", "Outbox", "State", "Task", "Told", "Uids", "What", "Wrap", "claimed"]
