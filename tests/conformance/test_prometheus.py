"""What `observability` prints, in a real Prometheus that scrapes a real Envoy set up as Istio's.

The tags and the default stats matcher are those of Istio's own bootstrap template.
"""

import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinroute.compilation import Source, compile_specs
from pinroute.istio.envoy import clusters, route_configuration
from pinroute.local.backend import Backends
from pinroute.local.client import Client, Request
from pinroute.local.server import Listener, running
from pinroute.lookup import look_up_many
from pinroute.manifest.dump import dump
from servers.process import built
from servers.prometheus import prometheus

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "buckets.yaml"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def emitted() -> Json:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", "observability", str(SAMPLE), "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: Json = json.loads(done.stdout)
    return found


def stats_config() -> Json:
    """Return the stats_config that Istio's template makes for a proxy without own settings."""
    template = built("istio-bootstrap.json").read_text("utf-8")
    section = template[template.index('"stats_config"') : template.index('"stats_matcher"')]
    # Tags of the template's own loops are those of proxies with extra tags.
    section = re.sub(r"\{\{- range.*?\{\{- end \}\}", "", section, flags=re.DOTALL)
    assert '"use_all_default_tags": false' in section
    tags = [
        {
            name: json.loads(f'"{value}"')
            for name, value in re.findall(r'"(tag_name|regex)": "(.*)"', one)
        }
        for one in re.findall(r"\{\s*\"(?:tag_name|regex)\".*?\}\s*[,\]]", section, re.DOTALL)
    ]
    tags = [one for one in tags if one]
    assert all(one.keys() == {"tag_name", "regex"} for one in tags)
    assert {"response_code", "response_code_class"} <= {one["tag_name"] for one in tags}
    source = built("istio-bootstrap.go").read_text("utf-8")
    (regex,) = re.findall(r"requiredEnvoyStatsMatcherInclusionRegexes = `(.*)`", source)
    patterns = [{"prefix": "reporter="}, {"prefix": "server"}, {"safe_regex": {"regex": regex}}]
    return {
        "use_all_default_tags": False,
        "stats_tags": tags,
        "stats_matcher": {"inclusion_list": {"patterns": patterns}},
    }


def test_a_real_prometheus_counts_by_group_and_bucket(emitted: Json) -> None:
    one = compile_specs([Source("buckets.yaml", SAMPLE.read_bytes())]).experiments[0]
    generator = random.Random(11)
    users = [f"{number:012b}" for number in generator.sample(range(4096), 600)]
    users = [user for user in users for _ in range(generator.randint(1, 3))]
    counts = Counter(
        (part.label, "" if part.bucket is None else f"{part.bucket:03d}")
        for part in look_up_many(one, users)
    )
    counts["fallback", ""] = counts.pop(("unassigned", ""))
    service = yaml.safe_load(dump(one.rendered[0].virtual_service))
    listener = Listener("gateway", route_configuration([service]))
    names = clusters(listener.route_config)
    with Backends(names) as backends:
        endpoints = {name: backends.endpoint(name) for name in names}
        with running([listener], endpoints, stats_config=stats_config()) as gateway:
            job = {
                key: value
                for key, value in emitted["scrapeConfig"].items()
                if key not in ("kubernetes_sd_configs", "relabel_configs", "scrape_interval")
            }
            job["static_configs"] = [{"targets": [f"127.0.0.1:{gateway.admin}"]}]
            with Client(gateway.port("gateway")) as client:
                client.send(
                    [
                        Request("search.example.com", headers=(("userhash", user),))
                        for user in users
                    ]
                )
            with prometheus([job]) as server:
                server.scraped()
                found = server.query("envoy_route_upstream_rq_completed")
                by_group = server.query(
                    'sum by (group) (envoy_route_upstream_rq_xx{experiment="search",'
                    ' experiment_namespace="shop", response_code_class="2xx"})'
                )
                everything = server.query('{job="pinroute-gateways", __name__!~"up|scrape_.*"}')
    seen = {(one.labels["group"], one.labels.get("bucket", "")): one.value for one in found}
    assert len(seen) == len(found)
    assert seen == counts
    totals: Counter[str] = Counter()
    for (group, _), number in counts.items():
        totals[group] += number
    assert {one.labels["group"]: one.value for one in by_group} == totals
    labels = {"job", "instance", "__name__", "le", "response_code_class", *emitted["labels"]}
    assert {label for one in everything for label in one.labels} <= labels
    assert {one.labels["__name__"] for one in everything} <= set(emitted["metrics"])


def test_prometheus_takes_the_configuration(emitted: Json, tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [emitted["scrapeConfig"]]}), "utf-8")
    done = subprocess.run(
        [built("promtool"), "check", "config", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
