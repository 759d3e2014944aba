"""Stage 2: does a document have the shape that its JSON Schema describes?

jsonschema is the authority, and explains what is wrong. It costs more at start than
everything else together, so a walk over the nodes, which knows exactly the keywords
that our schemas use, first accepts what is right; a property test holds the two
together.
"""

from collections.abc import Iterable
from functools import cache
from re import Pattern
from re import compile as compiled
from typing import TYPE_CHECKING, Any, cast

from pinroute.diagnostics import Diagnostic, Path, Severity, diagnose
from pinroute.diagnostics.model import path_text
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.nodes import TYPED, Document, Mapping, Node, Scalar, Sequence
from pinroute.spec.scalars import misread, scalar_value, value
from pinroute.spec.schema import KINDS, Schema, field

if TYPE_CHECKING:
    from jsonschema import ValidationError


def check_shape(document: Document, schema: Schema) -> list[Diagnostic]:
    """Return what is wrong with the shape of a document."""
    if conforms(document.root, schema):
        return []
    return _explain(document, schema)


_pattern = cache(compiled)


def conforms(node: Node, schema: Schema, *, quoted: bool = True) -> bool:
    """Tell whether a node has the shape of a schema.

    With `quoted`, a text that some YAML reader takes for something else, and a name that
    ends with a line feed, are refused too: the schema alone does not see that.
    """
    kind = schema.get("type")
    if kind == "object":
        return isinstance(node, Mapping) and _object(node, schema, quoted)
    if kind == "array":
        if not isinstance(node, Sequence):
            return False
        items = node.items
        if not schema.get("minItems", 0) <= len(items) <= schema.get("maxItems", len(items)):
            return False
        inner = schema.get("items")
        return inner is None or all(conforms(item, inner, quoted=quoted) for item in items)
    if kind is None:
        return True
    if not isinstance(node, Scalar):
        return False
    if kind == "string":
        return _text(node, schema, quoted)
    found = scalar_value(node)
    if kind == "boolean":
        return isinstance(found, bool)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    if kind == "integer" and found != int(found):
        return False
    least, most = schema.get("minimum"), schema.get("maximum")
    return (least is None or found >= least) and (most is None or found <= most)


def _object(node: Mapping, schema: Schema, quoted: bool) -> bool:
    entries = node.entries
    for name in schema.get("required", ()):
        if name not in entries:
            return False
    if len(entries) < schema.get("minProperties", 0):
        return False
    properties = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    for name, item in entries.items():
        inner = properties.get(name)
        if inner is None:
            if other is False:
                return False
            if other is True:
                continue
            inner = other
        if not conforms(item, inner, quoted=quoted):
            return False
    return True


def _text(node: Scalar, schema: Schema, quoted: bool) -> bool:
    text = node.text
    if node.plain and (
        not isinstance(scalar_value(node), str) or (quoted and misread(text) is not None)
    ):
        return False
    allowed = schema.get("enum")
    if allowed is not None and text not in allowed:
        return False
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    pattern = schema.get("pattern")
    if pattern is None:
        return True
    if text.endswith("\n") and quoted:  # `$` matches before a last line feed in Python only
        return False
    return cast("Pattern[str]", _pattern(pattern)).search(text) is not None


def _explain(document: Document, schema: Schema) -> list[Diagnostic]:
    from jsonschema import Draft202012Validator

    data = value(document.root)
    found = list(_unquoted(document, document.root, schema, ()))
    known = {item.path for item in found}
    for error in Draft202012Validator(schema).iter_errors(data):
        path = tuple(error.absolute_path)
        if path not in known and not _said_already(error):
            found.extend(_finding(document, error, path, _topic(schema, path)))
    return list(dict.fromkeys(found))


def _said_already(error: "ValidationError") -> bool:
    """Tell whether another error of the same value says it better."""
    if error.validator == "enum":
        return not isinstance(error.instance, str)  # a wrong type
    schema, instance = cast("Schema", error.schema), cast("str", error.instance)
    return error.validator == "pattern" and len(instance) < schema.get("minLength", 0)


