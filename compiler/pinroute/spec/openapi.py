"""The schemas as an OpenAPI document, which tells kustomize how to merge our lists."""

from typing import Any

from pinroute.spec.schema import GROUP, RESOURCES, Schema, kind_schema

VERSION = "v1alpha1"
# Keywords that OpenAPI v2, and so kustomize, does not know.
_DROPPED = frozenset({"$schema", "$id", "examples"})


def kustomize_openapi() -> Schema:
    """Return a document for kustomize's `openapi: {path: …}` field."""
    definitions = {}
    for kind in RESOURCES:
        definition = _without(kind_schema(kind))
        definition["x-kubernetes-group-version-kind"] = [
            {"group": GROUP, "version": VERSION, "kind": kind}
        ]
        definitions[f"dev.pinroute.{VERSION}.{kind}"] = definition
    return {
        "swagger": "2.0",
        "info": {"title": "pinroute", "version": VERSION},
        "paths": {},
        "definitions": definitions,
    }


def _without(schema: Any) -> Any:
    if isinstance(schema, dict):
        kept: dict[str, Any] = {}
        for key, item in schema.items():
            if key == "properties":
                kept[key] = {name: _without(inner) for name, inner in item.items()}
            elif key not in _DROPPED and not (key == "additionalProperties" and item is False):
                kept[key] = _without(item)
        return kept
    return [_without(item) for item in schema] if isinstance(schema, list) else schema
