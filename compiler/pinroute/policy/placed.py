"""Nodes for what a reader without places has read: TOML and JSON from the standard library.

Both keep the order of the text, so that each key and text is looked for behind the one
before. Where it is not found, because it is written with escapes, its parent's place
stands for it.
"""

import re
from bisect import bisect_right
from datetime import date, time
from functools import cache

from pinroute.diagnostics import Diagnostic, Span, diagnose
from pinroute.spec.nodes import TYPED, Mapping, Mark, Node, Scalar, Sequence
from pinroute.spec.parse import MAX_DEPTH

Place = tuple[int, int]

NEAR = 4096  # how far ahead a text is looked for, so that a large file costs no square of its size


def placed(data: object, text: str, offset: int = 0) -> Node:
    """Return the nodes of some data; `offset` is where they begin in the text.

    Raises RecursionError for data that is nested more deeply than YAML may be.
    """
    return _Places(text, offset).node(data, (offset, offset))


def not_read(
    file: str, text: str, language: str, error: Exception, hint: str | None = None
) -> Diagnostic:
    """Return the finding for a text that the standard library's reader refuses."""
    problem = getattr(error, "msg", None) or str(error)
    line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", problem)
    if place is not None:  # how tomllib says it
        problem = problem[: place.start()]
        line = int(place[1] or text.count("\n") + 1)
        column = int(place[2] or len(text) - text.rfind("\n"))
    if isinstance(error, RecursionError):
        problem = "it is nested too deeply"
    where = Span(file, line, column, line, column)
    return diagnose("PIN021", where, hint=hint, language=language, problem=problem)


@cache
def _key(key: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?(?=\s*[]=:.])")


class _Places:
    def __init__(self, text: str, offset: int):
        # Comments of TOML become blanks, and JSON has none.
        self.text = re.sub(r"(?m)^[ \t]*#.*$", lambda found: " " * len(found[0]), text)
        self.cursor = offset
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def mark(self, offset: int) -> Mark:
        line = bisect_right(self.lines, offset) - 1
        return (line, offset - self.lines[line])

    def node(self, data: object, near: Place, depth: int = 0) -> Node:
        if depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(data, dict):
            mapping = Mapping(self.mark(near[0]))
            for key, item in data.items():
                place = self.key(key, near)
                mapping.keys[key] = self.scalar(key, place, plain=False)
                mapping.entries[key] = self.node(item, place, depth + 1)
            mapping.end_mark = self.mark(max(self.cursor, near[1]))
            return mapping
        if isinstance(data, list):
            sequence = Sequence(self.mark(near[0]))
            sequence.items = [self.node(item, near, depth + 1) for item in data]
            sequence.end_mark = self.mark(max(self.cursor, near[1]))
            return sequence
        if isinstance(data, str):
            place = self.word((f'"{data}"', f"'{data}'"), near)
            return self.scalar(data, place, plain=False)
        if isinstance(data, date | time):
            return self.scalar(str(data), self.word((str(data),), near), plain=False)
        words = {True: "true", False: "false", None: "null"}
        word = words[data] if data is None or isinstance(data, bool) else str(data)
        return self.scalar(word, self.word((word,), near), plain=True)

    def key(self, key: str, near: Place) -> Place:
        """Return the next place of a key, and go on behind it; `near` if there is none."""
        found = _key(key).search(self.text, self.cursor, self.cursor + NEAR)
        if found is None:
            return near
        self.cursor = found.end()
        return found.span()

    def word(self, forms: tuple[str, ...], near: Place) -> Place:
        """Return the next place of a value in one of its forms, and go on behind it."""
        places = [
            (start, start + len(form))
            for form in forms
            if (start := self.text.find(form, self.cursor, self.cursor + NEAR)) >= 0
        ]
        if not places:
            return near
        self.cursor = min(places)[1]
        return min(places)

    def scalar(self, text: str, place: Place, *, plain: bool) -> Scalar:
        tag = TYPED if plain else None
        return Scalar(text, plain, self.mark(place[0]), self.mark(place[1]), tag)
