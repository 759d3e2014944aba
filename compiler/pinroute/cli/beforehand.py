"""Many files read and looked at by several processes, before they are checked together.

What the others find out comes back as findings, and as the outlines that checks of several
documents need. A file of theirs is read again here only where one of these checks needs a
place in it. So the result is that of one process, which also does all where the input is
small.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

from pinroute.checks.alone import Alone, alone
from pinroute.checks.bodies import Bodies
from pinroute.checks.outline import Outline
from pinroute.compilation import Source, load_source
from pinroute.diagnostics import Diagnostic, Path, Span
from pinroute.spec.load import Loaded
from pinroute.spec.nodes import Document, LateDocument, Node
from pinroute.spec.parse import decode

# Below this many bytes for each, another process costs more than it takes over.
WORTH = 256 * 1024
# Who is free takes about so many bytes.
SHARE = 16 * 1024
MOST_SHARES = 2000
_OURS = re.compile(rb"apiVersion\W{1,4}pinroute\.dev/|AffinityExperiment")


class Beforehand(NamedTuple):
    """Files that were read, by name, and what was found at their documents one by one."""

    files: Mapping[str, Loaded]
    looks: Mapping[Document, Alone]

    def load(self, source: Source) -> Loaded:
        """Return a file; it is read now if it was not."""
        return self.files.get(source.name) or load_source(source)


class _Look(NamedTuple):
    """What is kept of a document: no nodes; `outline` is the outline without its document.

    `place` is the index of the document in its file, which items of one List share.
    """

    place: int
    findings: tuple[Diagnostic, ...]
    kind: type[Any]
    outline: tuple[Any, ...]
    spans: dict[Path, Span]


class _File(NamedTuple):
    """What is kept of a file: its number, the findings of reading it, and its documents."""

    number: int
    findings: list[Diagnostic]
    looks: list[_Look]


def read_beforehand(sources: Sequence[Source]) -> Beforehand:
    """Read files in as many processes as pay, none of them if one is best.

    Raises Interrupted.
    """
    others = [source for source in sources if not _holds_ours(source.data)]
    shares = _shares(others)
    processes = min(len(shares), sum(len(source.data) for source in others) // WORTH)
    if processes < 2 or len({source.name for source in others}) < len(others):
        return Beforehand({}, {})
    from pinroute.cli.processes import processors, spread

    processes = min(processes, processors())
    if processes < 2:
        return Beforehand({}, {})
    own, sent = spread(partial(_looks, others, shares), len(shares), processes)
    files: dict[str, Loaded] = {}
    looks: dict[Document, Alone] = {}
    for file in chain(own, *sent):
        source = others[file.number]
        files[source.name] = loaded = _loaded(source, file)
        for document, look in zip(loaded.others, file.looks, strict=True):
            outline = look.kind(document, *look.outline) if look.outline else None
            looks[document] = Alone(look.findings, outline)
    return Beforehand(files, looks)


def _holds_ours(data: bytes) -> bool:
    """Tell whether a file may hold documents of our own: they are for this process."""
    # A word is found much faster than an expression.
    words = b"pinroute.dev/" in data or b"AffinityExperiment" in data
    return words and _OURS.search(data) is not None


def _shares(sources: Sequence[Source]) -> list[list[int]]:
    """Return the numbers of the files in groups of about equal size, in order."""
    total = sum(len(source.data) for source in sources)
    size = max(SHARE, total // (MOST_SHARES - 1) + 1)
    shares: list[list[int]] = [[]]
    filled = 0
    for number, source in enumerate(sources):
        if filled >= size:
            shares.append([])
            filled = 0
        shares[-1].append(number)
        filled += len(source.data)
    return shares


def _looks(
    sources: Sequence[Source], shares: Sequence[Sequence[int]], numbers: Iterator[int]
) -> list[_File]:
    """Read the files of some shares, and look at their documents; the nodes are forgotten."""
    known = Bodies()
    found: list[_File] = []
    for share in numbers:
        for number in shares[share]:
            try:
                loaded = load_source(sources[number])
                looks = [_look(document, known) for document in loaded.others]
            except Exception:  # noqa: S112  it is read again, and the same happens there
                continue
            if not loaded.ours:
                found.append(_File(number, loaded.diagnostics, looks))
    return found


def _look(document: Document, known: Bodies) -> _Look:
    findings, outline = alone(document, known)
    spans: dict[Path, Span] = {}
    if isinstance(outline, Outline):
        spans = {path: document.span(path) for path in outline.often_named()}
    return _Look(document.index, findings, type(outline), (outline or ())[1:], spans)


def _loaded(source: Source, file: _File) -> Loaded:
    """Return a file that was looked at; its nodes are read again when they are needed."""
    text, _ = decode(source.name, source.data)
    again = cache(partial(load_source, source))
    others: list[Document] = [
        LateDocument(source.name, look.place, text, partial(_root, again, number), look.spans)
        for number, look in enumerate(file.looks)
    ]
    return Loaded(text, [], others, file.findings)


def _root(read: Callable[[], Loaded], number: int) -> Node:
    return read().others[number].root
