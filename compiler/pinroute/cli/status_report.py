"""The status of experiments for people, a line each, and as JSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pinroute.change.shares import RouteShares
from pinroute.cli.report import dumped
from pinroute.cluster.backends import READY, UNKNOWN
from pinroute.cluster.status import Status
from pinroute.istio.resource import as_list, as_mapping
from pinroute.table.measure import Share

HEADS = ("NAMESPACE", "NAME", "STAGE", "SHARES", "READY", "DRIFT", "OWNER", "NO-HASH", "AGE")
_NO_HASH = HEADS.index("NO-HASH")


class Columns:
    """The table: heads before the first lines, and the same widths for those that follow."""

    def __init__(self, rows: Sequence[Sequence[str]], *, counted: bool) -> None:
        self._shown = [at for at in range(len(HEADS)) if counted or at != _NO_HASH]
        self._widths = [max(len(row[at]) for row in (HEADS, *rows)) for at in self._shown]
        self._begun = False

    def lines(self, rows: Sequence[Sequence[str]]) -> str:
        """Return rows, below the heads if they are the first."""
        table = rows if self._begun else [HEADS, *rows]
        self._begun = True
        return "".join(
            "   ".join(
                row[at].ljust(width) for at, width in zip(self._shown, self._widths, strict=True)
            ).rstrip()
            + "\n"
            for row in table
        )


def row(one: Status, requests: Mapping[str, int] | None, now: datetime | None = None) -> list[str]:
    """Return the cells of a status, in the order of HEADS."""
    return [
        one.service.namespace,
        one.experiment[1],
        _stage(one),
        _shares(one),
        _ready(one),
        one.drift if one.live is not None else "-",
        ", ".join(owner.shown for owner in one.owners) or "-",
        _no_hash_text(one, requests),
        _age(one.created, now or datetime.now(UTC)),
    ]


def gone(cells: Sequence[str]) -> list[str]:
    """Return the row of a VirtualService that is there no more."""
    return [*cells[:2], "deleted", *("-" for _ in cells[3:])]


def _stage(one: Status) -> str:
    if one.live is None:
        return "absent"
    live = one.stage or "?"
    return live if one.spec_stage in (None, live) else f"{live} (spec: {one.spec_stage})"


def _shares(one: Status) -> str:
    if one.shares is None:
        return "?" if one.live is not None else "-"
    if not one.shares.routes:
        return "-"
    first = one.shares.routes[0]
    sure = "~" if one.shares.assumed and len(first.shares) > 1 else ""
    text = ", ".join(f"{name} {sure}{percent(share)}" for name, share in first.shares)
    drawn = "" if first.sticky else ", drawn"
    more = len(one.shares.routes) - 1
    return text + drawn + (f" (+{more} more)" if more else "")


def percent(share: Share) -> str:
    """Return a share with as many digits as matter."""
    return f"{float(share * 100):.4g}%"


def _ready(one: Status) -> str:
    if not one.backends:
        return "-"
    states = [{place.state for place in places} for places in one.backends.values()]
    ready = sum(1 for found in states if found == {READY})
    unsure = any(UNKNOWN in found and not found - {READY, UNKNOWN} for found in states)
    return f"{ready}{'?' if unsure else ''}/{len(states)}"


def no_hash(one: Status, requests: Mapping[str, int]) -> tuple[int, int] | None:
    """Return how many requests carried no user hash, and of how many; None where nobody counts."""
    groups: set[str] = set()
    for rule in as_list(as_mapping((one.live or {}).get("spec")).get("http")):
        for match in as_list(as_mapping(rule).get("match")):
            groups.add(str(as_mapping(match).get("statPrefix") or ""))
    own = {group for group in groups if group.endswith("_no_hash")}
    if not own:
        return None
    groups.discard("")
    return sum(requests.get(name, 0) for name in own), sum(requests.get(x, 0) for x in groups)


def _no_hash_text(one: Status, requests: Mapping[str, int] | None) -> str:
    found = no_hash(one, requests) if requests is not None else None
    if found is None:
        return "?"
    without, total = found
    return f"{without / total:.4%} of {total:,}" if total else "no requests"


def _age(created: str, now: datetime) -> str:
    """Return an age as kubectl writes it."""
    try:
        began = datetime.fromisoformat(created)
    except ValueError:
        return "-"
    seconds = max(0, int((now - began).total_seconds()))
    for size, unit, until in ((86400, "d", 2), (3600, "h", 3), (60, "m", 2)):
        if seconds >= until * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def as_json(found: Sequence[Status], requests: Mapping[str, int] | None) -> str:
    """Return the JSON of schemas/cli/status.schema.json."""
    return dumped({"kind": "Status", "items": [_item(one, requests) for one in found]})


def _item(one: Status, requests: Mapping[str, int] | None) -> dict[str, Any]:
    namespace, name = one.experiment
    item: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "virtualService": {"namespace": one.service.namespace, "name": one.service.name},
        "live": one.live is not None,
        "stage": one.stage,
        **({"specStage": one.spec_stage} if one.spec_stage is not None else {}),
        "epoch": one.epoch,
        "drift": one.drift,
        "owners": [owner.shown for owner in one.owners],
        "created": one.created,
        "routes": [_route(route) for route in (one.shares.routes if one.shares else ())],
        "assumed": one.shares is not None and one.shares.assumed,
        "notes": [
            *([one.problem] if one.problem else []),
            *(one.shares.notes if one.shares else ()),
        ],
        "versions": [
            {"name": version, "backends": [place._asdict() for place in places]}
            for version, places in one.backends.items()
        ],
    }
    counted = no_hash(one, requests) if requests is not None else None
    if counted is not None:
        item["noHash"] = {"requests": counted[0], "total": counted[1]}
    return item


def _route(route: RouteShares) -> dict[str, Any]:
    return {
        "request": route.request,
        "shares": [{"version": name, "share": float(share)} for name, share in route.shares],
        "noHash": route.absent,
        "sticky": route.sticky,
    }
