"""The shape that the API server demands of a VirtualService: Istio's own schema.

`virtualservice.json` is the schema of `spec` in Istio's CustomResourceDefinition, without
its texts; the tests hold the two equal.
"""

import json
import os
from functools import cache
from typing import Any, cast

Schema = dict[str, Any]

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "virtualservice.json")
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}


@cache
def spec_schema() -> Schema:
    """Return the schema of a VirtualService's `spec`, in the form that `reduced` makes."""
    with open(FILE, "rb") as file:
        return cast("Schema", json.load(file))


def reduced(schema: Schema) -> Schema:
    """Return what of a CustomResourceDefinition's schema decides over a value.

    Objects have either `properties` or `values`, the schema of each value; `one` names
    fields of which at most one may be there; `duration` marks Go's durations, from 1ms on.
    """
    kept: Schema = {"type": schema["type"]}
    if "properties" in schema:
        kept["properties"] = {
            name: reduced(inner) for name, inner in sorted(schema["properties"].items())
        }
    if "additionalProperties" in schema:
        kept["values"] = reduced(schema["additionalProperties"])
    if "items" in schema:
        kept["items"] = reduced(schema["items"])
    for name in ("enum", "maximum", "minimum", "nullable", "required"):
        if name in schema:
            kept[name] = schema[name]
    if schema.get("format") == "int32":
        kept.update(_INT32)
    if schema.get("format") == "byte":
        kept["base64"] = True
    if "oneOf" in schema:
        kept["one"] = [name for one in schema["oneOf"] for name in one.get("required", ())]
    if any("duration(" in rule["rule"] for rule in schema.get("x-kubernetes-validations", ())):
        kept["duration"] = True
    return kept
