"""Stage 1: text to documents of nodes with places.

Reads the events of PyYAML's C parser, which is several times faster than composing
its nodes. Aliases share nodes instead of copying them, and what they would expand to
is counted, so that a small file can never become a large one in memory.
"""

import re
from collections.abc import Callable
from typing import Any, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from pinroute.diagnostics import Diagnostic, Related, Span, diagnose
from pinroute.spec.nodes import Document, Mapping, Node, Scalar, Sequence

Event = Any  # PyYAML's stubs take every mark for optional
Parent = Sequence | Mapping | None
Items = list[Node] | None
Entries = dict[str, Node]
Keys = dict[str, Scalar]

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
MAX_EXPANSION = 200_000
CHARACTERS_PER_NODE = 64  # an alias of a long text weighs as much as one of many short ones
# Reading a node costs two microseconds: what is within these limits is read in a second.
MAX_NODES = 500_000
MAX_DOCUMENTS = 10_000
MAX_FINDINGS = 1_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = {None, "!", "tag:yaml.org,2002:str"}
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null", "map", "seq")
}
_UNPRINTABLE = "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_OPENED = r"while (?:parsing|scanning) (?:an?|the) (.+)"


def decode(file: str, data: bytes) -> tuple[str, list[Diagnostic]]:
    """Return the text of a file and what is wrong with its encoding."""
    if len(data) > MAX_BYTES:
        return "", [diagnose("PIN011", Span(file), problem=f"more than {MAX_BYTES} bytes")]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "", [
            diagnose("PIN003", Span(file), problem="it begins with a UTF-16 byte-order mark")
        ]
    found: list[Diagnostic] = []
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
        found.append(diagnose("PIN004", Span(file)))
    try:
        return data.decode("utf-8"), found
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        place = Span(file, line, column, line, column + 1)
        problem = f"byte 0x{data[error.start]:02x} cannot stand here"
        return "", [diagnose("PIN003", place, problem=problem)]


def parse(file: str, text: str) -> tuple[list[Document], list[Diagnostic]]:
    """Read every document of a text. Documents before a syntax error are returned too."""
    return _Reader(file, text).read()


class _TooMuch(Exception):
    """Reading stops here: the finding says why."""

    def __init__(self, finding: Diagnostic):
        super().__init__(finding.message)
        self.finding = finding


