"""Work spread over several processes: whoever is free takes the next share.

The first process forks the others, works as they do, and gathers what they send.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, NoReturn, TypeVar

from pinroute.cli.exits import Interrupted

T = TypeVar("T")

_HEAD = 8


class _Child(NamedTuple):
    """A process, and where its answer comes from."""

    process: int
    answer: BinaryIO


def processors() -> int:
    """Return how many processes can run at a time; 1 where forking is not safe."""
    # Another thread might hold a lock, which in a forked process nobody would release.
    if sys.platform != "linux" or not _is_single_threaded():
        return 1
    return len(os.sched_getaffinity(0))


def _is_single_threaded() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def spread(work: Callable[[Iterator[int]], T], shares: int, processes: int) -> tuple[T, list[T]]:
    """Return what `work` makes of this process's shares, and what the others send of theirs.

    `work` is given numbers of shares, one after the other while there are some left; its
    result is plain data, small. There are at most 2,000 shares: any pipe holds their
    numbers. Where no other process can be had, this one does all. Raises Interrupted where
    one ended before it had sent all that it found. No process is left behind, whatever happens.
    """
    try:
        queue, inlet = os.pipe()
    except OSError:
        return work(iter(range(shares))), []
    os.write(inlet, b"".join(number.to_bytes(2, "big") for number in range(shares)))
    os.close(inlet)
    children: list[_Child] = []
    try:
        with _uninterrupted():
            for _ in range(processes - 1):
                child = _forked(work, queue)
                if child is None:
                    break
                children.append(child)
        own = work(_taken(queue))
        answers = []
        while children:
            data = children[0].answer.read()
            answers.append(_unpacked(children.pop(0), data))
        return own, answers
    finally:
        os.close(queue)
        for child in children:
            os.kill(child.process, signal.SIGKILL)
            _ended(child)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let an interrupt wait until every process is known."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _taken(queue: int) -> Iterator[int]:
    """Yield the numbers that this process gets: each is read whole, and by one process only."""
    while number := os.read(queue, 2):
        yield int.from_bytes(number, "big")


def _forked(work: Callable[[Iterator[int]], T], queue: int) -> _Child | None:
    """Return another process that works, None if there can be none."""
    parent = os.getpid()
    try:
        answer, outlet = os.pipe()
    except OSError:
        return None
    try:
        process = os.fork()
    except OSError:
        os.close(answer)
        os.close(outlet)
        return None
    if process == 0:
        _work(work, _while_alive(parent, queue), outlet)
    os.close(outlet)
    return _Child(process, os.fdopen(answer, "rb"))


def _while_alive(parent: int, queue: int) -> Iterator[int]:
    """Yield numbers as long as somebody waits for the answer."""
    for number in _taken(queue):
        if os.getppid() != parent:
            return
        yield number


def _work(
    work: Callable[[Iterator[int]], T],
    numbers: Iterator[int],
    outlet: int,
) -> NoReturn:
    """Work, send the result, and end at once: what the first process has begun is its own."""
    code = 1
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # end without a word
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        data = pickle.dumps(work(numbers), pickle.HIGHEST_PROTOCOL)
        with os.fdopen(outlet, "wb") as file:
            file.write(len(data).to_bytes(_HEAD, "big") + data)
        code = 0
    finally:
        os._exit(code)  # whatever has happened: the first process says so


def _unpacked(child: _Child, data: bytes) -> Any:
    code = _ended(child)
    if len(data) < _HEAD or len(data) - _HEAD != int.from_bytes(data[:_HEAD], "big"):
        how = f"ended with code {code}" if code >= 0 else f"was ended by signal {-code}"
        raise Interrupted(f"a process that read some of the files {how}")
    return pickle.loads(data[_HEAD:])  # noqa: S301  a process of our own has sent it


def _ended(child: _Child) -> int:
    """Wait for the end of a process; return its exit code, below 0 for a signal."""
    child.answer.close()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child.process, 0)[1])
    except ChildProcessError:  # whoever started us has children forgotten
        return 0
