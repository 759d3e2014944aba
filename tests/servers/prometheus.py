"""A real Prometheus that scrapes what the tests name."""

import json
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from servers.process import PortTaken, built, free_ports, started, until

ATTEMPTS = 3  # for ports that others took in between

Json = dict[str, Any]


@dataclass(frozen=True)
class Vector:
    """One series of an answer: its labels, and its value now."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus; `url` is where its API is."""

    url: str

    def query(self, expression: str) -> list[Vector]:
        """Return the instant vector of an expression."""
        asked = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as reply:  # noqa: S310
            answer: Json = json.load(reply)
        assert answer["data"]["resultType"] == "vector", answer
        return [Vector(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def scraped(self) -> None:
        """Wait until each target was scraped once more, from now on."""
        now = time.time()

        def fresh() -> bool:
            stamps = [one.value for one in self.query("timestamp(up == 1)")]
            return bool(stamps) and min(stamps) > now

        until("every target is scraped", fresh)


@contextmanager
def prometheus(scrape_configs: Sequence[Json]) -> Iterator[Prometheus]:
    """Run Prometheus with these jobs, scraped every second."""
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": list(scrape_configs)}
    for attempt in range(ATTEMPTS):
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        with tempfile.TemporaryDirectory(prefix="pinroute-") as temporary:
            folder = Path(temporary)
            (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")
            command: list[str | Path] = [
                *(built("prometheus"), "--config.file", "prometheus.yml"),
                *("--storage.tsdb.path", "data", "--web.listen-address", f"127.0.0.1:{port}"),
            ]
            try:
                with started(command, folder, _ready(url)):
                    yield Prometheus(url)
                    return
            except PortTaken:
                if attempt + 1 == ATTEMPTS:
                    raise


def _ready(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as reply:  # noqa: S310
            found: int = reply.status
            return found == 200

    return ready
