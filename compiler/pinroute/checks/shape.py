"""What the API server refuses by its schema: types, names of fields, missing fields."""

from base64 import b64decode
from collections.abc import Iterator

from pinroute.checks.bodies import OTHERS
from pinroute.checks.target import Target, is_null
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.diagnostics.model import path_text
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.istio.definition import Schema, spec_schema
from pinroute.istio.limits import duration_problem
from pinroute.istio.read import MAP_FIELDS, STRING_FIELDS
from pinroute.spec.nodes import Document, Mapping, Node, Scalar, Sequence
from pinroute.spec.scalars import misread, scalar_value
from pinroute.spec.shape import EXPECTED, KIND_NAMES

TOP = ("apiVersion", "kind", "metadata", "spec", "status")
HINT = "the API server refuses any other type"


def shape(target: Target, known: frozenset[int] = frozenset()) -> Iterator[Diagnostic]:
    """Find what has another shape than Istio's CustomResourceDefinition gives a VirtualService.

    StringMatches of match items are left to the checks of matches, which know more. Of
    the rules in `known` only the names and matches are looked at.
    """
    document = target.document
    if isinstance(document.root, Mapping):
        for name in document.root.entries:
            if name not in TOP:
                hint = did_you_mean(name, TOP)
                where = document.span((name,), key=True)
                yield diagnose("PIN311", where, (name,), hint=hint, field=name)
    spec = document.node(("spec",))
    if spec is None:
        where = document.span(("kind",))
        yield diagnose("PIN103", where, (), field="spec", parent="a VirtualService")
        return
    walk = _Walk(document, known)
    walk.node(spec, spec_schema(), ("spec",))
    yield from walk.found


class _Walk:
    """A walk over the nodes of `spec` beside their schema."""

    def __init__(self, document: Document, known: frozenset[int]):
        self.found: list[Diagnostic] = []
        self._document = document
        self._known = known

    def node(self, node: Node, schema: Schema, path: Path) -> None:
        kind = schema["type"]
        if kind == "object" and isinstance(node, Mapping):
            if "values" in schema:
                self._values(node, schema["values"], path)
            else:
                self._fields(node, schema, path)
        elif kind == "array" and isinstance(node, Sequence):
            items = schema["items"]
            for index, item in enumerate(node.items):
                self.node(item, items, (*path, index))
        elif not isinstance(node, Scalar) or not self._fits(node, schema, path):
            self._misfit(node, schema, path)

    def _values(self, node: Mapping, schema: Schema, path: Path) -> None:
        if not _is_match(path, MAP_FIELDS):
            for name, item in node.entries.items():
                self.node(item, schema, (*path, name))

    def _fields(self, node: Mapping, schema: Schema, path: Path) -> None:
        if _is_match(path, STRING_FIELDS):
            return
        properties = schema.get("properties", {})
        if len(path) == 3 and path[1] == "http" and path[2] in self._known:
            for name in OTHERS:
                if name in node.entries:
                    self.node(node.entries[name], properties[name], (*path, name))
            return
        for name, item in node.entries.items():
            inner = properties.get(name)
            if inner is not None:
                self.node(item, inner, (*path, name))
                continue
            place = (*path, name)
            hint = did_you_mean(name, properties)
            self._say("PIN311", place, key=True, hint=hint, field=name)
        for name in schema.get("required", ()):
            if name not in node.entries:
                self._say("PIN103", path, key=True, parent=path_text(path), field=name)
        one = [name for name in schema.get("one", ()) if name in node.entries]
        if len(one) > 1:
            problem = f"{one[0]} and {one[1]} exclude each other"
            rule, place = f"#{path[2]}", (*path, one[1])
            self._say("PIN314", place, key=True, hint="remove one", rule=rule, problem=problem)

    def _fits(self, node: Scalar, schema: Schema, path: Path) -> bool:
        """Tell whether a scalar has the type; what is wrong with its value is noted."""
        kind, text, value = schema["type"], node.text, scalar_value(node)
        taken = misread(text) if node.plain else None
        if kind in ("object", "array"):
            return False
        if kind == "boolean":
            return isinstance(value, bool) or taken == "a boolean"
        if kind != "string":
            if isinstance(value, bool) or not isinstance(value, int | float):
                # 0x1f and the like kubectl reads as well, but not .inf and .nan.
                return taken == "a number" and "n" not in text.lower()
            if kind == "integer" and value != int(value):
                return False
            self._range(value, schema, path)
            return True
        if taken is not None:
            return False
        allowed = schema.get("enum")
        if allowed is not None and text not in allowed:
            hint = did_you_mean(text, allowed)
            self._say("PIN105", path, hint=hint, field=path_text(path), value=text)
        problem = duration_problem(text) if "duration" in schema else None
        if problem is not None:
            self._say("PIN315", path, value=text, problem=problem)
        if "base64" in schema and not _is_base64(text):
            self._say("PIN106", path, hint="write base64", field=path_text(path), value=text)
        return True

    def _range(self, value: float, schema: Schema, path: Path) -> None:
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        if not least <= value <= most:
            bound = f"at least {least}" if value < least else f"at most {most}"
            name = path_text(path)
            self._say(
                "PIN107", path, hint="write a number within", field=name, value=value, bound=bound
            )

    def _misfit(self, node: Node, schema: Schema, path: Path) -> None:
        null = is_null(node)
        if null and (schema.get("nullable") or _said_by_matches(path)):
            return
        if _is_match(path, STRING_FIELDS):
            return
        if null and isinstance(path[-1], str):
            self._say("PIN305", path, key=True, field=path[-1], becomes="no value")
            return
        expected, got = EXPECTED[schema["type"]], _got(node)
        name = path_text(path)
        self._say("PIN101", path, hint=HINT, field=name, expected=expected, got=got)

    def _say(
        self,
        code: str,
        path: Path,
        *,
        key: bool = False,
        hint: str | None = None,
        **values: object,
    ) -> None:
        where = self._document.span(path, key=key)
        self.found.append(diagnose(code, where, path, related=(), hint=hint, **values))


def _is_match(path: Path, fields: tuple[str, ...]) -> bool:
    """Tell whether a path leads to one of some fields of a match item."""
    return len(path) == 6 and path[3] == "match" and path[1] == "http" and path[5] in fields


def _said_by_matches(path: Path) -> bool:
    """Tell whether the checks of matches say what a null there does."""
    return len(path) in (4, 5, 6) and path[3] == "match" and path[1] == "http"


def _is_base64(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _got(node: Node) -> str:
    if isinstance(node, Mapping):
        return KIND_NAMES[dict]
    if isinstance(node, Sequence):
        return KIND_NAMES[list]
    value = scalar_value(node)
    if value is None:
        return KIND_NAMES[type(None)]
    taken = misread(node.text) if node.plain else None
    if taken is not None:
        return f"{taken} ({node.text})"
    return f"{KIND_NAMES.get(type(value), 'a number')} ({value!r})"
