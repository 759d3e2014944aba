"""Benchmarks of diff and apply on a real API server with Istio's webhook, next to kubectl.

    make bench-cluster              # or: python bench/cluster.py [idle] [apply] [--rounds N]

It starts a cluster of its own, which the tests' tools are built for if need be. Commands that are
compared run in turns, each in a namespace of its own; every figure is a median.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from servers.access import KUBECTL  # noqa: E402 - the tests' own package
from servers.cluster import Cluster, cluster  # noqa: E402
from servers.objects import GATEWAY, documents, service  # noqa: E402

PINROUTE = str(Path(sys.executable).with_name("pinroute"))
OURS, THEIRS = "bench-pinroute", "bench-kubectl"
SPEC = """
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp-NUMBER, namespace: NAMESPACE}
spec:
  route:
    hosts: [hNUMBER.NAMESPACE.example.com]
    gateways: [istio-system/public]
  userHash: {from: {header: userhash}, alphabet: binary, digits: 8, trust: edge}
  versions:
  - {name: v1, service: {host: app-v1, port: 80}}
  - {name: v2, service: {host: app-v2, port: 80}}
  baseline: v1
  groups:
  - {name: control, version: v1, prefixes: ["111"]}
  - {name: treatment, version: v2, prefixes: ["PREFIX"]}
"""


def timed(running: Cluster, words: Sequence[str | Path]) -> float:
    """Return the seconds that a process takes; it must succeed."""
    begin = time.perf_counter()
    run = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **running.environment},
    )
    taken = time.perf_counter() - begin
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}: {run.returncode}\n{run.stderr}")
    return taken


def prepare(running: Cluster) -> None:
    """Create what the experiments need."""
    running.namespace(OURS, THEIRS)
    backends = (
        service(namespace, name) for namespace in (OURS, THEIRS) for name in ("app-v1", "app-v2")
    )
    text = documents(GATEWAY, *backends)
    running.kubectl("apply", "--server-side", "-f", "-", stdin=text)


def written(folder: Path, namespace: str, prefix: str, count: int) -> Path:
    """Write specs into a folder of their own, and return it."""
    found = folder / f"{namespace}-{prefix}-{count}"
    found.mkdir()
    for number in range(count):
        text = SPEC.replace("NUMBER", str(number)).replace("NAMESPACE", namespace)
        (found / f"{number}.yaml").write_text(text.replace("PREFIX", prefix), "utf-8")
    return found


def compiled(specs: Path) -> Path:
    """Return a file with what specs compile to."""
    found = specs.with_suffix(".compiled.yaml")
    run = subprocess.run([PINROUTE, "compile", str(specs)], check=True, capture_output=True)
    found.write_bytes(run.stdout)
    return found


def side_by_side(ours: Sequence[float], theirs: Sequence[float], bar: float) -> str:
    """Return medians and their ratio in words."""
    mine, peer = statistics.median(ours), statistics.median(theirs)
    return (
        f"{mine * 1000:7.0f} ms, kubectl {peer * 1000:7.0f} ms, "
        f"ratio {mine / peer:.2f} (bar {bar:g})"
    )


def idle(running: Cluster, folder: Path, rounds: int) -> None:
    """Diff with nothing to do, one experiment."""
    specs = written(folder, OURS, "101", 1)
    manifest = compiled(specs)
    timed(running, [PINROUTE, "apply", "-f", specs])
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed(running, [PINROUTE, "diff", "-f", specs]))
        theirs.append(timed(running, [KUBECTL, "diff", "-f", manifest]))
    print(f"  {'nothing to do':<16} {side_by_side(ours, theirs, 2)}")


def apply(running: Cluster, folder: Path, rounds: int) -> None:
    """200 experiments applied, next to kubectl's client-side apply of what they compile to."""
    count = 200
    specs = {prefix: written(folder, OURS, prefix, count) for prefix in ("101", "10")}
    manifests = {
        prefix: compiled(written(folder, THEIRS, prefix, count)) for prefix in ("101", "10")
    }
    steps = {"new": "101", "all changed": "10", "unchanged": "10"}
    ours: dict[str, list[float]] = {name: [] for name in steps}
    theirs: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(max(3, rounds // 7)):
        for namespace in (OURS, THEIRS):
            running.kubectl("delete", "virtualservice", "--all", "-n", namespace)
        for name, prefix in steps.items():
            ours[name].append(timed(running, [PINROUTE, "apply", "-f", specs[prefix]]))
            theirs[name].append(timed(running, [KUBECTL, "apply", "-f", manifests[prefix]]))
    for name in steps:
        print(f"  {name:<16} {side_by_side(ours[name], theirs[name], 0.5)}")


BENCHES: dict[str, Callable[[Cluster, Path, int], None]] = {"idle": idle, "apply": apply}


def main() -> None:
    """Run the benchmarks that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], default=[])
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    # Users have compiled bytecode: pip writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with cluster() as running:
        prepare(running)
        for name in options.names or BENCHES:
            print(f"{name}: {BENCHES[name].__doc__}", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                BENCHES[name](running, Path(folder), options.rounds)


if __name__ == "__main__":
    main()
