"""Requests to an API server: bounded attempts, credentials that go with them, warnings kept.

What failed on its way, or with a status that may pass, is sent again: a write names the
version that it is for, so that a second one does no harm. `Retry-After` is obeyed.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from pinroute.cluster.api.credentials import Credentials, Headers
from pinroute.cluster.api.failure import ClusterFailure, Unauthorized
from pinroute.cluster.api.kinds import Body
from pinroute.cluster.api.silence import silence
from pinroute.cluster.api.transport import Server, Transport

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  # seconds
PATIENCE = 30.0  # seconds, for a server that was there before, if no timeout says otherwise
AGENT = "pinroute"
_PASSING = frozenset({429, 503})  # busy, or starting
_AGAIN = _PASSING | {500, 502, 504}

Query = Mapping[str, str]


class Reply(NamedTuple):
    """The status and the body, decoded where it is JSON."""

    status: int
    body: Any


class Exchange:
    """Requests and replies, over a pool of connections; may be used by several threads."""

    def __init__(self, transport: Transport, who: Credentials, timeout: float | None):
        self._transport, self._who = transport, who
        self._timeout = timeout
        self._lock = threading.Lock()
        self._is_identified = self._has_answered = False
        self._warnings: dict[str, None] = {}

    @property
    def server(self) -> Server:
        """The API server."""
        return self._transport.server

    @property
    def is_in_the_clear(self) -> bool:
        """Whether everybody on the way can read along."""
        return self._transport.is_in_the_clear

    def warnings(self) -> list[str]:
        """Return, once, what the API server warned of since the last call."""
        with self._lock:
            found, self._warnings = list(self._warnings), {}
        return found

    def unauthorized(self) -> Unauthorized:
        """Return what a reply means that does not take our credentials."""
        return Unauthorized(
            f"the API server {self.server.url} does not take the credentials of "
            f"{self._who.shown} (401 Unauthorized)",
            "log in again, or renew the token or certificate",
        )

    @contextmanager
    def stream(self, path: str, query: Query, seconds: float) -> Iterator["BaseHTTPResponse"]:
        """Send a request whose reply goes on for so many seconds; it is not repeated."""
        from urllib3.exceptions import HTTPError

        patience = None if self._timeout is None else self._timeout + seconds
        target, headers = f"{path}?{urlencode(query)}", self._headers()
        try:
            response = self._transport.request("GET", target, headers, None, patience, stream=True)
            try:
                yield response
            finally:
                response.close()
        except HTTPError as error:
            raise silence(error, self.server, patience) from None

    def send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body | None = None,
        content: str = "application/json",
    ) -> Reply:
        """Send a request, again where that may help; the last reply or failure counts.

        A failure tells whether any of the attempts may have been carried out.
        """
        end = time.monotonic() + (PATIENCE if self._timeout is None else self._timeout)
        pause, attempt, is_renewed, is_uncertain = FIRST_PAUSE, 0, False, False
        while True:
            attempt += 1
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            try:
                reply, after = self._once(method, path, query, body, content)
            except ClusterFailure as lost:
                is_uncertain = lost.is_uncertain = lost.is_uncertain or is_uncertain
                if not lost.may_pass or not self._is_worth_it(attempt, True, wait, end):
                    raise
            else:
                self._has_answered = True
                if reply.status == 401 and not is_renewed:
                    is_renewed = True
                    if self._renew():
                        continue
                if reply.status not in _AGAIN or _is_final(reply):
                    return reply
                wait = wait if after is None else after
                if not self._is_worth_it(attempt, reply.status in _PASSING, wait, end):
                    return reply
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _is_worth_it(self, attempt: int, passes: bool, wait: float, end: float) -> bool:
        """Tell whether to try again: a few times, and longer with a server that was there."""
        in_time = time.monotonic() + wait < end
        return in_time and (attempt < ATTEMPTS or (passes and self._has_answered))

    def _renew(self) -> bool:
        with self._lock:
            self._is_identified = False
            return self._who.renew()

    def _once(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Body | None,
        content: str,
    ) -> tuple[Reply, float | None]:
        """Send a request once; return the reply, and when to come back if it says so."""
        from urllib3.exceptions import HTTPError

        headers = list(self._headers())
        data = None
        if body is not None:
            headers.append(("Content-Type", content))
            data = json.dumps(body).encode()
        target = path + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._transport.request(method, target, headers, data, self._timeout)
        except HTTPError as error:
            raise silence(error, self.server, self._timeout) from None
        told = response.headers.getlist("Warning") if "Warning" in response.headers else []
        if told:
            with self._lock:
                self._warnings |= dict.fromkeys(_warning(text) for text in told)
        return Reply(response.status, decoded(response.data)), _seconds(
            response.headers.get("Retry-After")
        )

    def _headers(self) -> Headers:
        return (("Accept", "application/json"), ("User-Agent", AGENT), *self._credentials())

    def _credentials(self) -> Headers:
        with self._lock:  # a plugin may run here, once for all threads
            if not self._is_identified:
                certificate = self._who.certificate()
                if certificate is not None:
                    self._transport.identify(certificate, self._who.shown)
                self._is_identified = True
            return self._who.headers()


def _is_final(reply: Reply) -> bool:
    """Tell whether a 5xx will come again: etcd's limit on size does."""
    said = reply.body.get("message", "") if isinstance(reply.body, dict) else ""
    return "request is too large" in str(said)


def decoded(data: bytes) -> Any:
    """Return what JSON says, and for anything else its text."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:  # a date: rare, and the own pause does as well
        return None


def _warning(header: str) -> str:
    """Return the text of a Warning header: `299 - "text"`."""
    _, quote, rest = header.partition('"')
    return rest.removesuffix('"').replace('\\"', '"') if quote else header
