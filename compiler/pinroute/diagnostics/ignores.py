"""Ignores with reasons: `# pinroute: ignore[PIN212] the proxy allows underscores`.

A comment covers its own line, or the next line when it stands alone. Errors cannot be
ignored: what they stand for cannot be compiled; what is an error only because the user's
configuration says so can. An ignore without a reason, and one that ignores nothing, are
findings of their own.
"""

import re
from collections.abc import Callable, Sequence

from pinroute.diagnostics.catalogue import diagnose, rule
from pinroute.diagnostics.model import Diagnostic, Severity, Span

_MARK = "pinroute: ignore["
_COMMENT = re.compile(
    r"(?:^|\s)#\s*pinroute: ignore\[\s*(PIN\d{3}(?:\s*,\s*PIN\d{3})*)\s*\]\s*(.*?)\s*$"
)


def _is_error(item: Diagnostic) -> bool:
    return item.severity is Severity.ERROR and rule(item.code).severity is Severity.ERROR


def without_ignored(
    file: str,
    text: str,
    found: Sequence[Diagnostic],
    *,
    unused: bool = True,
    sure: Callable[[str], bool] = bool,
) -> list[Diagnostic]:
    """Return the findings that stand, and what is wrong with the ignores themselves.

    `unused=False` keeps silent about ignores that ignored nothing: for a run that
    stopped before every check was made. `sure` tells of a code whether this run has
    looked for it everywhere.
    """
    if _MARK not in text:
        return list(found)
    standing = list(found)
    complaints: list[Diagnostic] = []
    for number, line in enumerate(text.splitlines(), 1):
        comment = _COMMENT.search(line)
        if comment is None:
            continue
        start = line.index("#", comment.start())
        span = Span(file, number, start + 1, number, len(line) + 1)
        alone = not line[:start].strip()
        covered = number + 1 if alone else number
        codes = [code.strip() for code in comment[1].split(",")]
        if not comment[2]:
            complaints.append(diagnose("PIN012", span, codes=", ".join(codes)))
        for code in codes:
            kept = [
                item
                for item in standing
                if item.code != code
                or item.span.file != file
                or item.span.line != covered
                or _is_error(item)
            ]
            if len(kept) == len(standing) and unused and sure(code):
                complaints.append(diagnose("PIN013", span, code=code))
            standing = kept
    return standing + complaints
