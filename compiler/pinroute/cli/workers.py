"""Work on several things at a time, which an interrupted command does not have to wait for."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def start(work: Callable[[T], R], items: Sequence[T], most: int) -> "list[Future[R]]":
    """Begin to work on items, `most` at a time; return a future for each, in their order.

    The threads are daemons: those of a ThreadPoolExecutor would keep the process from ending
    while an API server does not answer.
    """
    queue: SimpleQueue[tuple[Future[R], T]] = SimpleQueue()
    futures: list[Future[R]] = []
    for item in items:
        future: Future[R] = Future()
        futures.append(future)
        queue.put((future, item))
    for _ in range(min(most, len(items))):
        Thread(target=_serve, args=(work, queue), daemon=True).start()
    return futures


def _serve(work: Callable[[T], R], queue: "SimpleQueue[tuple[Future[R], T]]") -> None:
    while True:
        try:
            future, item = queue.get_nowait()
        except Empty:
            return
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(work(item))
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)


def side_by_side(work: Callable[[T], R], items: Sequence[T], most: int) -> list[R]:
    """Return what becomes of each item, in their order; the first error ends it."""
    if len(items) == 1:
        return [work(items[0])]
    futures = start(work, items, most)
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
