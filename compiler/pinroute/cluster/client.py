"""Requests to an API server: bounded attempts, errors with a name, warnings kept.

What failed on its way, or with a status that may pass, is sent again: a write names the
version that it is for, so that a second one does no harm. `Retry-After` is obeyed.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pinroute.cluster.credentials import Credentials, Headers
from pinroute.cluster.failure import ClusterFailure, Expired, NotInstalled, Unauthorized, failure
from pinroute.cluster.kinds import Body, Identity, Kind, identity_of
from pinroute.cluster.silence import silence
from pinroute.cluster.transport import Transport

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  # seconds
PATIENCE = 30.0  # seconds, for a server that was there before, if no timeout says otherwise
PAGE = 500  # objects of one answer, as kubectl asks for
MANAGER = "pinroute"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_PASSING = frozenset({429, 503})  # busy, or starting
_AGAIN = _PASSING | {500, 502, 504}


class Answer(NamedTuple):
    """The status and the body, decoded where it is JSON."""

    status: int
    body: Any


class State(NamedTuple):
    """Objects, and the version of the whole list: what happens from there on can be watched."""

    items: list[Body]
    version: str


class Change(NamedTuple):
    """What a watch tells: an object is there as it is now, or gone (`there` false).

    A bookmark has no body: it only says how far the watch has come.
    """

    version: str
    body: Body | None
    there: bool = True


class Client:
    """A connection pool to one API server; may be used by several threads."""

    def __init__(self, transport: Transport, who: Credentials, timeout: float | None):
        self._transport, self._who = transport, who
        self._timeout = timeout
        self._lock = threading.Lock()
        self._is_identified = self._has_answered = False
        self._warnings: dict[str, None] = {}

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self._transport.server.url

    @property
    def is_verified(self) -> bool:
        """Whether the API server's certificate is checked, as far as there is one."""
        return not self._transport.server.is_insecure

    @property
    def is_in_the_clear(self) -> bool:
        """Whether everybody on the way can read along."""
        return self._transport.is_in_the_clear

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
        selector = ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        for page in self._pages(kind, namespace, selector):
            yield from _items(kind, page)

    def state(self, kind: Kind, namespace: str | None, selector: str) -> State:
        """Return the objects that a selector of labels chooses, and how to follow them."""
        found: list[Body] = []
        version = ""
        for page in self._pages(kind, namespace, selector):
            found += _items(kind, page)
            version = str((page.get("metadata") or {}).get("resourceVersion") or "")
        return State(found, version)

    def _pages(self, kind: Kind, namespace: str | None, selector: str) -> Iterator[Body]:
        query = {"limit": str(PAGE)}
        if selector:
            query["labelSelector"] = selector
        while True:
            answer = self._send("GET", kind.path(namespace), query)
            page = self._object("list", _all(kind, namespace), answer)
            yield page
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = more

    def changes(
        self, kind: Kind, namespace: str | None, selector: str, version: str, seconds: float
    ) -> Iterator[Change]:
        """Yield what changes after a version, for so long; raises Expired for one long past."""
        from urllib3.exceptions import HTTPError

        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        if selector:
            query["labelSelector"] = selector
        what = _all(kind, namespace)
        patience = None if self._timeout is None else self._timeout + seconds
        target = f"{kind.path(namespace)}?{urlencode(query)}"
        headers = self._headers()
        try:
            response = self._transport.request("GET", target, headers, None, patience, stream=True)
            try:
                if response.status != 200:
                    body = _decoded(response.read())
                    raise _watch_failure(what, response.status, body)
                for line in response:
                    if line.strip():
                        yield _change(kind, what, _decoded(line))
            finally:
                response.close()
        except HTTPError as error:
            raise silence(error, self._transport.server, patience) from None

    def serves(self, kind: Kind) -> bool:
        """Tell whether the API server knows a kind in just this version."""
        path = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        answer = self._send("GET", path)
        if answer.status == 404:
            return False
        found = self._object("get", f"the resources of {kind.group}/{kind.version}", answer)
        return any(item.get("name") == kind.plural for item in found.get("resources") or ())

    def release(self) -> str:
        """Return the release of the API server; everybody who is logged in may ask."""
        found = self._object("get", "the version of the API server", self._send("GET", "/version"))
        return str(found.get("gitVersion") or "")

    def may(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        """Tell whether we have a right in a namespace."""
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes | ({"name": name} if name else {})},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        found = self._object("review", "our own rights", self._send("POST", path, None, body))
        return bool((found.get("status") or {}).get("allowed"))

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
        if answer.status == 401:
            raise Unauthorized(
                f"the API server {self.server} does not take the credentials of "
                f"{self._who.shown} (401 Unauthorized)",
                "log in again, or renew the token or certificate",
            )
        found = failure(verb, what, answer.status, answer.body)
        if isinstance(found, NotInstalled) and isinstance(what, Identity):
            found.hint = self._served(what.kind) or found.hint
        raise found

    def _served(self, kind: Kind) -> str:
        """Return in which versions the API server has a kind, empty if it has none."""
        base = f"/apis/{kind.group}"
        versions = [one.get("version") for one in self._listed(base, "versions")]
        found = [
            str(version)
            for version in versions
            if any(
                one.get("name") == kind.plural
                for one in self._listed(f"{base}/{version}", "resources")
            )
        ]
        if not found:
            return ""
        return f"it has it in {', '.join(found)}: mend the apiVersion in spec.environment"

    def _listed(self, path: str, field: str) -> Sequence[Mapping[str, Any]]:
        """Return a list of what the API server tells about itself, empty where it does not."""
        try:
            body = self._send("GET", path).body
        except ClusterFailure:
            return []
        items = body.get(field) if isinstance(body, dict) else None
        return [one for one in items or () if isinstance(one, dict)]

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content: str = "application/json",
    ) -> Answer:
        """Send a request, again where that may help; the last answer or failure counts.

        A failure tells whether any of the attempts may have been carried out.
        """
        end = time.monotonic() + (PATIENCE if self._timeout is None else self._timeout)
        pause, attempt, is_renewed, is_uncertain = FIRST_PAUSE, 0, False, False
        while True:
            attempt += 1
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            try:
                answer, after = self._once(method, path, query, body, content)
            except ClusterFailure as lost:
                is_uncertain = lost.is_uncertain = lost.is_uncertain or is_uncertain
                if not lost.may_pass or not self._is_worth_it(attempt, True, wait, end):
                    raise
            else:
                self._has_answered = True
                if answer.status == 401 and not is_renewed:
                    is_renewed = True
                    if self._renew():
                        continue
                if answer.status not in _AGAIN or _is_final(answer):
                    return answer
                wait = wait if after is None else after
                if not self._is_worth_it(attempt, answer.status in _PASSING, wait, end):
                    return answer
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
        query: Mapping[str, str] | None,
        body: Body | None,
        content: str,
    ) -> tuple[Answer, float | None]:
        """Send a request once; return the answer, and when to come back if it says so."""
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
            raise silence(error, self._transport.server, self._timeout) from None
        told = response.headers.getlist("Warning") if "Warning" in response.headers else []
        if told:
            with self._lock:
                self._warnings |= dict.fromkeys(_warning(text) for text in told)
        return Answer(response.status, _decoded(response.data)), _seconds(
            response.headers.get("Retry-After")
        )

    def _headers(self) -> Headers:
        return (("Accept", "application/json"), ("User-Agent", MANAGER), *self._credentials())

    def _credentials(self) -> Headers:
        with self._lock:  # a plugin may run here, once for all threads
            if not self._is_identified:
                certificate = self._who.certificate()
                if certificate is not None:
                    self._transport.identify(certificate, self._who.shown)
                self._is_identified = True
            return self._who.headers()


