"""`pinroute observability`: forms of output, options, and what is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pinroute.istio.counters import PARTS, PATTERN
from pinroute.spec.schema import load_schema

ROOT = Path(__file__).parents[2]
SAMPLE = "samples/buckets.yaml"

Json = dict[str, Any]


def observability(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinroute", "observability", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        input=stdin,
    )


def shown(*words: str) -> Json:
    done = observability(*words, "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found: Json = json.loads(done.stdout)
    Draft202012Validator(load_schema("cli/observability")).validate(found)
    return found


def test_the_forms_say_the_same() -> None:
    found = shown("-f", SAMPLE)
    done = observability("-f", SAMPLE, "-o", "yaml")
    assert (done.returncode, done.stderr) == (0, "")
    pieces = list(yaml.safe_load_all(done.stdout))
    names = ("gatewayPatch", "istioOperator", "scrapeConfig", "podMonitor")
    assert pieces == [found[name] for name in names]
    for part, piece in zip(
        ("gateway", "mesh", "scrape-config", "pod-monitor"), pieces, strict=True
    ):
        done = observability("-f", SAMPLE, "-o", "yaml", "--part", part)
        assert yaml.safe_load(done.stdout) == piece
    text = observability("-f", SAMPLE).stdout
    for metric in found["metrics"]:
        assert f"\n   {metric}\n" in text
    indented = re.findall(r"(?ms)^   job_name.*?(?=\n\n)", text)[0]
    assert yaml.safe_load(re.sub(r"(?m)^   ", "", indented)) == found["scrapeConfig"]


def test_the_annotation_holds_what_istio_reads() -> None:
    found = shown(SAMPLE)
    annotations = found["gatewayPatch"]["spec"]["template"]["metadata"]["annotations"]
    own = yaml.safe_load(annotations["proxy.istio.io/config"])
    assert own == {"proxyStatsMatcher": found["proxyStatsMatcher"]}
    mesh = found["istioOperator"]["spec"]["meshConfig"]["defaultConfig"]
    assert mesh == own


def test_the_gateway_is_configured_once_for_all() -> None:
    """Without a spec, and with any: the same for the gateway; only names are added in Prometheus."""
    none = shown()
    assert none["experiments"] == []
    for sample in (SAMPLE, "samples/ramp.yaml", "samples/tutorial.yaml"):
        done = observability(sample, "-o", "json")
        some = json.loads(done.stdout)
        for piece in ("proxyStatsMatcher", "gatewayPatch", "istioOperator"):
            assert some[piece] == none[piece]
        rules = none["scrapeConfig"]["metric_relabel_configs"]
        assert some["scrapeConfig"]["metric_relabel_configs"][: len(rules)] == rules


def test_every_counter_of_every_sample_is_let_through() -> None:
    (regex,) = shown()["proxyStatsMatcher"]["inclusionRegexps"]
    (wanted,) = shown()["scrapeConfig"]["params"]["filter"]
    prefixes = {
        name
        for file in (ROOT / "golden").rglob("stages/*.yaml")
        for name in re.findall(r"statPrefix: (\S+)", file.read_text("utf-8"))
    }
    assert len(prefixes) > 100
    for name in prefixes:
        assert re.fullmatch(PATTERN, name)
        assert re.fullmatch(PARTS, name)
        for counter in ("completed", "2xx", "5xx", "time"):
            statistic = f"vhost.shop.example.com:80.route.{name}.upstream_rq_{counter}"
            assert re.fullmatch(regex, statistic)
            assert re.search(wanted, statistic)
        for other in ("total", "retry", "200", "timeout"):
            statistic = f"vhost.shop.example.com:80.route.{name}.upstream_rq_{other}"
            assert not re.fullmatch(regex, statistic)
            assert not re.search(wanted, statistic)


def test_the_pods_of_the_gateway() -> None:
    found = shown("-l", "app=edge,istio=public.gw", "-n", "ingress")
    assert found["podMonitor"]["metadata"]["namespace"] == "ingress"
    selector = found["podMonitor"]["spec"]["selector"]
    assert selector == {"matchLabels": {"app": "edge", "istio": "public.gw"}}
    (discovery,) = found["scrapeConfig"]["kubernetes_sd_configs"]
    assert discovery["namespaces"] == {"names": ["ingress"]}
    keeps = [rule for rule in found["scrapeConfig"]["relabel_configs"] if "action" in rule]
    assert [(rule["source_labels"][0], rule["regex"]) for rule in keeps] == [
        ("__meta_kubernetes_pod_container_port_name", "http-envoy-prom"),
        ("__meta_kubernetes_pod_label_app", "edge"),
        ("__meta_kubernetes_pod_label_istio", r"public\.gw"),
    ]


def test_what_it_costs() -> None:
    (one,) = shown(SAMPLE)["experiments"]
    # 32 buckets an arm, both arms themselves, another group, the fallback.
    assert one["live"]["statPrefixes"] == 64 + 2 + 1 + 1
    assert one["live"]["buckets"] == 64
    assert one["live"]["series"] == {"least": 68 * 24, "most": 68 * 28}
    # In `observe` the treatment has its largest share, under another version.
    assert one["allStages"]["buckets"] == 32 + 32 + 32
    (mean,) = shown(SAMPLE, "--latency", "mean")["experiments"]
    assert mean["live"]["series"] == {"least": 68 * 4, "most": 68 * 8}


def test_nothing_is_counted_without_stat_prefixes() -> None:
    done = observability("samples/tutorial.yaml")
    assert done.returncode == 0
    assert "output.statPrefixes is false: nothing is counted" in done.stderr
    assert re.search(r"all stages +0 +0 +0$", done.stdout, re.MULTILINE)


def test_several_experiments_have_their_names() -> None:
    found = shown("samples/several-experiments.yaml", SAMPLE)
    rules = found["scrapeConfig"]["metric_relabel_configs"]
    named = [rule for rule in rules if rule.get("target_label") == "experiment"][1:]
    assert [(rule["regex"], rule["replacement"]) for rule in named] == [
        (one["id"], one["name"]) for one in found["experiments"]
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-l", "istio"], "name=value"),
        (["-l", "istio in (a,b)"], "name=value"),
        (["-l", "istio!=a"], "name=value"),
        (["-l", ""], "name=value"),
        (["--part", "mesh"], "-o yaml"),
        (["--latency", "some"], "histogram"),
        (["nowhere.yaml"], "nowhere.yaml"),
        (["samples/virtualservices/flagger-canary.yaml"], "no experiment"),
    ],
)
def test_misuse_is_told(words: list[str], says: str) -> None:
    done = observability(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_spec_with_errors_prints_nothing() -> None:
    done = observability("samples/invalid/PIN262-bad-number-of-buckets.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "PIN262" in done.stderr
