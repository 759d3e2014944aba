"""Small edits of a user's own text: everything else stays as it is, byte for byte."""

from pinroute.spec.nodes import Document, Mapping, Scalar


class CannotEdit(Exception):
    """The text has a form that cannot be edited in place; the message says which."""


def with_stage(document: Document, stage: str) -> str:
    """Return the text of a document's file with `spec.stage` set to a stage."""
    spec = document.node(("spec",))
    if not isinstance(spec, Mapping) or not spec.keys:
        raise CannotEdit("'spec' is no object with fields")
    lines = document.text.splitlines(keepends=True)
    node = spec.entries.get("stage")
    if node is not None:
        if not isinstance(node, Scalar) or node.start[0] != node.end[0]:
            raise CannotEdit("'spec.stage' is not written in one line")
        line, column = node.start
        lines[line] = lines[line][:column] + stage + lines[line][node.end[1] :]
        return "".join(lines)
    first = next(iter(spec.keys.values()))
    line, column = first.start
    before, after = lines[line][:column], lines[line][column:]
    if before.strip():  # {flow: style}
        lines[line] = f"{before}stage: {stage}, {after}"
    else:
        lines[line] = f"{before}stage: {stage}\n{before}{after}"
    return "".join(lines)
