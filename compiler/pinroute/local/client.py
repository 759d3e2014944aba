"""A small HTTP/1.1 client that says exactly what it is told, and fast.

Libraries join or refuse repeated headers; here they go out line by line, in order. Many
requests go over a few kept connections, one at a time on each: Envoy takes more than two
pipelined requests that it answers itself (404, 401) for a flood and hangs up.
"""

import select
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pinroute.local.http1 import ENCODING, ERRORS, Message, take


@dataclass(frozen=True, slots=True)
class Request:
    """A request without a body; `headers` are lines in order, and a name may come again."""

    host: str
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `headers` maps lower-case names to their values in order."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes


class Client:
    """Up to `connections` connections to a port of 127.0.0.1, opened when needed, then kept.

    `timeout` is how many seconds the server may be silent. Usable as a context.
    """

    def __init__(self, port: int, *, connections: int = 8, timeout: float = 10.0) -> None:
        self._port = port
        self._limit = connections
        self._timeout = timeout
        self._connections: dict[int, _Connection] = {}
        self._poller = select.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next `send` opens others."""
        for connection in tuple(self._connections.values()):
            self._drop(connection)

    def send(self, requests: Sequence[Request]) -> list[Response]:
        """Return the answers, in the order of the requests, which may not be that of arrival.

        A request is sent again if a kept connection ends before its answer. Raise ValueError
        for a request that would not be one on the wire, ConnectionError when a new connection
        ends without an answer, TimeoutError after too long a silence.
        """
        encoded = [_encoded(request) for request in requests]
        try:
            answers = self._exchange(requests, encoded)
        except BaseException:  # answers may still be on their way, to the wrong requests
            self.close()
            raise
        return [answers[index] for index in range(len(requests))]

    def _exchange(
        self, requests: Sequence[Request], encoded: Sequence[bytes]
    ) -> dict[int, Response]:
        waiting = deque(range(len(requests)))
        answers: dict[int, Response] = {}
        while len(answers) < len(requests):
            self._start(waiting, encoded)
            for connection in self._readable():
                index = connection.busy
                bodiless = index is not None and requests[index].method == "HEAD"
                answer = connection.read(bodiless=bodiless)
                if connection.ended:
                    self._drop(connection)
                if index is None:
                    continue
                if answer is not None:
                    answers[index] = answer
                elif connection.ended and connection.fresh:
                    raise ConnectionError(f"no answer from port {self._port}")
                elif connection.ended:
                    waiting.appendleft(index)
        return answers

    def _start(self, waiting: deque[int], encoded: Sequence[bytes]) -> None:
        idle = [found for found in self._connections.values() if found.busy is None]
        while waiting and (idle or len(self._connections) < self._limit):
            connection = idle.pop() if idle else self._connect()
            index = waiting.popleft()
            connection.busy = index
            connection.write(encoded[index])
            self._watch(connection)

    def _readable(self) -> "list[_Connection]":
        found = []
        ready = self._poller.poll(self._timeout * 1000)
        if not ready:
            raise TimeoutError(f"port {self._port} is silent for {self._timeout:g} s")
        for number, events in ready:
            connection = self._connections[number]
            if events & select.POLLOUT:
                connection.write()
                self._watch(connection)
            if events & ~select.POLLOUT:
                found.append(connection)
        return found

    def _connect(self) -> "_Connection":
        connection = _Connection(
            socket.create_connection(("127.0.0.1", self._port), self._timeout)
        )
        self._connections[connection.socket.fileno()] = connection
        self._watch(connection)
        return connection

    def _watch(self, connection: "_Connection") -> None:
        more = select.POLLOUT if connection.outgoing else 0
        self._poller.register(connection.socket, select.POLLIN | more)

    def _drop(self, connection: "_Connection") -> None:
        del self._connections[connection.socket.fileno()]
        self._poller.unregister(connection.socket)
        connection.socket.close()


class _Connection:
    """One socket: `busy` with the request of that index, `fresh` until its first answer."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self.busy: int | None = None
        self.fresh = True
        self.ended = False
        self.outgoing = bytearray()
        self._broken = False
        self._incoming = bytearray()

    def write(self, data: bytes = b"") -> None:
        """Send what the kernel takes of the data and of what is left from before."""
        self.outgoing += data
        try:
            del self.outgoing[: self.socket.send(self.outgoing)]
        except BlockingIOError:
            pass
        except OSError:  # closed on the other side, but an early answer can be read
            self.outgoing.clear()
            self._broken = True

    def read(self, *, bodiless: bool) -> Response | None:
        """Receive, and return the answer if it is complete now; `ended` tells if it was the last."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data = b""
        self._incoming += data
        while True:
            # An answer "not modified" may tell a length, and has no body all the same.
            message = take(self._incoming, bodiless=bodiless or self._incoming[9:12] == b"304")
            if message is None:
                self.ended = not data
                return None
            answer = _response(message)
            if answer.status >= 200:  # an interim answer is not the answer
                break
        closing = not data or self._broken or "close" in answer.headers.get("connection", ())
        # Bytes that are left over, in either direction, belong to no other request.
        self.ended = closing or bool(self.outgoing or self._incoming) or self.busy is None
        self.busy, self.fresh = None, False
        return answer


def _encoded(request: Request) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {request.host}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError(f"a line break or NUL in {request}")
    if " " in request.path or not request.path:
        raise ValueError(f"an empty path, or a blank in it: {request}")
    return "\r\n".join([*lines, "", ""]).encode(ENCODING, ERRORS)


def _response(message: Message) -> Response:
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in message.headers:
        headers[name] = (*headers.get(name, ()), value)
    return Response(int(message.start.split(" ", 2)[1]), headers, message.body)