def _all(kind: Kind, namespace: str | None) -> str:
    where = f"namespace {namespace}" if namespace is not None else "all namespaces"
    return f"the {kind.resource} of {where}"


def _items(kind: Kind, page: Body) -> list[Body]:
    """Return the objects of a page; in a list they do not say what they are."""
    return [
        {"apiVersion": page["apiVersion"], "kind": kind.name, **item}
        for item in page.get("items") or ()
    ]


def _change(kind: Kind, what: str, event: Any) -> Change:
    """Return what a line of a watch says; raises what an ERROR is about."""
    found = event if isinstance(event, dict) else {}
    body = found.get("object")
    if found.get("type") == "ERROR" or not isinstance(body, dict):
        status = body.get("code") if isinstance(body, dict) else None
        raise _watch_failure(what, status if isinstance(status, int) else 500, body)
    version = str((body.get("metadata") or {}).get("resourceVersion") or "")
    if found.get("type") == "BOOKMARK":
        return Change(version, None)
    return Change(version, {"kind": kind.name, **body}, found.get("type") != "DELETED")


def _watch_failure(what: str, status: int, body: object) -> ClusterFailure:
    if status == 410:
        return Expired(f"the state of {what} that was read is too old to follow")
    return failure("watch", what, status, body)


def _is_final(answer: Answer) -> bool:
    """Tell whether a 5xx will come again: etcd's limit on size does."""
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