class _Reader:
    def __init__(self, file: str, text: str):
        self.file = file
        self.text = text
        self.found: list[Diagnostic] = []
        # Each anchor's node, of how many nodes it is made, and how deeply they are nested.
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        self.extents: dict[int, tuple[int, int]] = {}
        self.expansion = 0
        self.nodes = 0

    def read(self) -> tuple[list[Document], list[Diagnostic]]:
        documents: list[Document] = []
        started = 0
        try:
            loader = _LOADER(self.text)
            get = loader.get_event
            while (kind := type(event := get())) is not StreamEndEvent:
                if kind is DocumentStartEvent:
                    started += 1
                    if started > MAX_DOCUMENTS:
                        raise self.too_large(event, f"more than {MAX_DOCUMENTS} documents")
                    self.anchors, self.extents = {}, {}
                    root = self.compose(get)
                    if not (isinstance(root, Scalar) and root.plain and root.text == ""):
                        documents.append(Document(self.file, len(documents), root, self.text))
        except _TooMuch as stop:
            self.found.append(stop.finding)
        except yaml.YAMLError as error:
            self.found.append(self.syntax_error(error))
        return documents, self.found

    def place(self, event: Event) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def too_large(self, event: Event, problem: str = f"more than {MAX_NODES} values") -> _TooMuch:
        return _TooMuch(diagnose("PIN011", self.place(event), problem=problem))

    def report(self, finding: Diagnostic) -> None:
        """Note a finding, and read no further when there are more than anybody reads."""
        if len(self.found) + 1 >= MAX_FINDINGS:
            raise _TooMuch(finding)
        self.found.append(finding)

    def syntax_error(self, error: yaml.YAMLError) -> Diagnostic:
        if isinstance(error, ReaderError):
            return self.unprintable()
        start: Any = getattr(error, "context_mark", None)
        mark: Any = getattr(error, "problem_mark", None) or start
        problem = getattr(error, "problem", None) or str(error)
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        lines = self.text.splitlines()
        here = lines[line] if line < len(lines) else ""
        place = Span(self.file, line + 1, column + 1, line + 1, column + 2)
        if here[column : column + 1] == "\t":
            return diagnose("PIN002", place)
        if "nesting depth" in problem:  # libyaml's own limit, where its scanner runs ahead
            return diagnose("PIN006", place, limit=MAX_DEPTH)
        context = getattr(error, "context", None)
        related: tuple[Related, ...] = ()
        opened = re.fullmatch(_OPENED, context or "")
        if opened is not None and start is not None and start.index != mark.index:
            first = Span(
                self.file, start.line + 1, start.column + 1, start.line + 1, start.column + 2
            )
            related = (Related(first, f"the {opened[1]} begins here"),)
        if problem == "found character that cannot start any token":
            problem = f"no value begins with {here[column : column + 1]!r} unless it is quoted"
        elif context:
            problem = f"{problem} {context}"
        hint = "fill the template in first, this is read as plain YAML" if "{{" in here else None
        return diagnose("PIN001", place, related=related, hint=hint, problem=problem)

    def unprintable(self) -> Diagnostic:
        """Name the first character that YAML does not allow; PyYAML only knows its byte."""
        found = re.search(_UNPRINTABLE, self.text)
        index = found.start() if found is not None else 0
        before = self.text[:index].splitlines() or [""]
        if self.text[:index].endswith(("\n", "\r")):
            before.append("")
        line, column = len(before), len(before[-1]) + 1
        problem = f"character {self.text[index]!r} is not allowed"
        place = Span(self.file, line, column, line, column + 1)
        return diagnose("PIN001", place, hint="remove it", problem=problem)

    def compose(self, get: Callable[[], Event]) -> Node:
        """Build one node from the events, without recursion.

        Nothing of pinroute runs as often as this loop: its names are local ones.
        """
        stack: list[tuple[Parent, Items, Entries, Keys, Scalar | None, str | None]] = []
        parent: Parent = None
        # What `parent` holds: `items` is None for a mapping.
        items: Items = None
        entries: Entries = {}
        keys: Keys = {}
        key: Scalar | None = None
        own_anchor: str | None = None
        scalar, scalar_event, mapping_event = Scalar, ScalarEvent, MappingStartEvent
        most = MAX_NODES
        while True:
            event = get()
            kind = type(event)
            if kind is scalar_event:
                self.nodes += 1
                if self.nodes > most:
                    raise self.too_large(event)
                if event.tag is None:
                    leaf = scalar(event.value, not event.style, event.start_mark, event.end_mark)
                else:
                    leaf = self.tagged(event)
                node: Node = leaf
                anchor = event.anchor
                if key is None and items is None and parent is not None:
                    key = leaf
                    if anchor is not None:
                        self.anchors[anchor] = (leaf, *self.extent(leaf))
                    continue
            elif kind is mapping_event or kind is SequenceStartEvent:
                self.nodes += 1
                if self.nodes > most:
                    raise self.too_large(event)
                if len(stack) >= MAX_DEPTH:
                    raise _TooMuch(diagnose("PIN006", self.place(event), limit=MAX_DEPTH))
                if event.tag is not None:
                    self.check_tag(event)
                stack.append((parent, items, entries, keys, key, own_anchor))
                if kind is mapping_event:
                    parent = mapping = Mapping(event.start_mark)
                    items, entries, keys = None, mapping.entries, mapping.keys
                else:
                    parent = sequence = Sequence(event.start_mark)
                    items = sequence.items
                key, own_anchor = None, event.anchor
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                node, anchor = cast("Sequence | Mapping", parent), own_anchor
                node.end_mark = event.end_mark
                parent, items, entries, keys, key, own_anchor = stack.pop()
            elif kind is AliasEvent:
                self.count(event)
                node, anchor = self.alias(event, len(stack)), None
            else:
                continue
            if anchor is not None:
                self.anchors[anchor] = (node, *self.extent(node))
            if items is not None:
                items.append(node)
            elif key is not None:
                text = key.text
                if text == "<<" or text in entries:
                    self.attach(cast("Mapping", parent), key, node)
                else:
                    entries[text] = node
                    keys[text] = key
                key = None
            elif parent is None:
                return node
            elif isinstance(node, Scalar):  # an alias
                key = node
            else:
                raise _TooMuch(diagnose("PIN014", _span(self.file, node)))

    def count(self, event: Event) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.too_large(event)

    def alias(self, event: Event, depth: int) -> Node:
        known = self.anchors.get(event.anchor)
        if known is None:
            problem = f"alias {event.anchor!r} has no anchor before it"
            hint = f"write the value out, or mark it with &{event.anchor} further up"
            raise _TooMuch(diagnose("PIN001", self.place(event), hint=hint, problem=problem))
        node, count, height = known
        if depth + height > MAX_DEPTH:
            raise _TooMuch(diagnose("PIN006", self.place(event), limit=MAX_DEPTH))
        self.expansion += count
        if self.expansion > MAX_EXPANSION:
            raise _TooMuch(diagnose("PIN007", self.place(event), limit=MAX_EXPANSION))
        return node

    def extent(self, node: Node) -> tuple[int, int]:
        """Return what a node with an anchor stands for: how many nodes, how deep.

        Nodes that have an anchor themselves are known already, so that what aliases
        share is looked at once.
        """
        known = self.extents.get(id(node))
        if known is None:
            if isinstance(node, Scalar):
                known = (1 + len(node.text) // CHARACTERS_PER_NODE, 0)
            else:
                inner = node.items if isinstance(node, Sequence) else list(node.entries.values())
                extents = [self.extent(item) for item in inner]
                deepest = max((height for _, height in extents), default=0)
                known = (1 + sum(count for count, _ in extents), 1 + deepest)
            self.extents[id(node)] = known
        return known

    def attach(self, parent: Mapping, key: Scalar, node: Node) -> None:
        text = key.text
        if text == "<<" and key.plain:
            self.merge(parent, node)
        elif text in parent.keys and parent.keys[text].tag != "<<":
            before = parent.keys[text]
            first = Related(_span(self.file, before), f"{text!r} is first given here")
            self.report(diagnose("PIN005", _span(self.file, key), key=text, related=(first,)))
        else:
            parent.entries[text] = node
            parent.keys[text] = key

    def merge(self, parent: Mapping, node: Node) -> None:
        """Take over what `<<` names; the mapping's own keys win over merged ones."""
        sources = node.items if isinstance(node, Sequence) else [node]
        for source in sources:
            if not isinstance(source, Mapping):
                problem = "'<<' merges an object or a list of objects"
                raise _TooMuch(diagnose("PIN001", _span(self.file, source), problem=problem))
            for name, item in source.entries.items():
                if name not in parent.entries:
                    key = source.keys[name]
                    parent.entries[name] = item
                    parent.keys[name] = Scalar(key.text, key.plain, key.start, key.end, "<<")

    def tagged(self, event: Event) -> Scalar:
        self.check_tag(event)
        plain = (event.style is None or event.style == "") and event.tag not in _TEXT_TAGS
        return Scalar(event.value, plain, event.start_mark, event.end_mark)

    def check_tag(self, event: Event) -> None:
        if event.tag not in _TEXT_TAGS and event.tag not in _PLAIN_TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.report(diagnose("PIN010", self.place(event), tag=tag))


def _span(file: str, node: Node) -> Span:
    return Document(file, 0, node, "").span_of(node)
