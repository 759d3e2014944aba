"""The impact of a change for people, pull requests and machines."""

from collections.abc import Callable, Sequence
from typing import Any

from pinroute.change.model import (
    GATEWAY,
    LOST,
    OWNERS,
    UNROUTED,
    Change,
    Impact,
    OtherShare,
    Overlap,
    moved,
)
from pinroute.cli.report import dumped
from pinroute.cli.table import columns
from pinroute.istio.evaluate import Call
from pinroute.table.difference import ABSENT
from pinroute.table.measure import Share

HEADS = ("EXPERIMENT", "ROUTE", "FROM", "TO", "MOVED", "WITNESS", "PREFIXES")
GROUP_HEADS = ("EXPERIMENT", "GROUP", "BEFORE", "SHARE")
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
    drawn = moved(change._replace(share=_requests(change)) for change in found)
    if drawn < moved(found):
        parts.append(
            f"weighted splits draw for every request, at least {float(drawn):.4%} of them go elsewhere"
        )
    if not back:
        parts.append("nobody goes back")
    elif moved(back):
        parts.append(f"{float(moved(back)):.4%} go back")
    else:
        parts.append("requests without a hash go back")
    if lost:
        apart = any(change.kind == GATEWAY for change in lost)
        if len(lost) > 1:
            words = f"hosts{', paths or gateways' if apart else ' or paths'} lose their"
        else:
            words = f"{'gateway' if apart else 'host or path'} loses its"
        parts.append(f"{len(lost)} {words} route")
    if left:
        words = "hosts or paths are" if len(left) > 1 else "host or path is"
        parts.append(f"{len(left)} {words} left to {OWNERS}")
    return "; ".join(parts)


def _requests(change: Change) -> Share:
    return change.share if change.requests is None else change.requests


def _rows(found: Sequence[Change]) -> list[list[str]]:
    return [
        [
            change.experiment,
            _route(change),
            change.before,
            change.after + (" (back)" if change.back else ""),
            "no hash"
            if change.witness == ABSENT and not change.share
            else f"{float(change.share):.4%}",
            change.witness or "any",
            _prefixes(change),
        ]
        for change in found
    ]


def _route(change: Change) -> str:
    name = change.route or change.host
    if change.gateway:
        name += f" at {change.gateway}"
    return name + (f" and {change.alike} more" if change.alike else "")


def _prefixes(change: Change) -> str:
    shown = [prefix or "(everybody)" for prefix in change.prefixes[:SHOWN]]
    more = len(change.prefixes) - SHOWN
    return " ".join(shown) + (f" and {more} more" if more > 0 else "")


def _overlap_rows(found: Sequence[Overlap]) -> list[list[str]]:
    return [[one.experiment, one.group, one.before, f"{float(one.share):.4%}"] for one in found]


def _other_share(one: OtherShare) -> str:
    return (
        f"{one.experiment}: group {one.group} has {float(one.share):.4%} of the users, not "
        f"{float(one.wanted):.4%}, because of output.maxRules or output.tolerance"
    )


def as_text(found: Impact) -> str:
    """Return a table and a sentence, then what another rotation does to the groups."""
    changes = found.changes
    text = columns(HEADS, _rows(changes)) + "\n" if changes else ""
    text += f"{sentence(changes)}\n"
    if found.overlaps:
        text += "\nAnother rotation: where the users of each group were before\n\n"
        text += columns(GROUP_HEADS, _overlap_rows(found.overlaps))
    if found.shares:
        text += "\n" + "".join(f"{_other_share(one)}\n" for one in found.shares)
    return text


def as_markdown(found: Impact) -> str:
    """Return tables for a pull request."""
    lines = [f"**{sentence(found.changes)}**"]
    lines += _markdown_table(HEADS, _rows(found.changes))
    if found.overlaps:
        lines += ["", "Another rotation: where the users of each group were before"]
        lines += _markdown_table(GROUP_HEADS, _overlap_rows(found.overlaps))
    for one in found.shares:
        lines += ["", _other_share(one)]
    return "\n".join(lines) + "\n"


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    return [
        "",
        f"| {' | '.join(head.lower() for head in heads)} |",
        "| --- " * len(heads) + "|",
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows),
    ]


def _cell(text: str) -> str:
    # A bar ends a cell, also inside of code.
    return f"`{text}`".replace("|", "\\|") if text else ""


def as_github(found: Impact) -> str:
    """Return annotations of GitHub Actions: a move back or a lost route is a warning."""
    lines = []
    for change, row in zip(found.changes, _rows(found.changes), strict=True):
        level = "warning" if change.back or change.after in LOST else "notice"
        message = f"{row[1]}: {row[4]} {change.before} -> {row[3]}, for example {row[5]}"
        lines.append(_annotation(level, change.experiment, message))
    for one in found.overlaps:
        message = f"{float(one.share):.4%} of the users of {one.group} were in {one.before} before"
        lines.append(_annotation("notice", one.experiment, message))
    lines += [_annotation("notice", one.experiment, _other_share(one)) for one in found.shares]
    return "".join(lines) + f"{sentence(found.changes)}\n"


def _annotation(level: str, title: str, message: str) -> str:
    return f"::{level} title={title}::{message.replace('%', '%25')}\n"


def as_json(found: Impact) -> str:
    """Return the JSON of schemas/cli/impact.schema.json."""
    body: dict[str, Any] = {
        "kind": "Impact",
        "moved": float(moved(found.changes)),
        "moves": [_move(change) for change in found.changes],
        "overlaps": [one._asdict() | {"share": float(one.share)} for one in found.overlaps],
        "shares": [
            one._asdict() | {"wanted": float(one.wanted), "share": float(one.share)}
            for one in found.shares
        ],
        "notes": list(found.notes),
    }
    return dumped(body)


def _move(change: Change) -> dict[str, Any]:
    item: dict[str, Any] = {
        "kind": change.kind,
        "experiment": change.experiment,
        "host": change.host,
        "route": change.route,
        "from": change.before,
        "to": change.after,
        "share": float(change.share),
        "requests": float(_requests(change)),
        "witness": change.witness,
        "back": change.back,
        "prefixes": list(change.prefixes),
    }
    if change.gateway:
        item["gateway"] = change.gateway
    if change.call is not None:
        item["request"] = _request(change.call)
    if change.alike:
        item["alike"] = change.alike
    return item


def _request(call: Call) -> dict[str, Any]:
    """Return a request of the users, without their hash."""
    found: dict[str, Any] = {
        "method": call.method,
        "scheme": call.scheme,
        "host": call.host,
        "port": call.port,
        "path": call.path,
        "headers": {name: lines[0] for name, lines in call.headers.items()},
        "gateway": call.gateway,
    }
    if call.labels:
        found["sourceLabels"] = dict(call.labels)
    if call.namespace:
        found["sourceNamespace"] = call.namespace
    return found


FORMATS: dict[str, Callable[[Impact], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "markdown": as_markdown,
}
