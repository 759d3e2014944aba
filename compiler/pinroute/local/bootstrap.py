"""The bootstrap file of the local Envoy: listeners with inline routes, static clusters, no xDS.

What Istio sets and a route can notice is set as Istio sets it: the size limit of
regular expressions, and the JWT filter with its place for the claims.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinroute.local.jwt import JwtProvider, key_set

if TYPE_CHECKING:
    from pinroute.local.backend import Endpoint

_TYPES = "type.googleapis.com/envoy.extensions.filters"


@dataclass(frozen=True, slots=True)
class Listener:
    """One port of the gateway: an Envoy RouteConfiguration in JSON form, and who may issue tokens.

    With `jwt`, a request with a bearer token that this provider did not sign is refused
    (401), one without a token passes, and the claims are dynamic metadata of
    `envoy.filters.http.jwt_authn` under `payload`, as in Istio.
    """

    name: str
    route_config: Mapping[str, object]
    jwt: JwtProvider | None = None


def bootstrap(
    listeners: Sequence[Listener],
    clusters: Mapping[str, "Endpoint"],
    *,
    joined: bool,
    stats_config: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return Envoy's bootstrap configuration, to be written as JSON.

    `stats_config` is Envoy's own: which counters there are, and what is a tag of them.

    `joined` brings back the header matching of Envoy before 1.39: the values of a repeated
    header are joined with commas, instead of matched one by one.
    """
    runtime: dict[str, object] = {"re2.max_program_size.error_level": 32768}
    if joined:
        runtime["envoy.reloadable_features.match_headers_individually"] = False
    return {
        "admin": {"address": _loopback(0)},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": runtime}]},
        "stats_config": stats_config or {},
        "static_resources": {
            "listeners": [_listener(listener) for listener in listeners],
            "clusters": [_cluster(name, endpoint) for name, endpoint in clusters.items()],
        },
    }


def _listener(listener: Listener) -> dict[str, object]:
    filters = [] if listener.jwt is None else [_jwt_filter(listener.jwt)]
    filters.append(_filter("envoy.filters.http.router", "http.router.v3.Router"))
    manager = _filter(
        "envoy.filters.network.http_connection_manager",
        "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=listener.name,
        route_config=listener.route_config,
        http_filters=filters,
        normalize_path=True,
        merge_slashes=True,
        max_request_headers_kb=8192,
        common_http_protocol_options={
            "max_headers_count": 10000,
            "headers_with_underscores_action": "ALLOW",
        },
    )
    return {
        "name": listener.name,
        "address": _loopback(0),
        "filter_chains": [{"filters": [manager]}],
    }


def _jwt_filter(provider: JwtProvider) -> dict[str, object]:
    rule = {
        "match": {"prefix": "/"},
        "requires": {
            "requires_any": {
                "requirements": [{"provider_name": "provider"}, {"allow_missing": {}}]
            }
        },
    }
    settings = {
        "issuer": provider.issuer,
        "local_jwks": {"inline_string": key_set(provider)},
        "forward": True,
        "payload_in_metadata": "payload",
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope", "permission"]},
        # Otherwise the route would be chosen before the claims are known.
        "clear_route_cache": True,
    }
    return _filter(
        "envoy.filters.http.jwt_authn",
        "http.jwt_authn.v3.JwtAuthentication",
        providers={"provider": settings},
        rules=[rule],
    )


def _cluster(name: str, endpoint: "Endpoint") -> dict[str, object]:
    address = {"endpoint": {"address": _loopback(endpoint.port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [address]}],
        },
    }


def _filter(name: str, kind: str, **settings: object) -> dict[str, object]:
    return {"name": name, "typed_config": {"@type": f"{_TYPES}.{kind}", **settings}}


def _loopback(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
