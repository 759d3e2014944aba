"""Small edits of a user's own text: everything else stays as it is, byte for byte."""

from collections.abc import Mapping as Fields

from pinroute.diagnostics import Path
from pinroute.spec.nodes import Document, Mapping, Scalar


class CannotEdit(Exception):
    """The text has a form that cannot be edited in place; the message says which."""


def with_stage(document: Document, stage: str) -> str:
    """Return the text of a document's file with `spec.stage` set to a stage."""
    lines = document.text.splitlines(keepends=True)
    node = document.node(("spec", "stage"))
    if node is None:
        _insert(lines, document, ("spec",), f"stage: {stage}")
        return "".join(lines)
    if not isinstance(node, Scalar) or node.start[0] != node.end[0]:
        raise CannotEdit("'spec.stage' is not written in one line")
    line, column = node.start
    lines[line] = lines[line][:column] + stage + lines[line][node.end[1] :]
    return "".join(lines)


def with_fields(document: Document, fields: Fields[Path, str]) -> str:
    """Return the text of a document's file with new fields, each near the head of an object.

    `fields` maps the path of an object to the text of its new field.
    """
    lines = document.text.splitlines(keepends=True)
    # From the last to the first, so that the places of the others stay right.
    for path in sorted(fields, key=lambda path: _start(document, path), reverse=True):
        _insert(lines, document, path, fields[path])
    return "".join(lines)


def _start(document: Document, path: Path) -> tuple[int, int]:
    node = document.node(path)
    return node.start if node is not None else (0, 0)


def _insert(lines: list[str], document: Document, path: Path, field: str) -> None:
    node = document.node(path)
    if not isinstance(node, Mapping) or not node.keys:
        name = ".".join(str(step) for step in path)
        raise CannotEdit(f"{name!r} is no object with fields")
    keys = list(node.keys.values())
    # A list's objects keep their name in front.
    first = keys[1] if len(keys) > 1 and keys[0].text == "name" else keys[0]
    line, column = first.start
    before, after = lines[line][:column], lines[line][column:]
    if before.strip(" -"):  # {flow: style}
        lines[line] = f"{before}{field}, {after}"
    else:
        ending = "\r\n" if after.endswith("\r\n") else "\n"
        lines[line] = f"{before}{field}{ending}{before.replace('-', ' ')}{after}"
