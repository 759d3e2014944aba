"""Formatting of specs: layout and quotes change, values and comments never do.

ruamel.yaml writes the text; what it wrote is read back and compared before anybody
uses it.
"""

import io
import re
from collections import Counter
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pinroute.diagnostics import Severity
from pinroute.spec.load import load
from pinroute.spec.parse import parse
from pinroute.spec.scalars import Value, value

if TYPE_CHECKING:
    from pinroute.spec.nodes import Document

_COMMENT = re.compile(r"(?:^|\s)(#.*?)\s*$")


class CannotFormat(Exception):
    """The text cannot be formatted without changing what it says; the message says why."""


def formatted(name: str, data: bytes) -> str | None:
    """Return the formatted text of a file; None if it holds none of our documents.

    Texts that have to be quoted are quoted. Raises CannotFormat.
    """
    loaded = load(name, data)
    for item in loaded.diagnostics:
        if item.code.startswith("PIN0") and item.severity is Severity.ERROR:
            raise CannotFormat(f"line {item.span.line}: {item.message}")
    unquoted = [item for item in loaded.diagnostics if item.code == "PIN104"]
    if not loaded.ours and not any(
        "PIN101" <= item.code <= "PIN110" for item in loaded.diagnostics
    ):
        return None
    text = "\n".join(line.rstrip() for line in loaded.text.rstrip().splitlines()) + "\n"
    if _values(text) != _values(loaded.text):  # blanks at the end of lines mean something
        text = loaded.text
    lines = text.splitlines(keepends=True)
    for item in sorted(unquoted, key=lambda found: found.span, reverse=True):
        line, start, end = item.span.line - 1, item.span.column - 1, item.span.end_column - 1
        lines[line] = f'{lines[line][:start]}"{lines[line][start:end]}"{lines[line][end:]}'
    quoted = "".join(lines)
    written = _rewritten(quoted)
    _compare(quoted, written)
    return written


def _rewritten(text: str) -> str:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.width = 1_000_000
    yaml.indent(mapping=2, sequence=2, offset=0)
    out = io.StringIO()
    try:
        documents = list(yaml.load_all(text))
        if text.startswith("---"):
            yaml.explicit_start = True
        yaml.dump_all(documents, out)
    except YAMLError as error:
        raise CannotFormat(str(error).splitlines()[0]) from None
    return out.getvalue()


def _compare(before: str, after: str) -> None:
    if _values(before) != _values(after):
        raise CannotFormat("the formatted text would mean something else")
    lost = _comments(before) - _comments(after)
    if lost:
        raise CannotFormat(f"comment {next(iter(lost))!r} would be lost")


def _values(text: str) -> list[Value]:
    documents: list[Document] = parse("", text)[0]
    return [value(document.root) for document in documents]


def _comments(text: str) -> Counter[str]:
    found = (_COMMENT.search(line) for line in text.splitlines())
    return Counter(match[1] for match in found if match is not None)
