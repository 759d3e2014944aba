"""Requests through a real Envoy, counted by group and bucket, and relabelled as Prometheus does."""

import json
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.istio.envoy import clusters, route_configuration
from pinroute.local.backend import Backends, Endpoint
from pinroute.local.client import Client, Request
from pinroute.local.server import Gateway, Listener, running
from pinroute.lookup import look_up_many
from pinroute.manifest.dump import dump

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "buckets.yaml"
FLUSH = 5.0  # seconds after which Envoy shows what a histogram has taken

Json = dict[str, Any]


def istio_stats(inclusion: Sequence[str]) -> Json:
    """The `stats_config` of an Istio proxy, as far as it concerns routes.

    From tools/packaging/common/envoy_bootstrap.json and pkg/bootstrap/config.go of
    istio/istio; `inclusion` is what proxyStatsMatcher.inclusionRegexps adds. Without the
    regular expression that Istio has for routes from 1.23 on.
    """
    return {
        "use_all_default_tags": False,
        "stats_tags": [
            {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
            {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
            {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
        ],
        "stats_matcher": {
            "inclusion_list": {
                "patterns": [
                    {"prefix": "reporter="},
                    {"prefix": "cluster_manager"},
                    {"prefix": "listener_manager"},
                    {"prefix": "server"},
                    *({"safe_regex": {"regex": regex}} for regex in inclusion),
                    {"prefix": "component"},
                ]
            }
        },
    }


def observability(*words: str) -> Json:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", "observability", *words, "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: Json = json.loads(done.stdout)
    return found


EMITTED = observability(str(SAMPLE))
OURS: list[str] = EMITTED["proxyStatsMatcher"]["inclusionRegexps"]
STATS = {
    "plain": {},
    "istio": istio_stats([r"vhost\..*\.route\..*"]),  # Istio's own, from 1.23 on
    "before-1.23": istio_stats([*OURS, r"vhost\.*\.route\.*"]),  # with Istio's mistake
}


# --- Prometheus ----------------------------------------------------------------------------


class Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float

    @property
    def name(self) -> str:
        return self.labels["__name__"]


def parsed(text: str) -> list[Sample]:
    """Read Prometheus' text format."""
    found: list[Sample] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            assert match is not None, line
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            found.append(Sample({"__name__": match[1], **labels}, float(match[3])))
    return found


def expanded(template: str, match: re.Match[str]) -> str:
    """Replace `$1` and `${1}` as Go's regexp.Expand does: the longest name counts."""

    def group(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return (match[int(name)] or "") if name.isdigit() and int(name) <= match.re.groups else ""

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", group, template)


def relabelled(samples: Sequence[Sample], rules: Sequence[Json]) -> list[Sample]:
    """Apply metric_relabel_configs: whole matches, sources joined by `;`, no label without value."""
    found: list[Sample] = []
    for sample in samples:
        labels = dict(sample.labels)
        for rule in rules:
            joined = ";".join(labels.get(name, "") for name in rule["source_labels"])
            match = re.fullmatch(rule["regex"], joined, re.DOTALL)
            if rule.get("action") == "drop":
                if match is not None:
                    break
                continue
            assert rule.keys() == {"source_labels", "regex", "target_label", "replacement"}
            if match is not None:
                labels[rule["target_label"]] = expanded(rule["replacement"], match)
                labels = {name: value for name, value in labels.items() if value}
        else:
            found.append(Sample(labels, sample.value))
    return found


# --- Envoy ----------------------------------------------------------------------------------


def compiled(stage: str, text: str = "") -> Compiled:
    data = text or SAMPLE.read_text("utf-8")
    return compile_specs([Source("buckets.yaml", data.encode())], stage=stage).experiments[0]


def dead_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@contextmanager
def gateway(
    services: Mapping[str, Json], stats: Json, *, broken: str = "semantic"
) -> Iterator[Gateway]:
    """A listener for each VirtualService, by `name:port`; the `broken` backend does not answer."""
    listeners = [
        Listener(name, route_configuration([service], int(name.rpartition(":")[2])))
        for name, service in services.items()
    ]
    names = dict.fromkeys(one for item in listeners for one in clusters(item.route_config))
    with Backends([name for name in names if broken not in name]) as backends:
        endpoints = {
            name: Endpoint(dead_port()) if broken in name else backends.endpoint(name)
            for name in names
        }
        with running(listeners, endpoints, stats_config=stats) as found:
            yield found


def virtual_service(one: Compiled, *hosts: str) -> Json:
    service: Json = yaml.safe_load(dump(one.rendered[0].virtual_service))
    service["spec"]["hosts"] = list(hosts) or service["spec"]["hosts"]
    return service


class Sent(NamedTuple):
    scraped: str
    whole: str
    counts: Mapping[tuple[str, str], int]


def bucket_name(bucket: int | None) -> str:
    return "" if bucket is None else f"{bucket:03d}"


@pytest.fixture(scope="module", params=STATS)
def sent(request: pytest.FixtureRequest) -> Sent:
    """Requests of many users, a random number each, and what was counted of them."""
    one = compiled("ramp-25")
    generator = random.Random(7)  # noqa: S311  repeatable, not secret
    users = [f"{number:012b}" for number in generator.sample(range(4096), 900)]
    users = [user for user in [*users, "011111111111"] for _ in range(generator.randint(1, 4))]
    counts = Counter((part.label, bucket_name(part.bucket)) for part in look_up_many(one, users))
    filter_ = EMITTED["scrapeConfig"]["params"]["filter"][0]
    with gateway({"a:80": virtual_service(one)}, STATS[request.param]) as found:
        with Client(found.port("a:80")) as client:
            answers = client.send(
                [Request("search.example.com", headers=(("userhash", user),)) for user in users]
            )
        assert {answer.status for answer in answers} == {200, 503}
        time.sleep(FLUSH + 0.5)
        return Sent(found.scrape(filter_), found.scrape(""), counts)


def rules() -> list[Json]:
    found: list[Json] = EMITTED["scrapeConfig"]["metric_relabel_configs"]
    return found


def told(samples: Sequence[Sample], name: str, **labels: str) -> dict[tuple[str, str], int]:
    """Return the values of a metric by (group, bucket)."""
    found = [
        sample
        for sample in samples
        if sample.name == name
        and all(sample.labels.get(label) == value for label, value in labels.items())
    ]
    by_place = {
        (one.labels["group"], one.labels.get("bucket", "")): int(one.value) for one in found
    }
    assert len(by_place) == len(found)
    return by_place


def as_counted(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return how many requests should be counted where: who is in no group is in the fallback."""
    return {
        ("fallback" if group == "unassigned" else group, bucket): number
        for (group, bucket), number in counts.items()
    }


def test_every_request_is_counted_once_by_group_and_bucket(sent: Sent) -> None:
    samples = relabelled(parsed(sent.scraped), rules())
    counts = as_counted(sent.counts)
    assert sum(1 for group, bucket in counts if bucket and group == "control") == 32
    assert sum(1 for group, bucket in counts if bucket and group == "treatment") == 32
    assert ("internal-users", "") in counts
    assert told(samples, "envoy_route_upstream_rq_completed") == counts


def test_classes_of_responses_are_counted_by_bucket(sent: Sent) -> None:
    samples = relabelled(parsed(sent.scraped), rules())
    counts = as_counted(sent.counts)
    name = "envoy_route_upstream_rq_xx"
    assert {one.labels["response_code_class"] for one in samples if one.name == name} == {
        "2xx",
        "5xx",
    }
    broken = {place: number for place, number in counts.items() if place[0] not in WORKING}
    right = {place: number for place, number in counts.items() if place[0] in WORKING}
    assert told(samples, name, response_code_class="2xx") == right
    assert told(samples, name, response_code_class="5xx") == broken


WORKING = ("control", "fallback")


def test_latency_is_counted_by_bucket(sent: Sent) -> None:
    samples = relabelled(parsed(sent.scraped), rules())
    counts = as_counted(sent.counts)
    right = {place: number for place, number in counts.items() if place[0] in WORKING}
    found = told(samples, "envoy_route_upstream_rq_time_count")
    assert {place: found[place] for place in right} == right
    assert told(samples, "envoy_route_upstream_rq_time_bucket", le="+Inf") == found
    assert told(samples, "envoy_route_upstream_rq_time_sum").keys() == found.keys()


def test_labels_say_which_experiment(sent: Sent) -> None:
    samples = relabelled(parsed(sent.scraped), rules())
    assert samples
    seen: dict[str, set[str]] = {}
    for sample in samples:
        for label, value in sample.labels.items():
            seen.setdefault(label, set()).add(value)
    assert seen["experiment"] == {"search"}
    assert seen["experiment_namespace"] == {"shop"}
    assert seen["experiment_id"] == {"e9a1fe28"}
    assert seen["generation"] == {"1"}
    assert seen["virtual_host"] in ({"search_example_com_80"}, {"example_com_80"})
    versions = {(one.labels["group"], one.labels["version"]) for one in samples}
    assert versions == {
        ("control", "v1"),
        ("fallback", "v1"),
        ("treatment", "v2"),
        ("internal-users", "v2"),
    }
    # What prometheus knows a series by is different for each.
    assert len({tuple(sorted(one.labels.items())) for one in samples}) == len(samples)
    assert seen["__name__"] == set(EMITTED["metrics"])
    assert set(EMITTED["labels"]) <= seen.keys()


def test_the_rules_do_the_same_in_a_job_that_scrapes_everything(sent: Sent) -> None:
    """And leave alone what is not ours."""
    everything = parsed(sent.whole)
    ours = [one for one in everything if "_route_pin_" in one.name]
    other = [one for one in everything if "_route_pin_" not in one.name]
    assert len(other) > 10
    assert relabelled(other, rules()) == other
    assert len(ours) >= len(parsed(sent.scraped))

    counted = [one for one in relabelled(ours, rules()) if one.value]
    filtered = [one for one in relabelled(parsed(sent.scraped), rules()) if one.value]
    assert filtered
    assert {str(one) for one in counted} == {str(one) for one in filtered}


def test_the_series_are_as_many_as_is_said(sent: Sent) -> None:
    live = EMITTED["experiments"][0]["live"]
    samples = relabelled(parsed(sent.scraped), rules())
    by_place: dict[tuple[str, str], int] = Counter(
        (one.labels["group"], one.labels.get("bucket", "")) for one in samples
    )
    # The statPrefix of an arm itself is for malformed hashes, of which none was sent.
    assert len(by_place) == live["statPrefixes"] - 2
    least, most = live["series"]["least"], live["series"]["most"]
    each = {number for place, number in by_place.items() if place[0] == "control"}
    assert each == {least // live["statPrefixes"]}
    assert most // live["statPrefixes"] == least // live["statPrefixes"] + 4


def test_without_the_matcher_an_older_gateway_counts_nothing() -> None:
    """That the configuration is needed: Istio before 1.23 had a mistake in its own."""
    one = compiled("ramp-25")
    stats = istio_stats([r"vhost\.*\.route\.*"])
    with gateway({"a:80": virtual_service(one)}, stats) as found:
        with Client(found.port("a:80")) as client:
            client.send([Request("search.example.com", headers=(("userhash", "1" * 12),))])
        assert "pin_" not in found.scrape("")


@pytest.mark.parametrize("stats", ["plain", "istio"])
def test_ports_and_hosts_are_told_apart(stats: str) -> None:
    """One host on two ports, and one without a dot, which a plain Envoy names otherwise."""
    one = compiled("ramp-25")
    services = {
        "a:80": virtual_service(one),
        "b:8443": virtual_service(one),
        "c:80": virtual_service(one, "search"),
        "d:80": virtual_service(one, "*"),
    }
    hosts = {"a:80": "search.example.com", "b:8443": "search.example.com", "c:80": "search"}
    with gateway(services, STATS[stats]) as found:
        for times, name in enumerate(services, 1):
            with Client(found.port(name)) as client:
                call = Request(hosts.get(name, "any.org"), headers=(("userhash", "1" * 12),))
                client.send([call] * times)
        text = found.scrape(EMITTED["scrapeConfig"]["params"]["filter"][0])
    samples = [
        one
        for one in relabelled(parsed(text), rules())
        if one.name == "envoy_route_upstream_rq_completed"
    ]
    assert sorted(one.value for one in samples) == [1, 2, 3, 4]
    assert len({tuple(sorted(one.labels.items())) for one in samples}) == 4
    assert {(one.labels["group"], one.labels["bucket"]) for one in samples} == {("control", "127")}


def test_less_latency_is_fewer_series(sent: Sent) -> None:
    for latency, kept in (("mean", {"_sum", "_count"}), ("none", set())):
        emitted = observability(str(SAMPLE), "--latency", latency)
        pattern = emitted["scrapeConfig"]["params"]["filter"][0]
        rules = emitted["scrapeConfig"]["metric_relabel_configs"]
        assert ("time" in pattern) == bool(kept)
        names = {one.name for one in relabelled(parsed(sent.whole), rules)}
        ours = {name for name in names if name.startswith("envoy_route_")}
        assert ours == set(emitted["metrics"])
        assert {name.removeprefix("envoy_route_upstream_rq_time") for name in ours} >= kept
        assert sum("_time" in name for name in ours) == len(kept)
        # The gateway is configured once, whatever Prometheus keeps.
        assert emitted["proxyStatsMatcher"] == EMITTED["proxyStatsMatcher"]


def test_both_forms_of_the_job_say_the_same() -> None:
    scrape = EMITTED["scrapeConfig"]
    (endpoint,) = EMITTED["podMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["params"] == scrape["params"]
    assert endpoint["path"] == scrape["metrics_path"]
    camel = [
        {
            {"source_labels": "sourceLabels", "target_label": "targetLabel"}.get(key, key): value
            for key, value in rule.items()
        }
        for rule in scrape["metric_relabel_configs"]
    ]
    assert endpoint["metricRelabelings"] == camel
