"""The rules of an experiment put into a text of another owner, or taken out of it.

Only whole lines come and go: the rules named `pin/<experiment>/…` and the comments that
begin with `# pin/<experiment>: ` directly above them. They go where they are; at first
below the comment `# pinroute: here`, or in front of the owner's first rule. Whatever is
made is read again: the rest has to say what it said, and to be the same bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from pinroute.manifest.dump import dump
from pinroute.spec.entries import Entries, block_entries
from pinroute.spec.load import load
from pinroute.spec.model import Body
from pinroute.spec.nodes import Document, Node, Scalar, at
from pinroute.spec.nodes import Mapping as Object
from pinroute.spec.nodes import Sequence as List
from pinroute.spec.scalars import Value, misread, scalar_value, value

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


class _Place(NamedTuple):
    """The lines from `start` to before `end` that a block takes, and how the list is written."""

    lines: list[str]
    start: int
    end: int
    column: int
    ending: str


def spliced(file: str, text: str, number: int, block: Block) -> str:
    """Return a file with one block in it, in the object of a number. Raises CannotSplice."""
    document = _objects(file, text)[number]
    if _holds(document, text, block):
        return text
    after = _edited(document, text, block)
    _prove(file, text, after, number, block)
    return after


def _objects(file: str, text: str) -> list[Document]:
    return load(file, text.encode()).others


def _edited(document: Document, text: str, block: Block) -> str:
    place = _place(document, text, block)
    return _exchanged(place.lines, place.start, place.end, _written(block, place))


def _exchanged(lines: list[str], start: int, end: int, new: list[str]) -> str:
    """Return lines with some of them exchanged.

    A file that ends without a line break goes on doing so.
    """
    before, removed, behind = lines[:start], lines[start:end], lines[end:]
    last = (removed or before)[-1]
    if not behind and not _ending(last):
        if new:
            before[-1] += "" if removed else _ending(new[-1])
            new = [*new[:-1], _bare(new[-1])]
        else:
            before[-1] = _bare(before[-1])
    return "".join([*before, *new, *behind])


def _rules(document: Document) -> list[Node]:
    http = document.node(("spec", "http"))
    return http.items if isinstance(http, List) else []


def _name(rule: Node) -> str:
    node = at(rule, "name")
    return node.text if isinstance(node, Scalar) else ""


def _own(document: Document, block: Block) -> list[int]:
    """Return the numbers of a block's rules, which stand side by side. Raises CannotSplice."""
    names = [_name(rule) for rule in _rules(document)]
    own = [number for number, name in enumerate(names) if name.startswith(block.prefix)]
    for number in range(own[0], own[-1]) if own else ():
        if number not in own:
            shown = repr(names[number]) if names[number] else f"#{number}"
            raise CannotSplice(f"rule {shown} stands among those of {block.prefix}…")
    return own


def _place(document: Document, text: str, block: Block) -> _Place:
    """Return the lines of a block, or the empty place where it will be. Raises CannotSplice."""
    own = _own(document, block)
    rules = _rules(document)
    entries = _entries(document, text)
    lines = text.splitlines(keepends=True)
    if len(entries.items) != len(rules):
        raise CannotSplice("its rules are shared by an alias or a merge key")
    if own and not block.rules and len(own) == len(rules):
        raise CannotSplice("it would be left without any rule")
    if own:
        start = _with_comments(lines, entries.items[own[0]].line, block.experiment)
        end = entries.items[own[-1]].end
    else:
        start = end = _first_place(entries, lines, [_name(rule) for rule in rules], block)
    first = entries.items[0]
    return _Place(lines, start, end, first.column, _ending(lines[entries.start - 1]))


def _entries(document: Document, text: str) -> Entries:
    spec = document.node(("spec",))
    key = spec.keys.get("http") if isinstance(spec, Object) else None
    entries = block_entries(text, key.start) if key is not None and key.tag != "<<" else None
    if entries is None:
        raise CannotSplice(
            "its rules are in braces, or behind an alias or a merge key: not one '-' a rule"
        )
    return entries


