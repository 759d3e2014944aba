"""Small edits of a user's own text: everything else stays as it is, byte for byte.

Every result is read back: nothing but the edited fields may say anything else.
"""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Fields

from pinroute.diagnostics import Path
from pinroute.manifest.dump import harmless
from pinroute.spec.nodes import Document, Mapping, Scalar
from pinroute.spec.parse import parse
from pinroute.spec.scalars import Value, plain_number, value


class CannotEdit(Exception):
    """The text has a form that cannot be edited in place; the message says which."""


def with_stage(document: Document, stage: str) -> str:
    """Return the text of a document's file with `spec.stage` set to a stage."""
    return with_values(document, {("spec", "stage"): stage})


def with_values(document: Document, values: Fields[Path, Value]) -> str:
    """Return the text of a document's file with fields set, whether they are there or not.

    What is there has to be a scalar in one line; it keeps its place and its quotes.
    """
    lines = document.text.splitlines(keepends=True)
    # From the last to the first, so that the places of the others stay right.
    for path in sorted(values, key=lambda path: _edited_at(document, path), reverse=True):
        node = document.node(path)
        if node is None:
            _insert(lines, document, path, values[path])
        elif isinstance(node, Scalar) and node.start[0] == node.end[0]:
            (line, column), (_, end) = node.start, node.end
            written = _written(values[path], _quote(lines[line][column:]))
            lines[line] = f"{lines[line][:column]}{written}{lines[line][end:]}"
        else:
            name = ".".join(str(step) for step in path)
            raise CannotEdit(f"{name!r} is not written in one line")
    return _checked(document, lines, values.keys())


def with_fields(document: Document, fields: Fields[Path, Value]) -> str:
    """Return the text of a document's file with new fields, each near the head of its object.

    `fields` maps the path of a new field to its value.
    """
    lines = document.text.splitlines(keepends=True)
    # From the last to the first, so that the places of the others stay right.
    for path in sorted(fields, key=lambda path: _start(document, path[:-1]), reverse=True):
        _insert(lines, document, path, fields[path])
    return _checked(document, lines, fields.keys())


def _start(document: Document, path: Path) -> tuple[int, int]:
    node = document.node(path)
    return node.start if node is not None else (0, 0)


def _edited_at(document: Document, path: Path) -> tuple[int, int]:
    """Return where a field stands, or where it would be inserted."""
    node = document.node(path)
    if node is not None:
        return node.start
    parent = document.node(path[:-1])
    if not isinstance(parent, Mapping) or not parent.keys:
        return (0, 0)
    return _second(parent).start


def _second(node: Mapping) -> Scalar:
    """Return the key that a new one is put before: a list's objects keep their name in front."""
    keys = list(node.keys.values())
    return keys[1] if len(keys) > 1 and keys[0].text == "name" else keys[0]


def _insert(lines: list[str], document: Document, path: Path, new: Value) -> None:
    """Write a field into an object, in the style of its other fields."""
    node = document.node(path[:-1])
    if not isinstance(node, Mapping) or not node.keys:
        name = ".".join(str(step) for step in path[:-1])
        raise CannotEdit(f"{name!r} is no object with fields")
    keys = list(node.keys.values())
    first = _second(node)
    line, column = first.start
    before, after = lines[line][:column], lines[line][column:]
    quote = _quote(after)
    field = f"{quote}{path[-1]}{quote}: {_written(new, quote)}"
    (start, offset), (end, until) = node.start, keys[0].start
    opening = "".join([*lines[start:end], lines[end][:until]])[offset:]
    if "{" in opening:
        lines[line] = f"{before}{field}, {after}"
    else:
        ending = "\r\n" if after.endswith("\r\n") else "\n"
        lines[line] = f"{before}{field}{ending}{before.replace('-', ' ')}{after}"


def _quote(text: str) -> str:
    return text[0] if text[:1] in ("'", '"') else ""


def _written(new: Value, quote: str) -> str:
    """Return a value in one line; a text that could be misread has quotes."""
    if isinstance(new, dict):
        inner = (f"{_written(key, quote)}: {_written(item, quote)}" for key, item in new.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(new, list):
        return "[" + ", ".join(_written(item, quote) for item in new) + "]"
    if new is None or isinstance(new, bool):
        return {None: "null", True: "true", False: "false"}[new]
    if isinstance(new, float):
        return plain_number(new)
    if not isinstance(new, str):
        return f"{new}"
    if not new.isprintable():
        raise CannotEdit(f"{new!r} cannot be written in one line")
    if quote == '"' or (not quote and "'" in new):
        return '"' + new.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return new if not quote and harmless(new) else "'" + new.replace("'", "''") + "'"


def _checked(document: Document, lines: list[str], edited: Collection[Path]) -> str:
    text = "".join(lines)
    changed = list(_changes(_values(document.text), _values(text), ()))
    strange = [path for path in changed if not any(path[-len(own) :] == own for own in edited)]
    if strange or len(changed) > len(edited):
        raise CannotEdit("it is shared by an alias or a merge key, or has an unusual form")
    return text


def _values(text: str) -> list[Value]:
    documents, found = parse("", text)
    return [*(value(document.root) for document in documents), *(item.code for item in found)]


def _changes(before: Value, after: Value, path: Path) -> Iterator[Path]:
    """Yield the path of everything that two texts say differently."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            if key in before and key in after:
                yield from _changes(before[key], after[key], (*path, key))
            else:
                yield (*path, key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, two) in enumerate(zip(before, after, strict=True)):
            yield from _changes(one, two, (*path, index))
    elif before != after:
        yield path
