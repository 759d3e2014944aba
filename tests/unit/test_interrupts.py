"""An interrupt waits for the end of a piece of work, and then comes."""

import os
import signal
import threading

import pytest

from pinroute.cli.interrupts import whole


def test_an_interrupt_comes_after_the_work() -> None:
    done: list[str] = []

    def work() -> None:
        with whole():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("work")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["work"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_waits_too_where_another_thread_takes_the_signal() -> None:
    taken = threading.Event()

    def take() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        taken.set()

    def work() -> None:
        with whole():
            threading.Thread(target=take).start()
            assert taken.wait(10)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_where_interrupts_are_ignored_they_stay_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with whole():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
