"""Gateways asked themselves, by Envoy's admin interface: which routes they have, what they refuse.

A URL that answers tells about one gateway pod at one moment. Its configuration tells what
every request there meets; so does each of the other pods' own.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from pinroute.cluster.api.failure import ClusterFailure
from pinroute.cluster.api.kinds import Body
from pinroute.istio.envoy import Untranslatable, route_configuration
from pinroute.istio.envoy_form import camel, plain
from pinroute.istio.resource import as_list, as_mapping

_ROUTES = "/config_dump?resource=dynamic_route_configs"
_STATS = "/stats?format=json&filter="
_REFUSED = f"{_STATS}%5Ehttp%5C..*%5C.rds%5C..*%5C.update_rejected%24"


class GatewaySilent(ClusterFailure):
    """The admin interface of a gateway does not answer as Envoy's does."""


class Gateway(NamedTuple):
    """One Envoy; `admin` is the URL of its admin interface."""

    admin: str

    def refused(self) -> int:
        """Return how many route configurations it has refused since it started."""
        stats = as_list(as_mapping(self._ask(_REFUSED)).get("stats"))
        return sum(int(as_mapping(one).get("value") or 0) for one in stats)

    def counters(self, counter: str) -> Mapping[str, int]:
        """Return a counter of pinroute's groups, such as `upstream_rq_completed`, by statPrefix.

        Envoy makes some of them with the first request that they count.
        """
        wanted = quote(rf"\.route\.pin_.*\.{counter}$")
        found: dict[str, int] = {}
        for one in as_list(as_mapping(self._ask(_STATS + wanted)).get("stats")):
            name, value = as_mapping(one).get("name"), as_mapping(one).get("value")
            group = str(name).rpartition(".route.")[2].removesuffix(f".{counter}")
            if isinstance(value, int):
                found[group] = found.get(group, 0) + value
        return found

    def routes_of(self, namespace: str, name: str) -> list[list[dict[str, Any]]]:
        """Return the routes that it has of a VirtualService: a list for each virtual host.

        istiod writes into each route which object it is from.
        """
        origin = f"/namespaces/{namespace}/virtual-service/{name}"
        found: list[list[dict[str, Any]]] = []
        for entry in as_list(as_mapping(self._ask(_ROUTES)).get("configs")):
            configuration = as_mapping(as_mapping(entry).get("route_config"))
            for host in as_list(configuration.get("virtual_hosts")):
                routes = [
                    plain(camel(route))
                    for route in as_list(as_mapping(host).get("routes"))
                    if _origin(as_mapping(route)).endswith(origin)
                ]
                found += [routes] if routes else []
        return found

    def _ask(self, path: str) -> object:
        try:
            with urllib.request.urlopen(self.admin + path, timeout=10) as answer:  # noqa: S310
                return json.load(answer)
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise GatewaySilent(
                f"the admin interface {self.admin} of a gateway does not answer as Envoy's: {reason}",
                "kubectl port-forward -n istio-system GATEWAY-POD 15000 makes it reachable",
            ) from None


def gateway(url: str) -> Gateway | None:
    """Return the gateway of an admin interface; None if that is no http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return Gateway(url.rstrip("/"))


def _origin(route: Body) -> str:
    metadata = as_mapping(as_mapping(route.get("metadata")).get("filter_metadata"))
    return str(as_mapping(metadata.get("istio")).get("config") or "")


class Table(NamedTuple):
    """The routes that a VirtualService should become on a gateway."""

    namespace: str
    name: str
    routes: Sequence[dict[str, Any]]

    def is_on(self, asked: Gateway) -> bool:
        """Tell whether a gateway has just these routes of the VirtualService, in every host."""
        found = asked.routes_of(self.namespace, self.name)
        return bool(found) and all(routes == self.routes for routes in found)


def table_of(virtual_service: Body) -> Table | None:
    """Return what a VirtualService should become; None if it has fields that are not translated.

    A delegate has no routes of its own: istiod files them under the root.
    """
    if not as_mapping(virtual_service.get("spec")).get("hosts"):
        return None
    try:
        configuration = camel(route_configuration([virtual_service]))
    except Untranslatable:
        return None
    metadata = virtual_service["metadata"]
    routes = [plain(route) for route in configuration["virtualHosts"][0]["routes"]]
    return Table(str(metadata["namespace"]), str(metadata["name"]), routes)
