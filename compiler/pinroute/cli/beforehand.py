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
from pinroute.compilation import Source, load_source
from pinroute.diagnostics import Diagnostic
from pinroute.spec.load import Loaded
from pinroute.spec.nodes import Document, LateDocument, Node
from pinroute.spec.parse import decode

# Below this many bytes for each, another process costs more than it takes over.
WORTH = 128 * 1024
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


# What is kept of a file: its number, the findings of reading it, and of each document its
# index, its findings, and the outline without the document: its class, and its fields.
_Look = tuple[
    int, list[Diagnostic], list[tuple[int, tuple[Diagnostic, ...], type[Any], tuple[Any, ...]]]
]


def read_beforehand(sources: Sequence[Source]) -> Beforehand:
    """Read files in as many processes as pay, none of them if one is best.

    Raises Interrupted.
    """
    others = [source for source in sources if not _holds_ours(source.data)]
    processes = sum(len(source.data) for source in others) // WORTH
    if processes < 2 or len({source.name for source in others}) < len(others):
        return Beforehand({}, {})
    from pinroute.cli.processes import processors, spread

    processes = min(processes, processors())
    if processes < 2:
        return Beforehand({}, {})
    shares = _shares(others)
    own, sent = spread(partial(_looks, others, shares), len(shares), processes)
    files: dict[str, Loaded] = {}
    looks: dict[Document, Alone] = {}
    for look in chain(own, *sent):
        source = others[look[0]]
        files[source.name] = loaded = _loaded(source, look)
        for document, (_, findings, kind, rest) in zip(loaded.others, look[2], strict=True):
            looks[document] = Alone(findings, kind(document, *rest) if rest else None)
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
) -> list[_Look]:
    """Read the files of some shares, and look at their documents; the nodes are forgotten."""
    known = Bodies()
    found: list[_Look] = []
    for share in numbers:
        for number in shares[share]:
            try:
                loaded = load_source(sources[number])
                looks = [(document.index, alone(document, known)) for document in loaded.others]
            except Exception:  # noqa: S112  it is read again, and the same happens there
                continue
            if not loaded.ours:
                kept = [
                    (index, one.findings, type(one.outline), (one.outline or ())[1:])
                    for index, one in looks
                ]
                found.append((number, loaded.diagnostics, kept))
    return found


def _loaded(source: Source, look: _Look) -> Loaded:
    """Return a file that was looked at; its nodes are read again when they are needed."""
    text, _ = decode(source.name, source.data)
    again = cache(partial(load_source, source))
    others: list[Document] = [
        LateDocument(source.name, index, text, partial(_root, again, place))
        for place, (index, *_) in enumerate(look[2])
    ]
    return Loaded(text, [], others, look[1])


def _root(read: Callable[[], Loaded], place: int) -> Node:
    return read().others[place].root
