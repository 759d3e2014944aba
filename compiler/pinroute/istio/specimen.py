"""A text that a regular expression takes: the shortest plain one, for a request to ask with.

Reads what people write in routes: literals, classes, groups, alternatives, repetitions. A
text is given only if RE2 says that it matches, so what is read wrongly does no harm.
"""

from collections.abc import Iterator

from pinroute.istio.regex import full_match, regex_problem

_ESCAPES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "b": "", "B": ""}
_ESCAPES |= {"A": "", "z": "", "t": "\t"}
_SOME = "a0-_/.~A "


def specimen(regex: str) -> str | None:
    """Return a text that a regular expression matches wholly, None if none is found."""
    if regex == "*":
        return "any"
    if regex_problem(regex) is not None:
        return None
    try:
        text = _Reader(regex).alternatives()
    except (IndexError, ValueError, StopIteration):
        return None
    return text if full_match(regex, text) else None


class _Reader:
    """Reads a regular expression from left to right and writes a text for it."""

    def __init__(self, regex: str) -> None:
        self.regex = regex
        self.at = 0

    def _peek(self) -> str:
        return self.regex[self.at : self.at + 1]

    def _next(self) -> str:
        char = self.regex[self.at]
        self.at += 1
        return char

    def alternatives(self) -> str:
        """Read up to the end of a group; the text is that of the first alternative."""
        first = self._sequence()
        while self._peek() == "|":
            self._next()
            self._sequence()
        return first

    def _sequence(self) -> str:
        parts: list[str] = []
        while self._peek() not in ("", "|", ")"):
            one = self._one()
            parts.append(one * self._least())
        return "".join(parts)

    def _one(self) -> str:
        char = self._next()
        if char == "(":
            text = self._group()
            self._next()
            return text
        if char == "[":
            return self._class()
        if char == "\\":
            char = self._next()
            return _ESCAPES.get(char, char)
        return {"^": "", "$": "", ".": "a"}.get(char, char)

    def _group(self) -> str:
        if self._peek() == "?":
            while self._peek() not in (":", ">", ")"):
                self._next()
            if self._peek() == ")":  # flags, such as (?i)
                return ""
            self._next()
        return self.alternatives()

    def _least(self) -> int:
        """Read a repetition; return how often it repeats at least."""
        least = 1
        mark = self._peek()
        if mark in ("*", "+", "?") and mark:
            self._next()
            least = int(mark == "+")
        elif mark == "{":
            end = self.regex.index("}", self.at)
            least = int(self.regex[self.at + 1 : end].partition(",")[0])
            self.at = end + 1
        if self._peek() == "?":
            self._next()
        return least

    def _class(self) -> str:
        negated = self._peek() == "^"
        if negated:
            self._next()
        named = "".join(self._named())
        if negated:
            return next(char for char in _SOME if char not in named)
        return named[0]

    def _named(self) -> Iterator[str]:
        """Yield the characters that a class names, as far as a text needs them."""
        first = True
        while first or self._peek() != "]":
            first = False
            char = self._next()
            if char == "\\":
                char = self._next()
                char = _ESCAPES.get(char, char)
            if self._peek() == "-" and self.regex[self.at + 1] != "]":
                self._next()
                last = self._next()
                yield from (one for one in (char, *_SOME) if char <= one <= last)
            else:
                yield char
        self._next()
