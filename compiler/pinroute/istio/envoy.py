"""From a VirtualService to Envoy's route configuration, as istiod would make it.

It starts from the manifest, not from the ordered list behind it, so that what is tried
on a real Envoy includes the emitter. Every (rule, match item) pair becomes one Envoy
route; a catch-all ends the list.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinroute.istio.envoy_action import Untranslatable, route_action

JsonObject = dict[str, Any]
Body = Mapping[str, Any]

CLAIM = "@request.auth.claims"
JWT_FILTER = "envoy.filters.http.jwt_authn"
_PSEUDO = {"method": ":method", "authority": ":authority", "scheme": ":scheme"}
_MATCH_FIELDS = frozenset(
    {
        "name",
        "uri",
        "ignoreUriCase",
        "headers",
        "withoutHeaders",
        "queryParams",
        "statPrefix",
        *_PSEUDO,
    }
)

__all__ = ["Untranslatable", "clusters", "route_configuration"]


def route_configuration(services: Iterable[Body], port: int = 80) -> JsonObject:
    """Return the RouteConfiguration of VirtualServices with hosts of their own.

    `port` is the listener's: destinations without a port are reached on it. Raises
    Untranslatable for a field that is not shown here (faults, mirrors, CORS …).
    """
    hosts = []
    for service in services:
        spec = service["spec"]
        domains = [str(host) for host in spec["hosts"]]
        hosts.append(
            {
                "name": f"{max(domains, key=len)}:{port}",
                "domains": [
                    domain
                    for host in domains
                    for domain in ([host] if host == "*" else [host, f"{host}:*"])
                ],
                "routes": _routes(spec["http"], port),
            }
        )
    return {"name": f"http.{port}", "virtual_hosts": hosts}


def clusters(configuration: Body) -> list[str]:
    """Return the names of all clusters that a route configuration sends requests to."""
    names: dict[str, None] = {}
    for host in configuration["virtual_hosts"]:
        for route in host["routes"]:
            action = route.get("route", {})
            weighted = action.get("weighted_clusters", {}).get("clusters", ())
            for name in (action.get("cluster"), *(entry["name"] for entry in weighted)):
                if name is not None:
                    names[name] = None
    return list(names)


def _routes(rules: Sequence[Body], port: int) -> list[JsonObject]:
    routes: list[JsonObject] = []
    for rule in rules:
        items: Sequence[Body] = rule.get("match") or ({},)
        for item in items:
            match = _match(item)
            route: JsonObject = {"match": match}
            name = ".".join(str(part) for part in (rule.get("name"), item.get("name")) if part)
            if name:
                route["name"] = name
            if "statPrefix" in item:
                route["stat_prefix"] = item["statPrefix"]
            route.update(route_action(rule, item, port))
            routes.append(route)
            if _is_catch_all(match):
                return routes
    return routes


def _is_catch_all(match: JsonObject) -> bool:
    """Tell whether istiod leaves out what follows: `IsCatchAllRoute`."""
    everything = match.get("prefix") == "/" or match.get("safe_regex") == {"regex": ".*"}
    return everything and match.keys() <= {"prefix", "safe_regex", "case_sensitive"}


def _match(item: Body) -> JsonObject:
    for field in item:
        if field not in _MATCH_FIELDS:
            raise Untranslatable(f"match.{field}")
    match: JsonObject = _path(item.get("uri") or {})
    match["case_sensitive"] = not item.get("ignoreUriCase", False)
    headers: list[JsonObject] = []
    metadata: list[JsonObject] = []
    for name, value in sorted(item.get("headers", {}).items()):
        if name.startswith(CLAIM):
            metadata.append(_claim(name, value))
        else:
            headers.append({"name": name, **_matcher(value)})
    for name, value in sorted(item.get("withoutHeaders", {}).items()):
        matcher = {"name": name, **_matcher(value), "invert_match": True}
        if value:
            matcher["treat_missing_header_as_empty"] = True
        headers.append(matcher)
    headers += [
        {"name": pseudo, **_matcher(item[field])}
        for field, pseudo in _PSEUDO.items()
        if field in item
    ]
    parameters = [
        {"name": name, **_matcher(value)}
        for name, value in sorted(item.get("queryParams", {}).items())
    ]
    for field, matchers in (
        ("headers", headers),
        ("dynamic_metadata", metadata),
        ("query_parameters", parameters),
    ):
        if matchers:
            match[field] = matchers
    return match


def _path(uri: Body) -> JsonObject:
    if "exact" in uri:
        return {"path": uri["exact"]}
    if "regex" in uri:
        return {"safe_regex": {"regex": uri["regex"]}}
    return {"prefix": uri.get("prefix", "/")}


def _string(value: Body) -> JsonObject:
    if "regex" in value:
        return {"safe_regex": {"regex": value["regex"]}}
    kind = "exact" if "exact" in value else "prefix"
    return {kind: value[kind]}


def _matcher(value: Body) -> JsonObject:
    return {"string_match": _string(value)} if value else {"present_match": True}


def _claim(name: str, value: Body) -> JsonObject:
    """Match a claim in what the JWT filter has verified: a text, or one text of a list."""
    keys = [key for key in name[len(CLAIM) :].replace("]", "").replace("[", ".").split(".") if key]
    text = {"string_match": _string(value)}
    either = [text, {"list_match": {"one_of": text}}]
    return {
        "filter": JWT_FILTER,
        "path": [{"key": key} for key in ("payload", *keys)],
        "value": {"or_match": {"value_matchers": either}},
    }
