"""The impact of a change for people, pull requests and machines."""

from collections.abc import Callable, Sequence
from typing import Any

from pinroute.change import LOST, OWNERS, UNROUTED, Change, moved
from pinroute.cli.report import dumped
from pinroute.cli.table import columns

HEADS = ("EXPERIMENT", "ROUTE", "FROM", "TO", "MOVED", "WITNESS", "PREFIXES")
SHOWN = 4


def sentence(found: Sequence[Change]) -> str:
    """Return the impact in one sentence."""
    if not found:
        return "nobody moves"
    share = f"{float(moved(found)):.4%} of the users move"
    back = [change for change in found if change.back]
    lost = [change for change in found if change.after == UNROUTED]
    left = [change for change in found if change.after == OWNERS]
    parts = [share if moved(found) else "only requests without a hash move"]
    if not back:
        parts.append("nobody goes back")
    elif moved(back):
        parts.append(f"{float(moved(back)):.4%} go back")
    else:
        parts.append("requests without a hash go back")
    if lost:
        words = "hosts or paths lose their" if len(lost) > 1 else "host or path loses its"
        parts.append(f"{len(lost)} {words} route")
    if left:
        words = "hosts or paths are" if len(left) > 1 else "host or path is"
        parts.append(f"{len(left)} {words} left to {OWNERS}")
    return "; ".join(parts)


def _rows(found: Sequence[Change]) -> list[list[str]]:
    return [
        [
            change.experiment,
            change.route or change.host,
            change.before,
            change.after + (" (back)" if change.back else ""),
            "no hash"
            if change.witness == "<absent>" and not change.share
            else f"{float(change.share):.4%}",
            change.witness,
            _prefixes(change),
        ]
        for change in found
    ]


def _prefixes(change: Change) -> str:
    shown = [prefix or "(everybody)" for prefix in change.prefixes[:SHOWN]]
    more = len(change.prefixes) - SHOWN
    return " ".join(shown) + (f" and {more} more" if more > 0 else "")


def as_text(found: Sequence[Change]) -> str:
    """Return a table and a sentence."""
    table = columns(HEADS, _rows(found)) + "\n" if found else ""
    return f"{table}{sentence(found)}\n"


def as_markdown(found: Sequence[Change]) -> str:
    """Return a table for a pull request."""
    lines = [f"**{sentence(found)}**"]
    if found:
        lines += [
            "",
            f"| {' | '.join(head.lower() for head in HEADS)} |",
            "| --- " * len(HEADS) + "|",
        ]
        lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in _rows(found)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # A bar ends a cell, also inside of code.
    return f"`{text}`".replace("|", "\\|") if text else ""


def as_github(found: Sequence[Change]) -> str:
    """Return annotations of GitHub Actions: a move back or a lost route is a warning."""
    lines = []
    for change, row in zip(found, _rows(found), strict=True):
        level = "warning" if change.back or change.after in LOST else "notice"
        message = f"{row[1]}: {row[4]} {change.before} -> {row[3]}, for example {change.witness}"
        lines.append(f"::{level} title={change.experiment}::{message.replace('%', '%25')}\n")
    return "".join(lines) + f"{sentence(found)}\n"


def as_json(found: Sequence[Change]) -> str:
    """Return the JSON of schemas/cli/impact.schema.json."""
    items: list[dict[str, Any]] = [
        {
            "experiment": change.experiment,
            "host": change.host,
            "route": change.route,
            "from": change.before,
            "to": change.after,
            "share": float(change.share),
            "witness": change.witness,
            "back": change.back,
            "prefixes": list(change.prefixes),
        }
        for change in found
    ]
    return dumped({"kind": "Impact", "moved": float(moved(found)), "moves": items})


FORMATS: dict[str, Callable[[Sequence[Change]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "markdown": as_markdown,
}
