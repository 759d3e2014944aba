"""Where the items of a block list stand in the text, line by line.

Read from PyYAML's tokens: they know the place of each dash, also of items that are
aliases, and where the content of an item ends before comments and blank lines do.
"""

from typing import Any, NamedTuple

import yaml
from yaml.tokens import (
    AnchorToken,
    BlockEndToken,
    BlockEntryToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    KeyToken,
    ScalarToken,
    StreamEndToken,
    TagToken,
    ValueToken,
)

from pinroute.spec.nodes import Mark

Token = Any  # PyYAML's stubs take every mark for optional

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingStartToken,
    FlowSequenceStartToken,
)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_WITHOUT_TEXT = (BlockMappingStartToken, BlockSequenceStartToken, BlockEndToken)


class Entry(NamedTuple):
    """One item: the line and the column of its dash, and the first line behind its content."""

    line: int
    column: int
    end: int


class Entries(NamedTuple):
    """The items of a list, and the lines between which comments belong to it.

    `start` is the first line behind the key, `end` the first one of what follows the list.
    """

    start: int
    items: tuple[Entry, ...]
    end: int


def block_entries(text: str, key: Mark) -> Entries | None:
    """Return the items of the block list behind the key at a place.

    None where no block list is written there: in braces, or an alias. The text is one
    that `parse` has read.
    """
    loader = _LOADER(text)
    opening = _behind(loader, key)
    if opening is None:
        return None
    start, token = opening
    if type(token) is BlockSequenceStartToken:
        token = loader.get_token()
    items: list[Entry] = []
    depth = 0
    while not (depth == 0 and isinstance(token, (KeyToken, BlockEndToken, StreamEndToken))):
        if depth == 0 and type(token) is BlockEntryToken:
            line, column = token.start_mark.line, token.start_mark.column
            items.append(Entry(line, column, line + 1))
        elif isinstance(token, _OPENING):
            depth += 1
        elif isinstance(token, _CLOSING):
            depth -= 1
        if not isinstance(token, _WITHOUT_TEXT):
            items[-1] = items[-1]._replace(end=max(items[-1].end, _end(token)))
        token = loader.get_token()
    before = text.splitlines()[token.start_mark.line :][:1]
    # Text before the place is a comment at the very end of the file.
    inside = bool(before) and bool(before[0][: token.start_mark.column].strip())
    return Entries(start, tuple(items), token.start_mark.line + inside)


def _behind(loader: Any, key: Mark) -> tuple[int, Token] | None:
    """Return the first line behind a key, and the token that opens its block list."""
    while type(token := loader.get_token()) is not StreamEndToken:
        mark = token.start_mark
        if type(token) is ScalarToken and (mark.line, mark.column) == key:
            break
    last = loader.get_token()
    if type(last) is not ValueToken:
        return None
    while isinstance(token := loader.get_token(), (AnchorToken, TagToken)):
        last = token
    if not isinstance(token, (BlockSequenceStartToken, BlockEntryToken)):
        return None
    start = last.end_mark.line + 1
    return (start, token) if token.start_mark.line >= start else None


def _end(token: Token) -> int:
    """Return the first line behind a token; a literal text ends where the next line begins."""
    end = token.end_mark
    return int(end.line if end.column == 0 and end.line > token.start_mark.line else end.line + 1)
