"""Do the same work for many tasks, several at a time.

Knows processes. Must not know what the work is. Processes, because wrapping holds Python's lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")
_LARGEST_CHUNK: Final = 16
_CHUNKS_A_JOB: Final = 4

# What the children do and to what: inherited when they are forked, so that neither has to be sent.
_inherited: list[tuple[Callable[[Any], Any], Sequence[Any]]] = []


def each(work: Callable[[Given], Made], tasks: Sequence[Given], jobs: int) -> Iterator[Made]:
    """Do the work for each task and yield the results in the tasks' order, as they come.

    When a child dies, which only the system's lack of memory can bring about, this process does what is left.
    """
    if min(jobs, len(tasks)) <= 1:
        yield from map(work, tasks)
        return
    done = 0
    for made in _in_children(work, tasks, jobs):
        done += 1
        yield made
    yield from map(work, tasks[done:])


def _in_children(work: Callable[[Given], Made], tasks: Sequence[Given], jobs: int) -> Iterator[Made]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    size = max(1, min(_LARGEST_CHUNK, len(tasks) // (_CHUNKS_A_JOB * jobs)))
    _inherited.append((work, tasks))
    try:
        with ProcessPoolExecutor(jobs, mp_context=get_context("fork"), initializer=_end_with_parent) as pool:
            for chunk in pool.map(_chunk, range(0, len(tasks), size), [size] * -(-len(tasks) // size)):
                yield from chunk
    except BrokenProcessPool:
        return
    finally:
        _inherited.pop()


def _end_with_parent() -> None:
    """Have this child end when its parent does, however that comes about: a killed one can't tell it to."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    def watch() -> None:
        if (parent := parent_process()) is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, name="orphaned", daemon=True).start()


def _chunk(start: int, size: int) -> list[Any]:
    work, tasks = _inherited[-1]
    return [work(task) for task in tasks[start : start + size]]
