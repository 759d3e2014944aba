"""Label selectors as kubectl's `-l` has them: `a=b`, `a!=b`, `a in (b,c)`, `a`, `!a`, joined by commas."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pinroute.cli.exits import Misuse

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_TERM = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<missing>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<operator>==?|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<word>in|notin)\s*\((?P<values>\s*{_VALUE}\s*(?:,\s*{_VALUE}\s*)*)\))?)\s*(?:,|$)"
)


class Term(NamedTuple):
    """One condition: the label has one of the values (None: any), or `not` that."""

    key: str
    values: frozenset[str] | None
    is_negated: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil it; a label that is absent fulfils every negation."""
        value = labels.get(self.key)
        found = value is not None and (self.values is None or value in self.values)
        return found != self.is_negated


class Selector(NamedTuple):
    """All of its terms must hold."""

    terms: tuple[Term, ...]

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an object with these labels is chosen."""
        return all(term.holds(labels) for term in self.terms)


def selector_of(text: str) -> Selector:
    """Return a selector; raises Misuse for what is none."""
    terms: list[Term] = []
    position = 0
    while position < len(text) or not terms or text[position - 1] == ",":
        match = _TERM.match(text, position)
        if match is None:
            raise Misuse(
                f"--selector {text!r}: write name=value, name!=value, name, !name or "
                "'name in (a, b)', joined by commas"
            )
        terms.append(_term(match))
        position = match.end()
    return Selector(tuple(terms))


def _term(match: "re.Match[str]") -> Term:
    if match["absent"]:
        return Term(match["missing"], None, True)
    if match["values"] is not None:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Term(match["key"], values, match["word"] == "notin")
    if match["operator"]:
        return Term(match["key"], frozenset({match["value"]}), match["operator"] == "!=")
    return Term(match["key"], None, False)
