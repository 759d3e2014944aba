"""One kept connection to a gateway; no redirects, no proxies, and no request is sent twice."""

import http.client
import select
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Timer
from typing import Self

from pinroute.gateway.address import Address
from pinroute.istio.condition import HttpRequest

# A longer or a slower body is not waited for: the connection is given up instead.
MOST_BODY = 1 << 16
BODY_SECONDS = 1.0
WITH_BODY = ("POST", "PUT", "PATCH")


class NoAnswer(Exception):
    """There is no answer to a request; the message says why."""


class Unreachable(NoAnswer):
    """There is no connection to the gateway."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the header lines in order."""

    status: int
    lines: tuple[tuple[str, str], ...]

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a header."""
        return tuple(value for key, value in self.lines if key.lower() == name.lower())


def tls_context(certificates: str | None, *, verify: bool = True) -> ssl.SSLContext:
    """Return how TLS is spoken: `certificates` is a file of authorities to trust instead.

    Raise OSError (ssl.SSLError is one) if the file cannot be used.
    """
    context = ssl.create_default_context(cafile=certificates)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """Asks a gateway; an answer must have come `timeout` seconds after its request."""

    def __init__(self, address: Address, context: ssl.SSLContext | None, timeout: float) -> None:
        self._address = address
        self._context = context
        self._timeout = timeout
        self._connection = http.client.HTTPConnection(address.host, address.port)
        self._connection.auto_open = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def ask(self, request: HttpRequest, headers: Sequence[tuple[str, str]]) -> Answer:
        """Send a request, with these header lines in order; raise NoAnswer."""
        if self._connection.sock is not None and _ended(self._connection.sock):
            self._connection.close()
        if self._connection.sock is None:
            self._connect()
        try:
            connected = self._connection.sock  # http.client lets go of it at a last answer
            with _deadline(connected, self._timeout) as late:
                response = self._exchange(request, headers, late)
            with _deadline(connected, min(self._timeout, BODY_SECONDS)):
                self._finish(response)
        except BaseException:  # an answer may still be on its way, to the wrong request
            self._connection.close()
            raise
        return Answer(response.status, tuple(response.getheaders()))

    def _exchange(
        self, request: HttpRequest, headers: Sequence[tuple[str, str]], late: Callable[[], bool]
    ) -> http.client.HTTPResponse:
        try:
            self._send(request, headers)
        except (ValueError, http.client.InvalidURL):
            raise NoAnswer("the request cannot be written as HTTP/1.1") from None
        except OSError as error:
            raise NoAnswer(f"the connection broke: {_said(error)}") from None
        try:
            response = self._connection.getresponse()
        except TimeoutError:
            raise NoAnswer(self._late()) from None
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
            if late():
                raise NoAnswer(self._late()) from None
            raise NoAnswer("the gateway closed the connection") from None
        except (http.client.HTTPException, ValueError):
            if late():
                raise NoAnswer(self._late()) from None
            raise NoAnswer("what came back is not HTTP/1.1") from None
        except OSError as error:
            raise NoAnswer(f"the connection broke: {_said(error)}") from None
        if late():  # http.client takes a head that was cut off for a whole one
            raise NoAnswer(self._late())
        if response.status < 200:
            raise NoAnswer(f"an interim answer, status {response.status}")
        return response

    def _send(self, request: HttpRequest, headers: Sequence[tuple[str, str]]) -> None:
        connection = self._connection
        connection.putrequest(
            request.method, request.path, skip_host=True, skip_accept_encoding=True
        )
        lines = [("host", request.host), *headers]
        if request.method in WITH_BODY:
            lines.append(("content-length", "0"))
        for name, value in lines:
            connection.putheader(name.encode(), value.encode("utf-8", "surrogateescape"))
        connection.endheaders()

    def _finish(self, response: http.client.HTTPResponse) -> None:
        """Read the rest of a short answer; where that fails the connection is not kept."""
        try:
            response.read(MOST_BODY)
            whole = response.isclosed()
        except (OSError, http.client.HTTPException, ValueError):
            whole = False
        response.close()
        if not whole:
            self._connection.close()

    def _connect(self) -> None:
        target = (self._address.peer, self._address.port)
        try:
            connected = socket.create_connection(target, self._timeout)
        except TimeoutError:
            raise Unreachable(f"no connection within {self._timeout:g} s") from None
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"no connection: {_said(error)}") from None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            try:
                connected = self._context.wrap_socket(
                    connected, server_hostname=self._address.host
                )
            except BaseException as error:
                connected.close()
                if not isinstance(error, OSError | ValueError):
                    raise
                raise Unreachable(f"no TLS: {_said(error)}") from None
        self._connection.sock = connected

    def _late(self) -> str:
        return f"no answer within {self._timeout:g} s"


@contextmanager
def _deadline(connected: socket.socket, seconds: float) -> Iterator[Callable[[], bool]]:
    """Hang up when the time is over, also on a server that sends a byte now and then."""
    late = Event()

    def end() -> None:
        late.set()
        with suppress(OSError):  # it may have ended by itself
            # Not that of SSLSocket, which would go on in plain text.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()
        timer.join()


def _ended(connected: socket.socket) -> bool:
    """Tell whether there is something to read where nothing was asked: the end, as a rule."""
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


def _said(error: Exception) -> str:
    """Return the reason of an error, without the numbers of libraries."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the handshake failed").replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
