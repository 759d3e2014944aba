"""Is a VirtualService shaped as whoever reads its routes expects? Lists are lists, objects objects.

The checks say what Istio refuses, field by field; this is for code that needs an answer
before it reads on. A field that is null counts as missing.
"""

from collections.abc import Mapping
from typing import Any

Shape = Mapping[str, Any] | list[Any] | type

_TEXT: Shape = {"exact": str, "prefix": str, "regex": str}
_TEXTS: Shape = {"*": _TEXT}
_HEADERS: Shape = {"request": {"set": {"*": str}}, "response": {"set": {"*": str}}}
_MATCH: Shape = {
    "uri": _TEXT,
    "scheme": _TEXT,
    "method": _TEXT,
    "authority": _TEXT,
    "headers": _TEXTS,
    "withoutHeaders": _TEXTS,
    "queryParams": _TEXTS,
    "port": int,
    "gateways": [str],
    "sourceLabels": {"*": str},
    "sourceNamespace": str,
    "ignoreUriCase": bool,
}
_ROUTE: Shape = {
    "destination": {"host": str, "subset": str, "port": {"number": int}},
    "weight": int,
    "headers": _HEADERS,
}
_HTTP: Shape = {
    "match": [_MATCH],
    "route": [_ROUTE],
    "headers": _HEADERS,
    "rewrite": {"authority": str},
    "redirect": {"scheme": str, "authority": str, "uri": str},
    "directResponse": {"status": int},
    "delegate": {"name": str, "namespace": str},
}
_SERVICE: Shape = {
    "metadata": {"name": str, "namespace": str},
    "spec": {"hosts": [str], "gateways": [str], "http": [_HTTP]},
}
_WORDS = {str: "text", int: "whole number", bool: "true or false"}


def shape_problem(service: object) -> str | None:
    """Return what in a VirtualService is of another kind than it has to be, and where."""
    return _problem(service, _SERVICE, "")


def _problem(value: object, shape: Shape, path: str) -> str | None:
    if isinstance(shape, type):
        right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        return None if right else f"{path} is no {_WORDS[shape]}"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{path} is no list"
        found = (_problem(item, shape[0], f"{path}[{at}]") for at, item in enumerate(value))
        return next((problem for problem in found if problem is not None), None)
    if not isinstance(value, dict):
        return f"{path} is no object"
    for name, item in value.items():
        inner = shape.get(name, shape.get("*"))
        if inner is None or (item is None and name in shape):
            continue
        if item is None:
            item = "" if inner is str else {}
        problem = _problem(item, inner, f"{path}.{name}" if path else str(name))
        if problem is not None:
            return problem
    return None
