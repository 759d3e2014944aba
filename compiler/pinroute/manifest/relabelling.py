"""From the names of counters to labels: the rules by which Prometheus relabels a scrape.

A plain Envoy and the one of an Istio gateway call the same counter differently, because
Istio brings tags of its own:

    plain   envoy_vhost_example_com_80_route_<statPrefix>_upstream_rq_xx
                {envoy_virtual_host="search", envoy_response_code_class="2"}
    Istio   envoy_vhost_search_example_com_80_route_<statPrefix>_upstream_rq
                {response_code_class="2xx"}

Both become `envoy_route_upstream_rq_xx` with `response_code_class="2xx"`. Of a host without
a dot (or `*`), a plain Envoy makes a tag of the statPrefix too, which is taken back first.
The virtual host stays as a label: a host on two ports would otherwise give one series
twice.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pinroute.istio.counters import PARTS, PATTERN, spelt

HISTOGRAM, MEAN, NO_LATENCY = LATENCIES = ("histogram", "mean", "none")

_ROUTE = "envoy_vhost_(?:(.+)_)?route_"
_OURS = f"envoy_vhost_.*route_{PATTERN}_upstream_rq"
_NAME = "__name__"

# What the parts of a name become, in their order: virtual host first.
_LABELS = (
    ("virtual_host", "$1"),
    ("experiment_id", "$2"),
    ("experiment", "$2"),
    ("generation", "$3"),
    ("version", "v$4"),
    ("group", "$5"),
    ("bucket", "$6"),
)
LABELS = tuple(label for label, _ in _LABELS)
METRICS = (
    "envoy_route_upstream_rq_completed",
    "envoy_route_upstream_rq_xx",
    "envoy_route_upstream_rq_time",
)


class Relabelling(NamedTuple):
    """One rule: where the sources, joined by `;`, match the whole `regex`, it acts."""

    sources: tuple[str, ...]
    regex: str
    target: str = ""
    replacement: str = ""
    action: str = "replace"

    def as_prometheus(self) -> dict[str, object]:
        """Return the rule as `metric_relabel_configs` of a scrape configuration have it."""
        return self._as("source_labels", "target_label")

    def as_operator(self) -> dict[str, object]:
        """Return the rule as `metricRelabelings` of the Prometheus operator have it."""
        return self._as("sourceLabels", "targetLabel")

    def _as(self, sources: str, target: str) -> dict[str, object]:
        found: dict[str, object] = {sources: list(self.sources), "regex": self.regex}
        if self.action == "replace":
            return {**found, target: self.target, "replacement": self.replacement}
        return {**found, "action": self.action}


class Known(NamedTuple):
    """An experiment whose id and labels are to be read as what the spec calls them."""

    name: str
    namespace: str
    id: str
    labels: tuple[str, ...]


def relabellings(experiments: Iterable[Known], latency: str = HISTOGRAM) -> list[Relabelling]:
    """Return the rules; those for `experiments` give back what a counter's name cannot say.

    The others are the same for all experiments. `latency` tells how much of it is kept.
    """
    unused = ["_total", "_retry.*", "_timeout", ""]  # "": by status code, not by class
    if latency != HISTOGRAM:
        unused.append("_time_bucket" if latency == MEAN else "_time.*")
    drop = f"{_OURS}(?:{'|'.join(unused)});"
    parts = f"{_ROUTE}{PARTS}_upstream_rq(?:_.+)?"
    rules = [
        Relabelling(
            (_NAME, "envoy_route"),
            f"envoy_vhost_route_(upstream_rq.*);({PATTERN})",
            _NAME,
            "envoy_vhost_route_${2}_${1}",
        ),
        Relabelling((_NAME, "response_code_class"), drop, action="drop"),
        *(Relabelling((_NAME,), parts, label, found) for label, found in _LABELS),
        Relabelling(
            (_NAME, "envoy_response_code_class"),
            f"{_OURS}_xx;([1-5])",
            "response_code_class",
            "${1}xx",  # `$1xx` would be the group of that name
        ),
        Relabelling((_NAME,), f"{_OURS}(?:_xx)?", _NAME, "envoy_route_upstream_rq_xx"),
        Relabelling((_NAME,), f"{_OURS}_(.+)", _NAME, "envoy_route_upstream_rq_$1"),
    ]
    for one in experiments:
        rules += _own(one)
    return rules


def _own(one: Known) -> Sequence[Relabelling]:
    """Return the rules that read the id of an experiment as its name, and its labels as written."""
    rules = [
        Relabelling(("experiment_id",), one.id, "experiment", one.name),
        Relabelling(("experiment_id",), one.id, "experiment_namespace", one.namespace),
    ]
    rules += [
        Relabelling(("experiment_id", "group"), f"{one.id};{spelt(label)}", "group", label)
        for label in one.labels
        if spelt(label) != label
    ]
    return rules
