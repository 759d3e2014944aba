"""One server process: started, asked until it is ready, and ended in every case."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
BUILD = Path(__file__).parents[2] / "tools" / "build.py"
TOLD = 40  # lines of a log that are shown
POLL_SECONDS = 0.05


class NotReady(Exception):
    """A server ended, or did not answer in time; the message holds the end of its log."""


class PortTaken(NotReady):
    """Somebody else got a port between our choice and the server's start."""


@dataclass
class Server:
    """A running server, and the file with what it said."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    again: "Callable[[], subprocess.Popen[bytes]]"

    def restart(self) -> None:
        """Kill it and start it with the same words; it takes its time until it is ready."""
        self.stop()
        self.process = self.again()

    def stop(self) -> None:
        """End it at once: its state goes away with the tests, and some drain for a long time."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TOLD:])


@contextmanager
def started(
    command: Sequence[str | Path],
    folder: Path,
    ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60.0,
) -> Iterator[Server]:
    """Run a server in a folder until the context ends; it is usable from the first yes of `ready`.

    `ready` may raise OSError, which is a no. Raise NotReady.
    """
    words = [str(word) for word in command]
    name = Path(words[0]).name
    path = folder / f"{name}.log"

    def start() -> "subprocess.Popen[bytes]":
        with path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *words],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    server = Server(name, start(), path, start)
    try:
        _wait(server, ready, seconds)
        yield server
    finally:
        server.stop()


def _wait(server: Server, ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        code = server.process.poll()
        if code is not None:
            said = server.said()
            kind = PortTaken if "address already in use" in said else NotReady
            raise kind(f"{server.name} ended with code {code} before it was ready:\n{said}")
        try:
            if ready():
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise NotReady(f"{server.name} was not ready within {seconds:g} s:\n{server.said()}")
        time.sleep(POLL_SECONDS)


def until(what: str, holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds; raise TimeoutError, which says what did not."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)


def free_ports(count: int) -> list[int]:
    """Return different loopback ports that nobody listens on."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in held]


def built(name: str) -> Path:
    """Return where a tool is; builds it, which can take minutes, if it is not in the cache."""
    run = subprocess.run(
        [sys.executable, str(BUILD), name], check=True, stdout=subprocess.PIPE, text=True
    )
    return Path(run.stdout.strip())
