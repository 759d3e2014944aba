"""The nodes of a parsed document: text, style and place of every scalar, key and list.

Positions are kept as YAML marks have them (from 0); `Span` turns them into what
people count (from 1).
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from pinroute.diagnostics import Path, Span

Mark = tuple[int, int]


class YamlMark(Protocol):
    """A mark of PyYAML: kept as it is, and only looked at when a place is asked for."""

    index: int
    line: int
    column: int


def _place(mark: Mark | YamlMark) -> Mark:
    return mark if isinstance(mark, tuple) else (mark.line, mark.column)


# The tag of a plain scalar in a language in which texts always have quotes.
TYPED = "typed"


class _Placed:
    """A node with its marks, as the parser has said them."""

    __slots__ = ("end_mark", "start_mark")

    start_mark: Mark | YamlMark
    end_mark: Mark | YamlMark

    @property
    def start(self) -> Mark:
        """Where it begins."""
        return _place(self.start_mark)

    @property
    def end(self) -> Mark:
        """Where it ends, exclusive."""
        return _place(self.end_mark)


class Scalar(_Placed):
    """A scalar: its text, and whether it was written plain (without quotes)."""

    __slots__ = ("plain", "tag", "text")

    def __init__(
        self,
        text: str,
        plain: bool,
        start: Mark | YamlMark,
        end: Mark | YamlMark,
        tag: str | None = None,
    ):
        self.text = text
        self.plain = plain
        self.start_mark = start
        self.end_mark = end
        self.tag = tag


class Sequence(_Placed):
    """A list of nodes; where it ends is known when it was read."""

    __slots__ = ("items",)

    def __init__(self, start: Mark | YamlMark):
        self.start_mark = self.end_mark = start
        self.items: list[Node] = []


class Mapping(_Placed):
    """A mapping; `entries` keeps the order of the text, `keys` the place of each key."""

    __slots__ = ("entries", "keys")

    def __init__(self, start: Mark | YamlMark):
        self.start_mark = self.end_mark = start
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Scalar] = {}


Node = Scalar | Sequence | Mapping


def at(node: Node | None, *steps: str | int) -> Node | None:
    """Return the node at some steps below another, None where there is none."""
    for step in steps:
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.entries.get(step)
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


class Document:
    """One document of a file. `root` is a mapping for everything that Kubernetes calls an object."""

    __slots__ = ("file", "index", "root", "text")

    def __init__(self, file: str, index: int, root: Node, text: str):
        self.file = file
        self.index = index
        self.root = root
        self.text = text

    def span_of(self, node: Node) -> Span:
        """Return the place of a node; an object or list is its first line, not its whole body."""
        (line, column), (end_line, end_column) = node.start, node.end
        if not isinstance(node, Scalar) and end_line > line:
            first = next(iter(node.keys.values()), None) if isinstance(node, Mapping) else None
            end_line, end_column = first.end if first is not None else (line, column + 1)
        return Span(self.file, line + 1, column + 1, end_line + 1, end_column + 1)

    def walk(self, path: Path) -> Iterator[tuple[Node, Scalar | None]]:
        """Yield each node along a path with its key, as far as the path exists."""
        node: Node = self.root
        yield node, None
        for step in path:
            if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
                key: Scalar | None = node.keys[step]
                node = node.entries[step]
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
                key, node = None, node.items[step]
            else:
                return
            yield node, key

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Return the place of the value (or the key) at a path.

        Where the path leads to nothing (a default, a missing field) it is the closest
        node that exists, by its key if it has one.
        """
        steps = list(self.walk(path))
        node, label = steps[-1]
        if label is not None and (key or len(steps) <= len(path)):
            return self.span_of(label)
        return self.span_of(node)

    def written(self, node: Node) -> str | None:
        """Return the text that a node was read from, None where its place has no offset."""
        start, end = node.start_mark, node.end_mark
        if isinstance(start, tuple) or isinstance(end, tuple):
            return None
        return self.text[start.index : end.index]

    def node(self, path: Path) -> Node | None:
        """Return the node at a path, None where there is none."""
        return at(self.root, *path)


class LateDocument(Document):
    """A document whose nodes are read when they are asked for: often they never are.

    `spans` are places of values that are known without them.
    """

    __slots__ = ("_read", "_spans")

    def __init__(
        self,
        file: str,
        index: int,
        text: str,
        read: Callable[[], Node],
        spans: dict[Path, Span],
    ):
        self.file = file
        self.index = index
        self.text = text
        self._read = read
        self._spans = spans

    def __getattr__(self, name: str) -> Node:
        if name != "root":
            raise AttributeError(name)
        self.root = self._read()
        return self.root

    def span(self, path: Path, *, key: bool = False) -> Span:
        known = None if key else self._spans.get(path)
        return known or super().span(path, key=key)
