"""Threads with a stack of our own size: Orthanc's HTTP threads have 100 KiB, on which a parser can kill the server.

A hook hands its work over, waits, and obeys. While it waits the interpreter lock is free. It never waits longer than it
was told to: a registry that hangs makes a door say no, and once every thread hangs the door says so at once. Work is
handed over by two locks and a queue; with eight clients the standard library's futures cost a tenth of a millisecond
more, each time.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

STACK_BYTES: Final = 64 * 1024 * 1024
DECISION_SECONDS: Final = 10.0


class Piece(Generic[T]):
    """A piece of work: begun once, by a thread or by whoever waits for it, or taken back before that."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.ended = False
        self._results: tuple[T, ...] = ()
        self._error: BaseException = RuntimeError("the threads have been stopped")
        self._begun = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()

    def take(self) -> bool:
        """Have it for oneself; False when somebody has it already."""
        return self._begun.acquire(blocking=False)

    def do(self) -> None:
        """Do it, and tell whoever waits."""
        try:
            self._results = (self.work(),)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        self.end()

    def end(self) -> None:
        """Tell whoever waits that no more comes of it."""
        self.ended = True
        self._done.release()

    def wait(self, seconds: float | None) -> bool:
        """Wait so long for its end, as several may; tell whether that came."""
        if came := self._done.acquire(timeout=-1 if seconds is None else seconds):
            self._done.release()
        return came

    def result(self) -> T:
        """Return what came of it, or raise why nothing did."""
        if not self._results:
            raise self._error
        return self._results[0]


class Telling(Piece[T]):
    """A piece of work that may say what comes of it before it has ended.

    Args:
        work: is given what it may say so with, at most once.
    """

    def __init__(self, work: Callable[[Callable[[T], None]], T]) -> None:
        super().__init__(partial(work, self.tell))
        self._told: tuple[T, ...] = ()
        self._heard = threading.Lock()
        self._heard.acquire()

    def tell(self, result: T) -> None:
        """Say what comes of it; how it ends is told to whoever asks whether it is ``settled``."""
        self._told = (result,)
        self._heard.release()

    def end(self) -> None:
        """Tell whoever waits that no more comes of it."""
        super().end()
        if not self._told:
            self._heard.release()

    def listen(self, seconds: float | None) -> bool:
        """Wait so long until it has said so, or has ended; tell whether it did."""
        return self._heard.acquire(timeout=-1 if seconds is None else seconds)

    @property
    def failed(self) -> bool:
        """Tell whether it has ended, and nothing came of it."""
        return self.ended and not self._results

    def answer(self) -> T:
        """Return what it said, or what came of it; or raise why nothing did."""
        return self._told[0] if self._told else self.result()


class Worker:
    """A pool of threads with large stacks.

    Args:
        name: prefix of the threads' names.
        threads: how many pieces of work may run at once.
        seconds: how long a hook waits before it gives up (and refuses); None for ever.
    """

    def __init__(self, name: str, threads: int, seconds: float | None = DECISION_SECONDS) -> None:
        self.threads = threads
        self.seconds = seconds
        self.hanging: set[Piece[object]] = set()
        self._stopped = False
        self._mutex = threading.Lock()
        self._queue: SimpleQueue[Piece[object] | None] = SimpleQueue()
        self._pool = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True) for number in range(threads)
        ]
        before = threading.stack_size(STACK_BYTES)
        try:
            for thread in self._pool:
                thread.start()  # now, while the stack size is ours
        finally:
            threading.stack_size(before)
        atexit.register(self.join)

    def _serve(self) -> None:
        while (piece := self._queue.get()) is not None:
            if piece.take():
                piece.do()
                self.hanging.discard(piece)

    def _submit(self, work: Callable[[], T]) -> Piece[T]:
        piece = Piece(work)
        self._put(piece)
        return piece

    def _put(self, piece: Piece[T]) -> None:
        with self._mutex:
            if self._stopped:
                raise RuntimeError("the threads have been stopped")
            self._queue.put(cast("Piece[object]", piece))

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``work`` returns, or raise what it raises.

        Raises:
            TimeoutError: it took too long, or every thread hangs in work that does.
        """
        return self.within(self.seconds, work, *args, **kwargs)

    def within(self, seconds: float | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the same, but wait so long for it.

        Raises:
            TimeoutError: it took too long, or every thread hangs in work that does.
        """
        self._require_free()
        piece = self._submit(partial(work, *args, **kwargs))
        if not piece.wait(seconds):
            if not piece.take():  # what hasn't begun is forgotten, so that nothing piles up
                self._hang(piece)
            raise TimeoutError("it took too long")
        return piece.result()

    def early(self, seconds: float | None, work: Callable[[Callable[[T], None]], T]) -> Telling[T]:
        """Begin ``work``, and return it once it has said what comes of it, or has ended.

        Raises:
            TimeoutError: it took too long to say so, or every thread hangs in work that does.
        """
        self._require_free()
        piece = Telling(work)
        self._put(piece)
        if not piece.listen(seconds):
            if not piece.take():
                self._hang(piece)
            raise TimeoutError("it took too long")
        return piece

    def settled(self, seconds: float | None, piece: Telling[T]) -> T:
        """Wait so long for the end of what was begun; return what came of it, or raise why nothing did.

        Raises:
            TimeoutError: it took too long; it goes on.
        """
        if not piece.ended and not piece.wait(seconds):
            self._hang(piece)
            raise TimeoutError("it took too long")
        return piece.result()

    def ahead(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """Begin ``work`` on a thread that is free; return what gives its result, and does it itself if none was."""
        piece = self._submit(partial(work, *args, **kwargs))

        def result() -> T:
            if piece.take():
                piece.do()
            else:
                piece.wait(None)
            return piece.result()

        return result

    def share(self, work: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """Do ``work`` on each item, from the last on this thread and from the first on those that are free."""
        begun = [self.ahead(work, each) for each in items]
        return [result() for result in reversed(begun)][::-1]

    def later(self, work: Callable[[], None]) -> None:
        """Have ``work`` done when a thread is free; nobody waits for it."""
        self._submit(work)

    def lead(self, work: Callable[[], None]) -> None:
        """Have ``work`` done, which others wait for by themselves.

        Raises:
            TimeoutError: every thread hangs.
        """
        self._require_free()
        self._submit(work)

    def meet(self) -> None:
        """Return once a thread is free, however long that takes; it waits its turn like any work.

        Raises:
            RuntimeError: no thread takes work any more.
        """
        self._submit(int).wait(None)

    def _require_free(self) -> None:
        if len(self.hanging) >= self.threads:
            raise TimeoutError("every thread hangs")

    def _hang(self, piece: Piece[T]) -> None:
        """Count ``piece`` as hanging until it ends, which may be now."""
        hanging = cast("Piece[object]", piece)
        self.hanging.add(hanging)
        if piece.ended:
            self.hanging.discard(hanging)

    def stop(self) -> None:
        """Take no more work; what has begun is let finish, and who waits for the rest is told that nothing comes."""
        self._close()
        try:
            while True:
                piece = self._queue.get_nowait()
                if piece is not None and piece.take():
                    piece.end()
        except Empty:
            self._dismiss()

    def join(self) -> None:
        """Take no more work, and return once all there is is finished."""
        self._close()
        self._dismiss()
        for thread in self._pool:
            thread.join()

    def _close(self) -> None:
        with self._mutex:
            self._stopped = True
        atexit.unregister(self.join)

    def _dismiss(self) -> None:
        for _ in self._pool:
            self._queue.put(None)
