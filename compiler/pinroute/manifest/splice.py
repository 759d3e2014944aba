"""The rules of an experiment put into a text of another owner, or taken out of it.

Only whole lines come and go. Whatever is made is read again: the rest has to say what it
said, and to be the same bytes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import yaml

from pinroute.manifest.block import (
    Block,
    CannotSplice,
    Place,
    bare,
    ending,
    lines_of,
    own_rules,
    place_of,
    rules_of,
)
from pinroute.manifest.dump import dump
from pinroute.spec.load import load
from pinroute.spec.nodes import Document, Node, Scalar
from pinroute.spec.nodes import Mapping as Object
from pinroute.spec.nodes import Sequence as List
from pinroute.spec.scalars import Value, misread, scalar_value, value


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
    place = place_of(document, text, block)
    return _exchanged(place.lines, place.start, place.end, _written(block, place))


def _exchanged(lines: list[str], start: int, end: int, new: list[str]) -> str:
    """Return lines with some of them exchanged.

    A file that ends without a line break goes on doing so.
    """
    before, removed, behind = lines[:start], lines[start:end], lines[end:]
    last = (removed or before)[-1]
    if not behind and not ending(last):
        if new:
            before[-1] += "" if removed else ending(new[-1])
            new = [*new[:-1], bare(new[-1])]
        else:
            before[-1] = bare(before[-1])
    return "".join([*before, *new, *behind])


def _written(block: Block, place: Place) -> list[str]:
    if not block.rules:
        return []
    body = "".join(dump([rule]) for rule in block.rules).split("\n")[:-1]
    written = [*(f"# pin/{block.experiment}: {line}" for line in block.comments), *body]
    return [f"{' ' * place.column}{line}{place.ending}" for line in written]


def _holds(document: Document, text: str, block: Block) -> bool:
    """Tell whether a text has a block already, maybe in another layout: a formatter's."""
    own = own_rules(document, block)
    if not own:
        return not block.rules
    rules = [rules_of(document)[number] for number in own]
    if [value(rule) for rule in rules] != list(block.rules):
        return False
    if any(_misread(node) for rule in rules for node in _scalars(rule)):
        return False
    place = place_of(document, text, block)
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
        left = [
            _cut(document, text, block)
            for document, text in zip(documents, (before, after), strict=True)
        ]
    except (CannotSplice, IndexError, yaml.YAMLError):
        same, left = False, ["", ""]
    if not same or left[0] != left[1]:
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
    taken = lines_of(document, text, block)
    return text if taken is None else _exchanged(text.splitlines(keepends=True), *taken, [])
