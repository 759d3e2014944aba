"""A proxy in front of a real API server, for faults that no healthy one shows.

Plain HTTP towards the client, HTTPS towards the server, one connection a request. Requests that
no fault takes go through as they are:

    with between(cluster, folder) as proxy:
        proxy.faults.append(Fault("PATCH", reply=Reply(429, {"Retry-After": "1"})))
        run("apply", kubeconfig=proxy.access.kubeconfig)
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from servers.access import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

BREAK, HANG = "break the connection off", "say nothing"
HUNG_SECONDS = 60.0  # longer than any test waits


class Reply(NamedTuple):
    """An answer that the server never gave."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b'{"kind": "Status", "apiVersion": "v1", "message": "by the test"}'


@dataclass
class Fault:
    """What happens to requests of a method whose path holds a text: to so many of them.

    `before` is called before anything is forwarded. `is_late`: the server has done its work
    when the fault happens.
    """

    method: str
    path: str = ""
    times: int = 1
    reply: Reply | str | None = None
    is_late: bool = False
    before: Callable[[], object] | None = None


@dataclass
class Proxy:
    """The running proxy; `access` leads through it. Faults are taken in their order."""

    access: Access
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, method: str, path: str) -> Fault | None:
        """Note a request, and return the fault that befalls it."""
        with self._lock:
            self.seen.append(f"{method} {path}")
            for one in self.faults:
                if one.times > 0 and one.method == method and one.path in path:
                    one.times -= 1
                    return one
        return None

    def count(self, method: str) -> int:
        """Return how many requests of a method came."""
        return sum(line.startswith(f"{method} ") for line in self.seen)


@contextmanager
def between(target: Access, folder: Path) -> Iterator[Proxy]:
    """Run a proxy until the context ends."""
    server = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    access = Access.written(url, target.authority, folder / "proxy.kubeconfig", target.token)
    proxy = Proxy(access)
    server.RequestHandlerClass = _handler(proxy, target)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away, which is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(proxy: Proxy, target: Access) -> type[BaseHTTPRequestHandler]:
    address = urlsplit(target.server)
    context = ssl.create_default_context(cafile=str(target.authority))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault(self.command, self.path)
            if fault is not None and fault.before is not None:
                fault.before()
            instead = fault.reply if fault is not None else None
            if instead is None or (fault is not None and fault.is_late):
                answer = self.forwarded(body)
                instead = instead or answer
            if instead == HANG:
                proxy.hanging.set()
                proxy.released.wait(HUNG_SECONDS)
            if not isinstance(instead, Reply):
                self.close_connection = True
                return
            self.send_response(instead.status)
            for name, value in instead.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(instead.body)))
            self.end_headers()
            self.wfile.write(instead.body)

        do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

        def forwarded(self, body: bytes) -> Reply:
            connection = http.client.HTTPSConnection(
                address.hostname or "", address.port, context=context, timeout=60
            )
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            try:
                connection.request(self.command, self.path, body or None, headers)
                answer = connection.getresponse()
                kept = ("Content-Type", "Warning", "Retry-After")
                told = {name: value for name in kept if (value := answer.getheader(name))}
                return Reply(answer.status, told, answer.read())
            finally:
                connection.close()

        def log_message(self, *words: object) -> None:
            """Keep quiet: a test says what went wrong."""

    return Handler


def status(code: int, message: str, **more: object) -> bytes:
    """Return a Status object as API servers send them."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return json.dumps({**body, "message": message, **more}).encode()
