"""Requests to an API server: bounded attempts, errors with a name, warnings kept.

What may safely be sent twice is sent again after a lost connection or a 5xx; everything is
after 429, which says that nothing was done. `Retry-After` is obeyed.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from pinroute.cluster.failure import (
    ClusterFailure,
    TimedOut,
    Unreachable,
    Untrusted,
    failure,
)
from pinroute.cluster.kinds import Body, Identity, Kind, identity_of

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds
PAGE = 500  # objects of one answer, as kubectl asks for
MANAGER = "pinroute"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_AGAIN = frozenset({500, 502, 503, 504})


class Answer(NamedTuple):
    """The status and the body, decoded where it is JSON."""

    status: int
    body: Any


class Client:
    """A connection pool to one API server; may be used by several threads."""

    def __init__(self, api: "ApiClient", timeout: float):
        self._api = api
        self._timeout = timeout
        self._lock = threading.Lock()
        self._warnings: dict[str, None] = {}

    @property
    def server(self) -> str:
        """The address of the API server."""
        return str(self._api.configuration.host)

    @property
    def is_verified(self) -> bool:
        """Whether the API server's certificate is checked, as far as there is one."""
        return bool(self._api.configuration.verify_ssl)

    def warnings(self) -> list[str]:
        """Return, once, what the API server warned of since the last call."""
        with self._lock:
            found, self._warnings = list(self._warnings), {}
        return found

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return an object, None if there is none."""
        what = Identity(kind, namespace, name)
        answer = self._send("GET", kind.path(namespace, name))
        if answer.status == 404 and isinstance(answer.body, dict):
            return None
        return self._object("get", what, answer)

    def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> Iterator[Body]:
        """Yield the objects of a namespace, or of all, page by page."""
        where = f"namespace {namespace}" if namespace is not None else "all namespaces"
        what = f"the {kind.resource} of {where}"
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{name}={value}" for name, value in labels.items())
        while True:
            page = self._object("list", what, self._send("GET", kind.path(namespace), query))
            for item in page.get("items") or ():
                yield {"apiVersion": page["apiVersion"], "kind": kind.name, **item}
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = more

    def apply(
        self, body: Body, *, manager: str = MANAGER, force: bool = False, dry_run: bool = False
    ) -> Body:
        """Apply an object server-side; its `resourceVersion`, if any, must still be the live one."""
        what = identity_of(body)
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        query |= {"force": "true"} if force else {}
        query |= {"dryRun": "All"} if dry_run else {}
        path = what.kind.path(what.namespace, what.name)
        return self._object("apply", what, self._send("PATCH", path, query, body, _APPLY))

    def replace(self, body: Body, *, manager: str = MANAGER) -> Body:
        """Replace an object whose `resourceVersion` is still the live one."""
        what = identity_of(body)
        path = what.kind.path(what.namespace, what.name)
        query = {"fieldManager": manager}
        return self._object("replace", what, self._send("PUT", path, query, body))

    def delete(self, body: Body, *, dry_run: bool = False) -> bool:
        """Delete an object as it was read; False if there is none any more."""
        what = identity_of(body)
        metadata = body["metadata"]
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        if dry_run:  # beside a body the API server looks at no query
            options["dryRun"] = ["All"]
        path = what.kind.path(what.namespace, what.name)
        answer = self._send("DELETE", path, None, options)
        if answer.status == 404 and isinstance(answer.body, dict):
            return False
        self._object("delete", what, answer)
        return True

    def _object(self, verb: str, what: Identity | str, answer: Answer) -> Body:
        if 200 <= answer.status < 300 and isinstance(answer.body, dict):
            return answer.body
        raise failure(verb, what, answer.status, answer.body)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content: str = "application/json",
    ) -> Answer:
        """Send a request, again where that is safe; the last answer or failure counts."""
        pause, attempt = FIRST_PAUSE, 0
        while True:
            attempt += 1
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            try:
                answer, after = self._once(method, path, query, body, content)
            except Unreachable:
                # A PUT or DELETE names the version it is for, so a second one does no harm.
                if attempt == ATTEMPTS:
                    raise
            else:
                is_busy = answer.status == 429 or (
                    answer.status in _AGAIN and not _is_final(answer)
                )
                if attempt == ATTEMPTS or not is_busy:
                    return answer
                wait = wait if after is None else min(after, LONGEST_PAUSE)
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Body | None,
        content: str,
    ) -> tuple[Answer, float | None]:
        """Send a request once; return the answer, and when to come back if it says so."""
        from urllib3.exceptions import HTTPError

        headers: dict[str, str] = {"Accept": "application/json", "User-Agent": MANAGER}
        with self._lock:  # a token may be renewed here
            self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body).encode()
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._api.rest_client.pool_manager.request(
                method, url, body=data, headers=headers, retries=False, timeout=self._timeout
            )
        except HTTPError as error:
            raise self._unanswered(error) from None
        told = response.headers.getlist("Warning") if "Warning" in response.headers else []
        if told:
            with self._lock:
                self._warnings |= dict.fromkeys(_warning(text) for text in told)
        return Answer(response.status, _decoded(response.data)), _seconds(
            response.headers.get("Retry-After")
        )

    def _unanswered(self, error: Exception) -> ClusterFailure:
        from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError, SSLError

        if isinstance(error, ReadTimeoutError):
            return TimedOut(
                f"the API server {self.server} did not answer within {self._timeout:g} s",
                "look at what was written with 'pinroute diff', and run the command again",
            )
        if isinstance(error, SSLError):
            return Untrusted(f"the API server {self.server} is not who it should be: {error}")
        if isinstance(error, ConnectTimeoutError):
            return Unreachable(f"the API server {self.server} cannot be reached: no connection")
        reason = getattr(error, "reason", None) or error
        return Unreachable(f"the API server {self.server} cannot be reached: {_short(reason)}")


def _short(error: object) -> str:
    """Return the part of a library's message that says what is wrong."""
    return str(error).rsplit(": ", 1)[-1]


def _is_final(answer: Answer) -> bool:
    """Tell whether a 5xx will come again: etcd's limit on size is one."""
    said = answer.body.get("message", "") if isinstance(answer.body, dict) else ""
    return "request is too large" in str(said)


def _decoded(data: bytes) -> Any:
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