def _topic(schema: Schema, path: Path) -> str:
    """Return what `pinroute explain` calls a field, as far as the schema knows it."""
    names = tuple(step for step in path if isinstance(step, str))
    while field(schema, names) is None:
        names = names[:-1]
    kind = str(schema["title"])
    return ".".join(names if names and kind == KINDS[0] else (kind, *names))


def _name(path: Path) -> str:
    return path_text(path) or "the document"


def _unquoted(document: Document, node: Node, schema: Schema, path: Path) -> Iterable[Diagnostic]:
    """Yield a finding for each text that has to be quoted."""
    if isinstance(node, Scalar):
        unquoted = node.plain and node.tag != TYPED and schema.get("type") == "string"
        taken = misread(node.text) if unquoted else None
        if "pattern" in schema and node.text.endswith("\n"):
            place, name = document.span_of(node), _name(path)
            hint = "remove the line break at its end"
            yield diagnose("PIN106", place, path, hint=hint, field=name, value=node.text)
        elif node.text not in schema.get("enum", (node.text,)):
            return  # quotes would not help
        elif taken is not None and taken != "null":
            place = document.span_of(node)
            quoted = f'"{node.text}"'
            yield diagnose("PIN104", place, path, text=node.text, taken=taken, quoted=quoted)
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _unquoted(document, item, schema.get("items", {}), (*path, index))
    else:
        properties = schema.get("properties", {})
        other = schema.get("additionalProperties")
        for name, item in node.entries.items():
            inner = properties.get(name, other if isinstance(other, dict) else {})
            yield from _unquoted(document, item, inner, (*path, name))


KIND_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a boolean",
    type(None): "null",
}
EXPECTED = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
}


_SIZES = {"minItems": "item", "minProperties": "field", "minLength": "character"}


def _finding(
    document: Document, error: "ValidationError", path: Path, topic: str
) -> Iterable[Diagnostic]:
    """Yield our words for one error of jsonschema."""
    keyword = error.validator
    limit: Any = error.validator_value
    instance: Any = error.instance
    place = document.span(path)
    name = _name(path)
    if keyword == "type":
        got = KIND_NAMES.get(type(instance), "a number")
        if isinstance(instance, str | int | float) and not isinstance(instance, bool):
            got += f" ({instance!r})"
        expected = EXPECTED[limit]
        yield diagnose("PIN101", place, path, field=name, expected=expected, got=got, topic=topic)
    elif keyword == "additionalProperties":
        properties = cast("Schema", error.schema).get("properties", {})
        for key in instance:
            if key not in properties:
                inner = (*path, key)
                hint = did_you_mean(key, properties)
                where = document.span(inner, key=True)
                yield diagnose("PIN102", where, inner, field=key, parent=name, hint=hint)
    elif keyword == "required":
        for key in limit:
            if key not in instance:
                where = document.span(path, key=True)
                yield diagnose("PIN103", where, path, field=key, parent=name)
    elif keyword == "enum":
        hint = did_you_mean(str(instance), [str(item) for item in limit])
        yield diagnose("PIN105", place, path, field=name, value=instance, hint=hint)
    elif keyword in ("minimum", "maximum"):
        bound = f"at {'least' if keyword == 'minimum' else 'most'} {limit}"
        yield diagnose("PIN107", place, path, field=name, value=instance, bound=bound, topic=topic)
    elif keyword in _SIZES:
        least = f"{limit} {_SIZES[keyword]}{'' if limit == 1 else 's'}"
        size = len(instance)
        yield diagnose("PIN108", place, path, field=name, least=least, size=size, topic=topic)
    else:
        examples = cast("Schema", error.schema).get("examples", [])
        advice = f"for example {examples[0]!r}" if examples else None
        if keyword == "maxLength":
            advice = f"it has {len(instance)} characters, {limit} is the limit"
        yield diagnose("PIN106", place, path, hint=advice, field=name, value=instance, topic=topic)


def errors(found: Iterable[Diagnostic]) -> bool:
    """Tell whether a list of findings stops the compiler."""
    return any(item.severity is Severity.ERROR for item in found)
