"""An Envoy that gets its routes from the cluster's istiod, as an ingress gateway does.

Istio's own listeners hold filters that plain Envoy does not have, so the listener is ours
and the routes alone come over xDS. The clusters are ours too: istiod finds no pods here.
"""

import json
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinroute.local.backend import Endpoint
from pinroute.local.binary import envoy_binary
from servers.cluster import SYSTEM, Cluster
from servers.process import free_ports, started

LABELS = {"istio": "ingressgateway"}
PORT = 8080  # of the Gateway object, and so in the name of the routes; we listen elsewhere
ISTIO_REGEX_LIMIT = 32768
TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True)
class Ingress:
    """A running gateway: the ports of its listener and of its admin interface."""

    port: int
    admin: int

    def counter(self, name: str) -> int:
        """Return a counter of Envoy's; 0 as long as it does not exist."""
        url = f"http://127.0.0.1:{self.admin}/stats?format=json&filter=^{name}$"
        with urllib.request.urlopen(url, timeout=5) as answer:
            found = json.load(answer)["stats"]
        return next((int(stat["value"]) for stat in found if stat.get("name") == name), 0)

    @property
    def refused_updates(self) -> int:
        """How many route configurations Envoy did not take."""
        return self.counter(f"http.ingress.rds.http.{PORT}.update_rejected")


@contextmanager
def ingress(
    cluster: Cluster, clusters: Mapping[str, Endpoint], *, regex_limit: int = ISTIO_REGEX_LIMIT
) -> Iterator[Ingress]:
    """Start an Envoy for Gateways that select `istio: ingressgateway` and serve port 8080.

    It refuses regexes whose program is larger than `regex_limit`. `clusters` maps names as istiod
    writes them (`outbound|80||host`) to where they lead. It
    listens from the first routes on: until then a listener does not accept.
    """
    port, admin = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="pinroute-ingress-") as temporary:
        folder = Path(temporary)
        configuration = _bootstrap(cluster.xds, port, admin, clusters, regex_limit)
        (folder / "envoy.json").write_text(json.dumps(configuration), encoding="utf-8")
        command: list[str | Path] = [
            *(envoy_binary(), "--config-path", "envoy.json"),
            *("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"),
        ]
        found = Ingress(port, admin)

        def ready() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=5) as answer:
                live = bool(answer.status == 200)
            return live and found.counter(f"http.ingress.rds.http.{PORT}.update_success") > 0

        with started(command, folder, ready):
            yield found


def _bootstrap(
    xds: int, port: int, admin: int, clusters: Mapping[str, Endpoint], regex_limit: int
) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3"}
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "ingress",
            "rds": {"route_config_name": f"http.{PORT}", "config_source": ads},
            "http_filters": [
                _filter("cors", "cors.v3.Cors"),
                _filter("fault", "fault.v3.HTTPFault"),
                _filter("router", "router.v3.Router"),
            ],
        },
    }
    service = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    istiod = {
        **_cluster("xds", xds),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": service,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    return {
        "node": {
            "id": f"router~10.1.1.1~gateway.{SYSTEM}~{SYSTEM}.svc.cluster.local",
            "cluster": "gateway",
            "metadata": {
                "NAMESPACE": SYSTEM,
                "LABELS": LABELS,
                "ISTIO_VERSION": "1.30.0",
                "CLUSTER_ID": "Kubernetes",
            },
        },
        "admin": {"address": _address(admin)},
        # As Istio's own bootstrap has it: its validator counts characters, not the program.
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {"re2.max_program_size.error_level": regex_limit},
                }
            ]
        },
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            }
        },
        "static_resources": {
            "listeners": [
                {
                    "name": "ingress",
                    "address": _address(port),
                    "filter_chains": [{"filters": [manager]}],
                }
            ],
            "clusters": [
                istiod,
                *(_cluster(name, endpoint.port) for name, endpoint in clusters.items()),
            ],
        },
    }


def _filter(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{TYPES}.filters.http.{kind}"},
    }


def _cluster(name: str, port: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
