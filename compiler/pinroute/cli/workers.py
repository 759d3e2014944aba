"""Work on several things at a time, which an interrupted command does not have to wait for."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Workers(Generic[T, R]):
    """Threads that work on items, `most` at a time; `futures` has one for each, in their order.

    They are daemons: those of a ThreadPoolExecutor would keep the process from ending while an
    API server does not answer.
    """

    def __init__(self, work: Callable[[T], R], items: Sequence[T], most: int):
        self._work, self._count = work, min(most, len(items))
        self._queue: SimpleQueue[tuple[Future[R], T]] = SimpleQueue()
        self.futures: list[Future[R]] = [Future() for _ in items]
        for pair in zip(self.futures, items, strict=True):
            self._queue.put(pair)

    def start(self) -> None:
        """Begin."""
        for _ in range(self._count):
            Thread(target=_serve, args=(self._work, self._queue), daemon=True).start()


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
    workers = Workers(work, items, most)
    try:
        workers.start()
        return [future.result() for future in workers.futures]
    finally:
        for future in workers.futures:
            future.cancel()
