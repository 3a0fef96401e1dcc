"""PostgreSQL connections that give up on a server which has fallen silent.

Knows psycopg's waiting. The server's own limits (``statement_timeout``) and those of TCP hold only while the server, or
its machine, is dead or alive; one that is frozen takes every packet and answers none, and a door would wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from psycopg.abc import PQGen

T = TypeVar("T")
LOOK_SECONDS: Final = 0.1


class MortalConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection that is dropped when no answer comes."""

    silence_seconds = 12.0  # a little more than a statement may take, so that a server that lives says so itself

    def wait(self, gen: PQGen[T], interval: float = LOOK_SECONDS, timeout: float | None = None) -> T:
        """Wait for an answer, but not for ever.

        Raises:
            OperationalError: none came; the connection is closed then.
        """
        try:
            return super().wait(gen, interval, self.silence_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # the answer could still come, and would be taken for another's
            raise
