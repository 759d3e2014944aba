"""What has to be set up once so that the counters of all experiments reach Prometheus.

The gateway has to export them, and Prometheus has to scrape and relabel them. Pieces of
configuration, and what they cost in series.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinroute.istio.counters import PATTERN
from pinroute.manifest.relabelling import HISTOGRAM, MEAN, NO_LATENCY, Known, relabellings

JsonObject = dict[str, Any]

# Counters of use, as Envoy's stats matcher sees them (whole names). `_total` is not: it
# counts retries, and misses what Envoy answers itself.
INCLUSION = rf"vhost\..+\.route\.{PATTERN}\.upstream_rq_(completed|[1-5]xx|time)"
NAME = "pinroute-gateways"
PORT = "http-envoy-prom"  # what Istio calls port 15090 of a proxy
PATH = "/stats/prometheus"
INTERVAL = "15s"

# Series of one statPrefix: `_completed`, a class of responses each, and the histogram's 20
# buckets (Envoy's default ones) with its sum and count.
CLASSES = 5
_LATENCY_SERIES = {HISTOGRAM: 22, MEAN: 2, NO_LATENCY: 0}


class Gateways(NamedTuple):
    """The pods that route: their namespace and labels."""

    namespace: str
    labels: Mapping[str, str]


def stats_matcher() -> JsonObject:
    """Return what tells an Istio proxy to keep our counters: the same for all experiments."""
    return {"proxyStatsMatcher": {"inclusionRegexps": [INCLUSION]}}


def gateway_patch(configuration: str) -> JsonObject:
    """Return the change of a gateway's Deployment; `configuration` is `stats_matcher` as text."""
    annotations = {"proxy.istio.io/config": configuration}
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def istio_operator() -> JsonObject:
    """Return the same for all proxies of a mesh."""
    return {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "spec": {"meshConfig": {"defaultConfig": stats_matcher()}},
    }


def scrape_config(gateways: Gateways, known: Sequence[Known], latency: str) -> JsonObject:
    """Return a job of a Prometheus scrape configuration."""
    selected = [
        {
            "source_labels": [f"__meta_kubernetes_pod_label_{_label_name(name)}"],
            "regex": _literal(value),
            "action": "keep",
        }
        for name, value in gateways.labels.items()
    ]
    return {
        "job_name": NAME,
        "metrics_path": PATH,
        "params": {"filter": [_filter(latency)]},
        "scrape_interval": INTERVAL,
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [gateways.namespace]}}],
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_pod_container_port_name"],
                "regex": PORT,
                "action": "keep",
            },
            *selected,
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
        "metric_relabel_configs": [rule.as_prometheus() for rule in relabellings(known, latency)],
    }


def pod_monitor(gateways: Gateways, known: Sequence[Known], latency: str) -> JsonObject:
    """Return the same job as an object of the Prometheus operator."""
    endpoint = {
        "port": PORT,
        "path": PATH,
        "params": {"filter": [_filter(latency)]},
        "interval": INTERVAL,
        "metricRelabelings": [rule.as_operator() for rule in relabellings(known, latency)],
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": NAME, "namespace": gateways.namespace},
        "spec": {
            "selector": {"matchLabels": dict(gateways.labels)},
            "podMetricsEndpoints": [endpoint],
        },
    }


class Series(NamedTuple):
    """How many series a gateway pod has for each port: with one class of responses, and with all."""

    least: int
    most: int


def series(stat_prefixes: int, latency: str) -> Series:
    """Return what so many statPrefixes cost once they have counted something."""
    other = 1 + _LATENCY_SERIES[latency]
    return Series(stat_prefixes * (other + 1), stat_prefixes * (other + CLASSES))


def _filter(latency: str) -> str:
    """Return what Envoy leaves out of a scrape: everything that this does not match."""
    kinds = "completed|[1-5]xx" + ("|time" if latency != NO_LATENCY else "")
    return rf"^vhost\..+\.route\.pin_.+\.upstream_rq_({kinds})$"


def _label_name(name: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name)


def _literal(value: str) -> str:
    """Return a label's value as a regular expression: of what it may hold, only dots are special."""
    return value.replace(".", r"\.")
