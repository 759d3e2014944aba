"""Pieces of work that an interrupt does not cut in two."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def whole() -> Iterator[None]:
    """Let an interrupt wait for the end of what is done here; for the first thread only.

    A signal mask would not do: with several threads another one takes the signal, and Python
    raises KeyboardInterrupt in the first one all the same.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody has decided already what becomes of interrupts
        return
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
