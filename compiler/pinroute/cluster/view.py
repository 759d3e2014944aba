"""What is read of a cluster before something is written, each object once.

A right that is missing here is no reason to stop: what could not be looked at is said.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pinroute.cluster.api.client import Client
from pinroute.cluster.api.failure import Forbidden, NotInstalled
from pinroute.cluster.api.kinds import ENDPOINT_SLICE, SERVICE, Body, Identity, Kind, identity_of

T = TypeVar("T")
SERVICE_NAME = "kubernetes.io/service-name"


class View:
    """The state of a cluster as far as it was asked for; may be used by several threads."""

    def __init__(self, client: Client):
        self._client = client
        self._lock = threading.Lock()
        self._objects: dict[Identity, Body | None] = {}
        self._lists: dict[Kind, list[Body] | None] = {}
        self._endpoints: dict[tuple[str, str], bool] = {}
        self._unseen: dict[str, None] = {}
        self._served: dict[Kind, bool] = {}

    def unseen(self) -> list[str]:
        """Return what could not be looked at, in sentences."""
        return list(self._unseen)

    def live(self, what: Identity) -> Body | None:
        """Return an object that we write ourselves; without the right to, that is a failure."""
        listed = self._lists.get(what.kind)
        if listed is not None:
            return next((body for body in listed if identity_of(body) == what), None)
        if what not in self._objects:
            self._objects[what] = self._client.get(*what)
        return self._objects[what]

    def neighbour(self, what: Identity) -> Body | None:
        """Return an object of somebody else; raises Unseen where that may not be read.

        Of a kind that the cluster does not know there is none.
        """
        if what not in self._objects:
            self._objects[what] = self._allowed(lambda: self._known(what))
        return self._objects[what]

    def _known(self, what: Identity) -> Body | None:
        try:
            return self._client.get(*what)
        except NotInstalled as failure:
            self._unseen[f"{failure}; {failure.hint}"] = None
            return None

    def all_of(self, kind: Kind, namespaces: Iterable[str]) -> list[Body]:
        """Return the objects of a kind in all namespaces, else in those named."""
        with self._lock:  # one list for all threads
            if kind not in self._lists:
                self._lists[kind] = self._listed(kind)
        found = self._lists[kind]
        if found is not None:
            return found
        return [body for name in dict.fromkeys(namespaces) for body in self._within(kind, name)]

    def within(self, kind: Kind, namespace: str) -> list[Body]:
        """Return the objects of a kind in a namespace; raises Unseen."""
        return self._allowed(lambda: list(self._client.list(kind, namespace)))

    def has_endpoint(self, namespace: str, name: str) -> bool:
        """Tell whether a Service has an endpoint that takes requests; raises Unseen."""
        if (namespace, name) not in self._endpoints:
            labels = {SERVICE_NAME: name}
            slices = self._allowed(
                lambda: list(self._client.list(ENDPOINT_SLICE, namespace, labels))
            )
            self._endpoints[namespace, name] = any(
                (endpoint.get("conditions") or {}).get("ready", True)
                for piece in slices
                for endpoint in piece.get("endpoints") or ()
            )
        return self._endpoints[namespace, name]

    def is_served(self, kind: Kind) -> bool:
        """Tell whether the API server knows a kind, in just this version."""
        if kind not in self._served:
            self._served[kind] = self._client.serves(kind)
        return self._served[kind]

    def service(self, namespace: str, name: str) -> Body | None:
        """Return a Service; raises Unseen."""
        return self.neighbour(Identity(SERVICE, namespace, name))

    def _listed(self, kind: Kind) -> list[Body] | None:
        try:
            return list(self._client.list(kind, None))
        except Forbidden as failure:
            self._unseen[f"not looked at: {kind.plural} of other namespaces ({failure})"] = None
            return None

    def _within(self, kind: Kind, namespace: str) -> Iterator[Body]:
        try:
            yield from self._client.list(kind, namespace)
        except Forbidden as failure:
            self._unseen[f"not looked at: {failure}"] = None

    def _allowed(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (Forbidden, NotInstalled) as failure:
            self._unseen[f"not looked at: {failure}"] = None
            raise Unseen from failure


class Unseen(Exception):
    """Something may not be read; the view has noted what."""
