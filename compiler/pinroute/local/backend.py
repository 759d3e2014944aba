"""Demo backends: one loopback port a name, each answers with what it received."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Self, cast

from pinroute.local.http1 import Message, take


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP port on 127.0.0.1 that speaks HTTP/1.1."""

    port: int


class Backends:
    """HTTP servers in a thread of this process, while the context is open.

    Every request is answered with 200 and the JSON object `{"backend": name, "host",
    "method", "path", "headers"}`, where `headers` maps each lower-case name that was
    received to the list of its values.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._endpoints: dict[str, Endpoint] = {}
        self._connections: set[asyncio.Transport] = set()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        for name in self._names:
            protocol = partial(_Echo, name, self._connections)
            server = self._loop.run_until_complete(
                self._loop.create_server(protocol, "127.0.0.1", 0)
            )
            self._servers.append(server)
            self._endpoints[name] = Endpoint(server.sockets[0].getsockname()[1])
        self._thread = Thread(target=self._loop.run_forever, name="backends", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.abort()
        # One turn of the loop, in which the aborted connections close their sockets.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def endpoint(self, name: str) -> Endpoint:
        """Return where the backend listens; KeyError if there is none of that name."""
        return self._endpoints[name]


class _Echo(asyncio.Protocol):
    """One connection to one backend."""

    def __init__(self, name: str, connections: set[asyncio.Transport]) -> None:
        self._name = name
        self._connections = connections
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while (message := take(self._buffer)) is not None:
                self._transport.write(_answer(self._name, message))
        except ValueError:
            self._transport.abort()


def _answer(backend: str, request: Message) -> bytes:
    method, path, _ = request.start.split(" ", 2)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    host = headers.get("host", [""])[0]
    echo = {"backend": backend, "host": host, "method": method, "path": path, "headers": headers}
    body = json.dumps(echo).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() if method == "HEAD" else head.encode() + body
