"""Is the VirtualService of a stage too large for somebody on its way?"""

from collections.abc import Mapping, Sequence
from typing import Any

from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.istio.counters import counters_of
from pinroute.istio.emit import match_items
from pinroute.istio.limits import MAX_CLIENT_APPLY_BYTES, MAX_ITEMS, MAX_OBJECT_BYTES
from pinroute.manifest.bundle import Rendered
from pinroute.spec.meaning import Spec
from pinroute.spec.model import Experiment

# Where the rules are as few as can be, advice to make them few would not help.
_IF_MINIMAL = {
    "PIN236": "give the groups fewer and shorter prefixes",
    "PIN237": "use 'kubectl apply --server-side'",
    "PIN238": "give the groups fewer and shorter prefixes",
}


def check_sizes(spec: Spec, rendered: Sequence[Rendered]) -> list[Diagnostic]:
    """Return which stages have more rules or bytes than is good, or than is taken."""
    found: list[Diagnostic] = []
    path: Path = ("spec", "groups")
    where = spec.document.span(path, key=True)
    experiment = spec.experiment
    seen: set[int] = set()
    for stage in rendered:
        service = stage.virtual_service
        if id(service["spec"]) in seen:  # the rules of a stage that was looked at
            continue
        seen.add(id(service["spec"]))
        items = match_items(service["spec"]["http"])
        hints = _IF_MINIMAL if experiment.output.rules == "minimal" else {}
        counted = _bucket_items(experiment, service["spec"]["http"])
        if counted > items // 2:
            fewer = (experiment.buckets or 0) // len(experiment.user_hash.alphabet)
            hint = f"{counted:,} match items are buckets: try 'buckets: {fewer}'"
            hints = dict.fromkeys(_IF_MINIMAL, hint)
        # The text of a Python object is nearly its JSON, and quickly made.
        large = len(repr(service)) > MAX_CLIENT_APPLY_BYTES // 4
        size = _json_bytes(service) if large else 0
        sizes = {
            "PIN236": items > MAX_ITEMS,
            "PIN237": MAX_CLIENT_APPLY_BYTES < size <= MAX_OBJECT_BYTES,
            "PIN238": size > MAX_OBJECT_BYTES,
        }
        found += [
            diagnose(
                code,
                where,
                path,
                hint=hints.get(code),
                name=experiment.name,
                stage=stage.name,
                items=items,
                limit=MAX_ITEMS,
                size=size,
            )
            for code, exceeded in sizes.items()
            if exceeded
        ]
    return found


def _bucket_items(experiment: Experiment, rules: Sequence[Mapping[str, Any]]) -> int:
    """Count the match items that are there to count a bucket."""
    if experiment.buckets is None:
        return 0
    counters = counters_of(experiment)
    return sum(
        counters.is_bucket(str(item.get("statPrefix", "")))
        for rule in rules
        for item in rule.get("match") or ()
    )


def _json_bytes(item: Mapping[str, Any]) -> int:
    import json

    return len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode())
