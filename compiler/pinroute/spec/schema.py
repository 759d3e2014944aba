"""Where the JSON Schemas are, and what a schema says about a path.

A wheel carries them as pinroute/schemas; in a checkout they are the top-level
schemas/ folder.
"""

import json
from functools import cache
from pathlib import Path as FilePath
from typing import Any, cast

Schema = dict[str, Any]

GROUP = "pinroute.dev"
API_VERSION = "pinroute.dev/v1alpha1"
KINDS = ("AffinityExperiment", "Environment", "Metric")

_PACKAGE = FilePath(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / "schemas"
FOLDER = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parents[1] / "schemas"
_SUFFIX = ".schema.json"


@cache
def load_schema(name: str) -> Schema:
    """Return the schema `schemas/<name>.schema.json`; raises KeyError where there is none."""
    try:
        text = (FOLDER / f"{name}{_SUFFIX}").read_bytes()
    except OSError:
        raise KeyError(name) from None
    return cast("Schema", json.loads(text))


def kind_schema(kind: str) -> Schema:
    """Return the schema of one of our kinds, in its only version."""
    return load_schema(f"{kind.lower()}.v1alpha1")


def names() -> tuple[str, ...]:
    """Return the names of all schemas, also of what the commands print."""
    found = FOLDER.rglob(f"*{_SUFFIX}")
    return tuple(sorted(file.relative_to(FOLDER).as_posix()[: -len(_SUFFIX)] for file in found))


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