def _bare(line: str) -> str:
    return line.splitlines()[0]


def _ending(line: str) -> str:
    return line[len(_bare(line)) :]


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
        if HERE.match(_bare(line))
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


def _written(block: Block, place: _Place) -> list[str]:
    if not block.rules:
        return []
    body = "".join(dump([rule]) for rule in block.rules).split("\n")[:-1]
    written = [*(f"# pin/{block.experiment}: {line}" for line in block.comments), *body]
    return [f"{' ' * place.column}{line}{place.ending}" for line in written]


def _holds(document: Document, text: str, block: Block) -> bool:
    """Tell whether a text has a block already, maybe in another layout: a formatter's."""
    own = _own(document, block)
    if not own:
        return not block.rules
    rules = [_rules(document)[number] for number in own]
    if [value(rule) for rule in rules] != list(block.rules):
        return False
    if any(_misread(node) for rule in rules for node in _scalars(rule)):
        return False
    place = _place(document, text, block)
    written = [f"# pin/{block.experiment}: {line}" for line in block.comments]
    above = place.lines[place.start :][: len(written) + 1]
    return [line.strip() for line in above[:-1]] == written and above[-1].strip()[:1] != "#"


def _scalars(node: Node) -> Iterable[Scalar]:
    if isinstance(node, Scalar):
        yield node
        return
    if isinstance(node, Object):
        yield from node.keys.values()
    for item in node.items if isinstance(node, List) else node.entries.values():
        yield from _scalars(item)


def _misread(node: Scalar) -> bool:
    """Tell whether some reader takes a plain text for something else."""
    typed = not isinstance(scalar_value(node), str)
    return node.plain and not typed and misread(node.text) is not None


def _prove(file: str, before: str, after: str, number: int, block: Block) -> None:
    """Hold the new text against the old one: all but the block is the same, and the block is.

    Raises CannotSplice.
    """
    try:
        one, two = _said(file, before, number, block), _said(file, after, number, block)
        same = one.rest == two.rest and two.own == list(block.rules) and two.together
        documents = _objects(file, before)[number], _objects(file, after)[number]
        bare = [
            _cut(document, text, block)
            for document, text in zip(documents, (before, after), strict=True)
        ]
    except (CannotSplice, IndexError, yaml.YAMLError):
        same, bare = False, ["", ""]
    if not same or bare[0] != bare[1]:
        raise CannotSplice("its rules are shared by an alias or a merge key, or oddly written")


class _Said(NamedTuple):
    """What a file says: an experiment's rules, whether they are together, and the rest."""

    own: list[Value]
    together: bool
    rest: object


def _said(file: str, text: str, number: int, block: Block) -> _Said:
    loaded = load(file, text.encode())
    others = [value(document.root) for document in loaded.others]
    ours = [value(document.root) for _, document in loaded.ours]
    codes = [item.code for item in loaded.diagnostics]
    service: Any = others[number]
    rules: Any = service["spec"].get("http") if isinstance(service["spec"], dict) else None
    if not isinstance(rules, list):
        raise CannotSplice("its rules are no list")
    own = [
        place
        for place, rule in enumerate(rules)
        if isinstance(rule, Mapping) and str(rule.get("name", "")).startswith(block.prefix)
    ]
    together = not own or own[-1] - own[0] == len(own) - 1
    taken = [rules[place] for place in own]
    service["spec"]["http"] = [rule for place, rule in enumerate(rules) if place not in own]
    return _Said(taken, together, (others, ours, codes))


def _cut(document: Document, text: str, block: Block) -> str:
    """Return a text without a block's lines, to be compared as bytes."""
    own = _own(document, block)
    if not own:
        return text
    entries = _entries(document, text)
    lines = text.splitlines(keepends=True)
    start = _with_comments(lines, entries.items[own[0]].line, block.experiment)
    return _exchanged(lines, start, entries.items[own[-1]].end, [])
