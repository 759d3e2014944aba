"""The objects of a cluster: read, listed, followed, applied, deleted; every no has a name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pinroute.cluster.api.exchange import Exchange, Reply, decoded
from pinroute.cluster.api.failure import ClusterFailure, Expired, NotInstalled, failure
from pinroute.cluster.api.kinds import Body, Identity, Kind, identity_of

PAGE = 500  # objects of one reply, as kubectl asks for
MANAGER = "pinroute"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


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
    """One API server, as its objects are seen; may be used by several threads."""

    def __init__(self, exchange: Exchange):
        self._exchange = exchange

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self._exchange.server.url

    @property
    def is_verified(self) -> bool:
        """Whether the API server's certificate is checked, as far as there is one."""
        return not self._exchange.server.is_insecure

    @property
    def is_in_the_clear(self) -> bool:
        """Whether everybody on the way can read along."""
        return self._exchange.is_in_the_clear

    def warnings(self) -> list[str]:
        """Return, once, what the API server warned of since the last call."""
        return self._exchange.warnings()

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return an object, None if there is none."""
        what = Identity(kind, namespace, name)
        reply = self._exchange.send("GET", kind.path(namespace, name))
        if reply.status == 404 and isinstance(reply.body, dict):
            return None
        return self._object("get", what, reply)

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
            reply = self._exchange.send("GET", kind.path(namespace), query)
            page = self._object("list", _all(kind, namespace), reply)
            yield page
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = more

    def changes(
        self, kind: Kind, namespace: str | None, selector: str, version: str, seconds: float
    ) -> Iterator[Change]:
        """Yield what changes after a version, for so long; raises Expired for one long past."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        if selector:
            query["labelSelector"] = selector
        what = _all(kind, namespace)
        with self._exchange.stream(kind.path(namespace), query, seconds) as response:
            if response.status != 200:
                raise _watch_failure(what, response.status, decoded(response.read()))
            for line in response:
                if line.strip():
                    yield _change(kind, what, decoded(line))

    def serves(self, kind: Kind) -> bool:
        """Tell whether the API server knows a kind in just this version."""
        path = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        reply = self._exchange.send("GET", path)
        if reply.status == 404:
            return False
        found = self._object("get", f"the resources of {kind.group}/{kind.version}", reply)
        return any(item.get("name") == kind.plural for item in found.get("resources") or ())

    def release(self) -> str:
        """Return the release of the API server; everybody who is logged in may ask."""
        found = self._object(
            "get", "the version of the API server", self._exchange.send("GET", "/version")
        )
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
        found = self._object(
            "review", "our own rights", self._exchange.send("POST", path, None, body)
        )
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
        return self._object("apply", what, self._exchange.send("PATCH", path, query, body, _APPLY))

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
        reply = self._exchange.send("DELETE", path, None, options)
        if reply.status == 404 and isinstance(reply.body, dict):
            return False
        self._object("delete", what, reply)
        return True

    def _object(self, verb: str, what: Identity | str, reply: Reply) -> Body:
        if 200 <= reply.status < 300 and isinstance(reply.body, dict):
            return reply.body
        if reply.status == 401:
            raise self._exchange.unauthorized()
        found = failure(verb, what, reply.status, reply.body)
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
            body = self._exchange.send("GET", path).body
        except ClusterFailure:
            return []
        items = body.get(field) if isinstance(body, dict) else None
        return [one for one in items or () if isinstance(one, dict)]


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
