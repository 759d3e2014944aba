"""Findings for people, and what they mean for the exit code."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pinroute.cli.exits import Exit
from pinroute.cli.terminal import BLUE, RED, YELLOW, styled
from pinroute.diagnostics import Diagnostic, Severity, Span
from pinroute.diagnostics.catalogue import is_fixed

API_VERSION = "pinroute.dev/cli/v1"
_COLOURS = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: BLUE}


def exit_code(found: Iterable[Diagnostic], fail_on: Severity = Severity.ERROR) -> Exit:
    """Return 2 if something could not be read, 1 if a finding is at least `fail_on`, else 0."""
    bad = [item for item in found if item.severity.rank <= fail_on.rank]
    if any(item.code.startswith("PIN0") and is_fixed(item.code) for item in bad):
        return Exit.USAGE
    return Exit.NO if bad else Exit.OK


def loud(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return errors and warnings: notes are for those who ask, with `validate`."""
    return [item for item in found if item.severity is not Severity.NOTE]


def counts(found: Sequence[Diagnostic]) -> str:
    """Return how many findings there are, in words."""
    parts = []
    for severity in Severity:
        number = sum(1 for item in found if item.severity is severity)
        if number:
            parts.append(f"{number} {severity.value}{'s' if number > 1 else ''}")
    return ", ".join(parts) or "no findings"


def text(found: Iterable[Diagnostic], coloured: bool = False) -> str:
    """Return findings as editors, `grep` and problem matchers understand them."""
    lines: list[str] = []
    for item in found:
        word = f"{item.severity.value}[{item.code}]"
        if coloured:
            word = styled(word, _COLOURS[item.severity])
        lines.append(f"{_place(item.span)}: {word} {item.message}")
        lines += [f"{_place(other.span)}: note: {other.message}" for other in item.related]
        if item.hint:
            lines.append(f"  hint: {item.hint}")
    return "".join(f"{line}\n" for line in lines)


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}:{span.column}"


def dumped(body: dict[str, Any]) -> str:
    """Return the JSON of a command, with its API version in front."""
    return json.dumps({"apiVersion": API_VERSION, **body}, indent=2, ensure_ascii=False) + "\n"
