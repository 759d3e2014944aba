"""Where the JSON Schemas are, and what a schema says about a path.

A wheel carries them as pinroute/schemas; in a checkout they are the top-level
schemas/ folder.
"""

import json
import os
from functools import cache
from typing import Any, cast

Schema = dict[str, Any]

GROUP = "pinroute.dev"
API_VERSION = "pinroute.dev/v1alpha1"
# Kinds that may live in a cluster one day, and those that are files of the command line only.
RESOURCES = ("AffinityExperiment", "Environment", "Metric")
KINDS = (*RESOURCES, "Configuration")

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SHIPPED = os.path.join(_PACKAGE, "schemas")
_CHECKOUT = os.path.join(os.path.dirname(os.path.dirname(_PACKAGE)), "schemas")
FOLDER = _SHIPPED if os.path.isdir(_SHIPPED) else _CHECKOUT
_SUFFIX = ".schema.json"


@cache
def load_schema(name: str) -> Schema:
    """Return the schema `schemas/<name>.schema.json`; raises KeyError where there is none."""
    try:
        with open(os.path.join(FOLDER, f"{name}{_SUFFIX}"), "rb") as file:
            return cast("Schema", json.load(file))
    except OSError:
        raise KeyError(name) from None


def kind_schema(kind: str) -> Schema:
    """Return the schema of one of our kinds, in its only version."""
    return load_schema(f"{kind.lower()}.v1alpha1")


def names() -> tuple[str, ...]:
    """Return the names of all schemas, also of what the commands print."""
    found = [
        os.path.relpath(os.path.join(folder, file), FOLDER).replace(os.sep, "/")
        for folder, _, files in os.walk(FOLDER)
        for file in files
    ]
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def field(schema: Schema, path: tuple[str, ...]) -> Schema | None:
    """Return the schema of a field; list items are entered without an index."""
    here: Schema | None = schema
    for step in path:
        while here is not None and here.get("type") == "array":
            here = here["items"]
        here = (here or {}).get("properties", {}).get(step)
        if here is None:
            return None
    return here
