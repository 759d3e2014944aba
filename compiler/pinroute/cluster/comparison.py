"""What is there beside what is wanted, without what the API server adds on its own."""

import difflib
from collections.abc import Mapping
from typing import Any

from pinroute.cluster.api.kinds import Body, identity_of
from pinroute.istio.resource import as_list, as_mapping
from pinroute.manifest.dump import dump

_KEPT_BY_SERVER = frozenset(
    {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"}
)
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def own_fields(body: Body) -> dict[str, Any]:
    """Return an object without what the API server, or a controller, keeps in it."""
    metadata = {
        name: item
        for name, item in as_mapping(body.get("metadata")).items()
        if name not in _KEPT_BY_SERVER
    }
    notes = {
        name: item
        for name, item in as_mapping(metadata.get("annotations")).items()
        if name != APPLIED
    }
    if notes:
        metadata["annotations"] = notes
    else:
        metadata.pop("annotations", None)
    first = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}
    rest = {name: item for name, item in body.items() if name not in (*first, "status")}
    return first | rest


def is_applied(live: Body, wanted: Body, manager: str) -> bool:
    """Tell whether applying would change nothing: all is there, and the manager has just that."""
    return _holds(live, wanted) and _applied_paths(live, manager) == _paths(wanted)


def alters(live: Body, wanted: Body, manager: str) -> bool:
    """Tell whether applying may change fields, and not only who manages them.

    Fields that the manager had applied and are wanted no more go away.
    """
    return not _holds(live, wanted) or not (_applied_paths(live, manager) or set()) <= _paths(
        wanted
    )


def _holds(live: object, wanted: object) -> bool:
    """Tell whether every field that is wanted has its value; lists are compared as a whole."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            name in live and _holds(live[name], item) for name, item in wanted.items()
        )
    return live == wanted


def _applied_paths(live: Body, manager: str) -> set[tuple[str, ...]] | None:
    """Return the leaves that a manager has applied; None if it has applied nothing.

    Only leaves that are reached by field names: what lies in lists is compared by value.
    """
    for entry in as_list(as_mapping(live.get("metadata")).get("managedFields")):
        fields = as_mapping(entry)
        if fields.get("manager") == manager and fields.get("operation") == "Apply":
            return set(_leaves(as_mapping(fields.get("fieldsV1"))))
    return None


def _leaves(fields: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, inner in fields.items():
        if key.startswith("f:"):
            found += _leaves(as_mapping(inner), (*path, key[2:]))
    inside = any(key.startswith("f:") for key in fields)
    return found if inside or not path else [path]


def _paths(wanted: Body) -> set[tuple[str, ...]]:
    """Return the leaves of an object as managed fields name them, without its identity."""
    metadata = {
        name: item
        for name, item in wanted["metadata"].items()
        if name in ("labels", "annotations")
    }
    rest = {name: item for name, item in wanted.items() if name not in ("apiVersion", "kind")}
    return set(_walk(rest | {"metadata": metadata}))


def _walk(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, item in value.items():
        inner = (*path, name)
        found += _walk(item, inner) if isinstance(item, dict) and item else [inner]
    return found


def difference(before: Body | None, after: Body | None) -> str:
    """Return a unified diff of two states of an object, empty if they are alike."""
    body = after if after is not None else before
    if body is None:
        return ""
    shown = identity_of(body).key.replace(" ", "/")
    old, new = (
        dump(own_fields(one)).splitlines(keepends=True) if one is not None else []
        for one in (before, after)
    )
    return "".join(difflib.unified_diff(old, new, f"live/{shown}", f"applied/{shown}"))
