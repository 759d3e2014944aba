"""Small edits of a user's own text: everything else stays as it is, byte for byte.

Every result is read back: nothing but the edited fields may say anything else.
"""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Fields

from pinroute.diagnostics import Path
from pinroute.spec.nodes import Document, Mapping, Scalar
from pinroute.spec.parse import parse
from pinroute.spec.scalars import Value, plain_number, value


class CannotEdit(Exception):
    """The text has a form that cannot be edited in place; the message says which."""


def with_stage(document: Document, stage: str) -> str:
    """Return the text of a document's file with `spec.stage` set to a stage."""
    path = ("spec", "stage")
    lines = document.text.splitlines(keepends=True)
    node = document.node(path)
    if node is None:
        _insert(lines, document, path, stage)
    elif isinstance(node, Scalar) and node.start[0] == node.end[0]:
        (line, column), (_, end) = node.start, node.end
        quote = _quote(lines[line][column:])
        lines[line] = f"{lines[line][:column]}{quote}{stage}{quote}{lines[line][end:]}"
    else:
        raise CannotEdit("'spec.stage' is not written in one line")
    return _checked(document, lines, {path})


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


def _insert(lines: list[str], document: Document, path: Path, new: Value) -> None:
    """Write a field into an object, in the style of its other fields."""
    node = document.node(path[:-1])
    if not isinstance(node, Mapping) or not node.keys:
        name = ".".join(str(step) for step in path[:-1])
        raise CannotEdit(f"{name!r} is no object with fields")
    keys = list(node.keys.values())
    # A list's objects keep their name in front.
    first = keys[1] if len(keys) > 1 and keys[0].text == "name" else keys[0]
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
    if isinstance(new, dict):
        inner = (f"{quote}{key}{quote}: {_written(item, quote)}" for key, item in new.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(new, float):
        return plain_number(new)
    return f"{quote}{new}{quote}" if isinstance(new, str) else f"{new}"


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
