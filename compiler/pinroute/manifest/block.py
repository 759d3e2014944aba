"""Where the rules of an experiment stand in the text of another owner, or will stand.

They are the rules named `pin/<experiment>/…` and the comments that begin with
`# pin/<experiment>: ` directly above them. At first they go below the comment
`# pinroute: here`, or in front of the owner's first rule.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pinroute.spec.entries import Entries, block_entries
from pinroute.spec.model import Body
from pinroute.spec.nodes import Document, Node, Scalar, at
from pinroute.spec.nodes import Mapping as Object
from pinroute.spec.nodes import Sequence as List

HERE = re.compile(r"^[ \t]*#[ \t]*pinroute: here[ \t]*$")


class Block(NamedTuple):
    """The rules of an experiment and the comments above them; without rules it is taken out."""

    experiment: str
    rules: Sequence[Body] = ()
    comments: Sequence[str] = ()

    @property
    def prefix(self) -> str:
        """What the names of its rules begin with."""
        return f"pin/{self.experiment}/"


class CannotSplice(Exception):
    """The text has a form into which no rules can be put; the message says which."""


class Place(NamedTuple):
    """The lines from `start` to before `end` that a block takes, and how the list is written."""

    lines: list[str]
    start: int
    end: int
    column: int
    ending: str


def rules_of(document: Document) -> list[Node]:
    """Return the rules of a VirtualService, none where `http` is no list."""
    http = document.node(("spec", "http"))
    return http.items if isinstance(http, List) else []


def _name(rule: Node) -> str:
    node = at(rule, "name")
    return node.text if isinstance(node, Scalar) else ""


def own_rules(document: Document, block: Block) -> list[int]:
    """Return the numbers of a block's rules, which stand side by side. Raises CannotSplice."""
    names = [_name(rule) for rule in rules_of(document)]
    own = [number for number, name in enumerate(names) if name.startswith(block.prefix)]
    for number in range(own[0], own[-1]) if own else ():
        if number not in own:
            shown = repr(names[number]) if names[number] else f"#{number}"
            raise CannotSplice(f"rule {shown} stands among those of {block.prefix}…")
    return own


def place_of(document: Document, text: str, block: Block) -> Place:
    """Return the lines of a block, or the empty place where it will be. Raises CannotSplice."""
    own = own_rules(document, block)
    rules = rules_of(document)
    entries = _entries(document, text)
    lines = text.splitlines(keepends=True)
    if len(entries.items) != len(rules):
        raise CannotSplice("its rules are shared by an alias or a merge key")
    if own and not block.rules and len(own) == len(rules):
        raise CannotSplice("it would be left without any rule")
    if own:
        start, end = _extent(entries, lines, own, block)
    else:
        start = end = _first_place(entries, lines, [_name(rule) for rule in rules], block)
    first = entries.items[0]
    return Place(lines, start, end, first.column, ending(lines[entries.start - 1]))


def lines_of(document: Document, text: str, block: Block) -> tuple[int, int] | None:
    """Return the lines that a block takes, None where there is none. Raises CannotSplice."""
    own = own_rules(document, block)
    if not own:
        return None
    return _extent(_entries(document, text), text.splitlines(keepends=True), own, block)


def _extent(
    entries: Entries, lines: Sequence[str], own: Sequence[int], block: Block
) -> tuple[int, int]:
    first, last = entries.items[own[0]], entries.items[own[-1]]
    return _with_comments(lines, first.line, block.experiment), last.end


def _entries(document: Document, text: str) -> Entries:
    spec = document.node(("spec",))
    key = spec.keys.get("http") if isinstance(spec, Object) else None
    entries = block_entries(text, key.start) if key is not None and key.tag != "<<" else None
    if entries is None:
        raise CannotSplice(
            "its rules are in braces, or behind an alias or a merge key: not one '-' a rule"
        )
    return entries


def _with_comments(lines: Sequence[str], line: int, experiment: str) -> int:
    """Return the first line of the comments that belong to the rule at a line."""
    while line and lines[line - 1].lstrip(" \t").startswith(f"# pin/{experiment}: "):
        line -= 1
    return line


def _first_place(
    entries: Entries, lines: Sequence[str], names: Sequence[str], block: Block
) -> int:
    """Return the line in front of which a block is put that is not there yet.

    Blocks that come to the same place stand in the order of their experiments' names,
    whichever came first.
    """
    marks = [
        number
        for number, line in enumerate(lines[entries.start : entries.end], entries.start)
        if HERE.match(bare(line))
    ]
    if len(marks) > 1:
        raise CannotSplice(f"line {marks[1] + 1}: '# pinroute: here' stands there a second time")
    line = marks[0] + 1 if marks else entries.start
    if any(item.line < mark < item.end for item in entries.items for mark in marks):
        raise CannotSplice(f"line {line}: '# pinroute: here' stands in the middle of a rule")
    for item, name in zip(entries.items, names, strict=True):
        other = re.match(r"pin/([^/]+)/", name)
        if item.line < line:
            continue
        if other is None or other[1] > block.experiment:
            break
        if _with_comments(lines, item.line, other[1]) > line:
            break  # something of the owner's stands between
        line = item.end
    return line


def bare(line: str) -> str:
    """Return a line without its line break."""
    return line.splitlines()[0]


def ending(line: str) -> str:
    """Return the line break of a line, empty at the very end of a file."""
    return line[len(bare(line)) :]
