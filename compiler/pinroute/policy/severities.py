"""Severities for paths: what a finding weighs in the files of a pattern.

The last rule that matches a finding holds. Errors of reading, shape and meaning (PIN0xx
to PIN2xx) keep their severity: what they stand for cannot be compiled.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from pinroute.diagnostics import Diagnostic, Severity
from pinroute.diagnostics.catalogue import is_fixed


class SeverityRule(NamedTuple):
    """A severity for some codes; None ignores them. Without `paths` it is for every file."""

    codes: frozenset[str]
    severity: Severity | None
    paths: tuple[str, ...] = ()


class Severities(NamedTuple):
    """The rules, and the path of each file as the patterns see it, by its name in findings."""

    rules: tuple[SeverityRule, ...]
    places: Mapping[str, str]


def weighed(found: Iterable[Diagnostic], severities: Severities) -> list[Diagnostic]:
    """Return findings with the severity that the rules give them, without those ignored."""
    standing: list[Diagnostic] = []
    for item in found:
        own = _last(item, severities)
        if own is None or is_fixed(item.code):
            standing.append(item)
        elif own.severity is not None:
            standing.append(item._replace(severity=own.severity))
    return standing


def _last(item: Diagnostic, severities: Severities) -> SeverityRule | None:
    place = severities.places.get(item.span.file)
    for own in reversed(severities.rules):
        if item.code in own.codes and (
            not own.paths
            or (place is not None and any(matches(place, pattern) for pattern in own.paths))
        ):
            return own
    return None


def matches(path: str, pattern: str) -> bool:
    """Tell whether a pattern takes a path; both have `/` between their parts.

    `*`, `?` and `[…]` stay inside one part, `**` stands for any number of parts, and a
    `/` at the end for everything below.
    """
    globs = pattern.split("/")
    if globs[-1] == "":
        globs[-1] = "**"
    states = _open({0}, globs)
    for part in path.split("/"):
        following: set[int] = set()
        for state in states:
            if state < len(globs) and globs[state] == "**":
                following |= {state, state + 1}
            elif state < len(globs) and fnmatchcase(part, globs[state]):
                following.add(state + 1)
        states = _open(following, globs)
    return len(globs) in states


def _open(states: set[int], globs: list[str]) -> set[int]:
    """Add the states behind each `**`, which may stand for nothing unless it is the last."""
    opened = set(states)
    for state in range(len(globs) - 1):
        if state in opened and globs[state] == "**":
            opened.add(state + 1)
    return opened
