"""The vocabulary of findings.

NamedTuples, not dataclasses: these classes are on the start path of every
command, and a dataclass costs about half a millisecond to create.
"""

from enum import Enum
from typing import NamedTuple

Path = tuple[str | int, ...]


class Severity(Enum):
    """How bad a finding is: an error stops the compiler, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANK[self]


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


class Span(NamedTuple):
    """A region of a file: lines and columns count from 1, the end is exclusive."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


class Rule(NamedTuple):
    """A kind of finding. A code is never used again for something else.

    `together` tells that it depends on the other files of a run.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    message: str
    hint: str
    explain: str
    wrong: str
    right: str
    together: bool = False


class Related(NamedTuple):
    """Another place that belongs to a finding, and why."""

    span: Span
    message: str


class Diagnostic(NamedTuple):
    """One finding. `path` leads to the field in the document, as keys and indices."""

    span: Span
    code: str
    name: str
    severity: Severity
    message: str
    hint: str = ""
    path: Path = ()
    related: tuple[Related, ...] = ()


def path_text(path: Path) -> str:
    """Return a path as people write it: spec.groups[1].prefixes[0]."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).lstrip(".")
