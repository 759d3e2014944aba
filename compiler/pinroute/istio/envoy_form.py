"""Routes of Envoy as JSON, ours and istiod's, in one form in which they can be compared."""

from typing import Any

# What istiod adds to every route, and what we leave out because it does not route.
_ADDED = frozenset({"metadata", "decorator"})
_ADDED_TO_ACTION = frozenset({"maxGrpcTimeout", "retryPolicy", "hashPolicy", "maxStreamDuration"})


def camel(value: Any) -> Any:
    """Return a configuration with the names that protobuf's JSON uses."""
    if isinstance(value, dict):
        return {_camel(key): camel(item) for key, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def settled(value: Any) -> Any:
    """Return JSON without what is at its default, and with lists whose order means nothing sorted."""
    if isinstance(value, dict):
        found = {key: settled(item) for key, item in value.items()}
        if found.get("appendAction") == "APPEND_IF_EXISTS_OR_ADD":
            del found["appendAction"]
        if found.get("caseSensitive") is True:
            del found["caseSensitive"]
        for key in ("valueMatchers", "queryParameters", "headers"):
            if isinstance(found.get(key), list):
                found[key] = sorted(found[key], key=repr)
        return found
    return [settled(item) for item in value] if isinstance(value, list) else value


def plain(route: dict[str, Any]) -> dict[str, Any]:
    """Return a route, named as protobuf's JSON does, without what istiod adds."""
    kept: dict[str, Any] = settled({key: item for key, item in route.items() if key not in _ADDED})
    if "route" in kept:
        kept["route"] = {
            key: item for key, item in kept["route"].items() if key not in _ADDED_TO_ACTION
        }
    return kept
